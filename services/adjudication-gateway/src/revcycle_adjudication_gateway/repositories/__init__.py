"""All SQL of the gateway, one module per aggregate; every statement works on many rows."""
