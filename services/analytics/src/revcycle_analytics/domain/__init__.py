"""Pure: events to measures, measures to KPIs."""
