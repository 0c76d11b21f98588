"""The edit rules, one small function each; importing a module registers its rules in the catalogue."""
