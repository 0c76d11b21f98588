"""The REST surface of registration; paths and conventions as in the resource map."""
