"""The implementation guides as data, and the registry that compiles each once."""

from functools import cache

from revcycle_edi.x12.guides import (
    g270,
    g275,
    g276,
    g277ca,
    g277rfai,
    g278,
    g835,
    g837d,
    g837i,
    g837p,
    g999,
)
from revcycle_edi.x12.guides.model import Guide, compile_guide

_REGISTRY: dict[tuple[str, str], tuple[str, str]] = {
    ("837", "005010X222"): ("HC", g837p.GUIDE),
    ("837", "005010X223"): ("HC", g837i.GUIDE),
    ("837", "005010X224"): ("HC", g837d.GUIDE),
    ("835", "005010X221"): ("HP", g835.GUIDE),
    ("999", "005010X231"): ("FA", g999.GUIDE),
    ("277", "005010X214"): ("HN", g277ca.GUIDE),
    ("276", "005010X212"): ("HR", g276.GUIDE),
    ("277", "005010X212"): ("HN", g276.ANSWER),
    ("270", "005010X279"): ("HS", g270.GUIDE),
    ("271", "005010X279"): ("HB", g270.ANSWER),
    ("278", "005010X217"): ("HI", g278.GUIDE),
    ("275", "006020X314"): ("PI", g275.GUIDE),
    ("275", "005010X210"): ("PI", g275.DRAFT),
    ("277", "006020X313"): ("HN", g277rfai.GUIDE),
    ("277", "005010X213"): ("HN", g277rfai.GUIDE),
}


def guide_for(transaction_type: str, version: str) -> Guide | None:
    """The compiled guide of a transaction and guide version (errata letters are ignored), None when there is none."""
    key = (transaction_type, version[:10])
    return _compiled(*key) if key in _REGISTRY else None


def guide_keys() -> tuple[tuple[str, str], ...]:
    """Every (transaction, guide version) there is a guide for."""
    return tuple(_REGISTRY)


@cache
def _compiled(transaction_type: str, version: str) -> Guide:
    functional_id, text = _REGISTRY[(transaction_type, version)]
    return compile_guide(transaction_type, version, functional_id, text)
