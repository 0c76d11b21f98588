"""Pure decisions about payer connections: no I/O, no clock, no framework."""
