"""Schema ``claims``: its history, revision by revision."""
