"""The HTTP doors of the service; their models are never events."""
