"""Documents encounters at a set rate, plays coder and biller, knows the truth."""
