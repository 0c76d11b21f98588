"""Code validation, coder worklist, finalised codings."""
