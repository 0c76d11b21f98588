"""A whole service in miniature, for the tests of the kit."""
