"""Reads databases, topics and the payer's raw log; knows the invariants."""
