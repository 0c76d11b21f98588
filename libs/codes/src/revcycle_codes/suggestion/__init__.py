"""From a note to candidate codes: sections, assertions, phrases, and the rules that turn a phrase into a code."""
