"""What people and systems ask of analytics."""
