"""What the service does: one module per verb. They take the unit of work and a command or events."""
