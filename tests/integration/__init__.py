"""Tests of the whole system: real Kafka, real PostgreSQL, every service, the payers."""
