"""The schema of analytics, revision by revision."""
