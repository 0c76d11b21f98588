"""The revcycle command."""
