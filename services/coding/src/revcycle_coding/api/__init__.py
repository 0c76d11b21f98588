"""The REST surface of coding; paths and conventions as in the resource map."""
