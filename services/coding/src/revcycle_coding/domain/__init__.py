"""What coding decides, without I/O: checks, the finalising policy, the life of a coding and its worklist item."""
