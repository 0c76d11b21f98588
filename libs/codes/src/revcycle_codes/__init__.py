"""Effective-dated code-set releases and the edit rules over them."""
