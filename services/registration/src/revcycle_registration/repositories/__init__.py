"""All SQL of registration: many rows per statement, one module per aggregate."""
