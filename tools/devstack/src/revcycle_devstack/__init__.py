"""Starts PostgreSQL, Kafka and the services on one machine without a container engine."""
