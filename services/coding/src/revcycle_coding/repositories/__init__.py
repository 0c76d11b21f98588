"""All SQL of coding: many rows per statement, one module per aggregate."""
