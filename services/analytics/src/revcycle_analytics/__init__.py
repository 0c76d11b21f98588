"""Projections and KPIs as pure functions of the events."""
