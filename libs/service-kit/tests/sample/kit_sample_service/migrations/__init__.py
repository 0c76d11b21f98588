"""Revisions of the sample."""
