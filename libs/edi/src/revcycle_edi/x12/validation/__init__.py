"""Layered validation: syntax, guide, balancing, code sets, situations; every finding of an input collected."""
