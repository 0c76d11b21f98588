"""Integer cents, allocation without loss, double-entry journal arithmetic."""
