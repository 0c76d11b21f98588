"""Effects outside: delivering, asking, fetching; and reading what came."""
