"""The streams coding reads, one module each."""
