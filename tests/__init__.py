"""Tests that belong to no single member."""
