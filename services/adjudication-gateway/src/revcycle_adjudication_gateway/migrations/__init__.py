"""Migrations of the gateway's schema."""
