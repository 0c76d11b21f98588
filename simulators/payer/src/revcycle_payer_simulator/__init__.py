"""Receives 837, adjudicates by benefit plan, answers in X12 over HTTPS."""
