"""Revisions of schema ``claims``."""
