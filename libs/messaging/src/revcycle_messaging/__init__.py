"""Moves events without losing, doubling or reordering one."""
