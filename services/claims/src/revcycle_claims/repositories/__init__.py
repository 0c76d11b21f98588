"""All SQL of the service, one module per aggregate; every statement works on many rows at once."""
