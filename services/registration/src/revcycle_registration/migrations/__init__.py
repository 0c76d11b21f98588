"""The history of registration's schema."""
