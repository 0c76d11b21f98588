"""The history of coding's schema."""
