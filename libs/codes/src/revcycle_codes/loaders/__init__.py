"""Readers of the official release layouts: bytes in, rows out; an unknown header is refused by its column's name."""
