"""Rules about addresses and taxonomies of the parties of an 837."""

import re

from revcycle_edi.x12.codes import STATES
from revcycle_edi.x12.validation.context import Collector

_PO_BOX = re.compile(
    r"\b(?:P\.? ?O\.?[ -]?BOX|POB|POST(?:AL)? OFFICE BOX|LOCK ?BOX|P\.? ?O\.? DRAWER)(?![A-Z])", re.IGNORECASE
)
_ZIP9 = re.compile(r"\d{9}")
_TAXONOMY = re.compile(r"[0-9A-Z]{9}X")


class AddressRules:
    """The handlers of N3, N4 and PRV."""

    def __init__(self, out: Collector) -> None:
        self._out = out

    def _reject(self, rule: str, message: str, code: str, expected: str, *, element: str) -> None:
        self._out.add(rule, message, answer="277ca", codes=(code,), expected=expected, element=element)

    def street(self, loop: str, e: list[str]) -> None:
        """N3: the billing provider is met at a street."""
        if loop == "2010AA" and (_PO_BOX.search(e[1]) or _PO_BOX.search(e[2])):
            self._reject(
                "837.billing.pobox",
                "the billing provider address is a post office box",
                "A7:503:85",
                "a street address; a PO box belongs in the pay-to address (2010AB)",
                element="01",
            )

    def city(self, loop: str, e: list[str]) -> None:
        """N4: states, and nine digits where the guides want them."""
        if e[2] not in STATES and e[2] and e[4] in ("", "US", "CA"):
            self._reject("837.state", "not a state", "A7:501", "a postal abbreviation", element="02")
        if loop in ("2010AA", "2310C") and not e[4] and _ZIP9.fullmatch(e[3]) is None:
            entity = "85" if loop == "2010AA" else "77"
            self._reject(
                "837.zip9",
                "the postal code has no nine digits",
                f"A7:500:{entity}",
                "nine digits, no dash",
                element="03",
            )

    def taxonomy(self, loop: str, e: list[str]) -> None:
        """PRV: the form of a taxonomy code."""
        if e[2] == "PXC" and _TAXONOMY.fullmatch(e[3]) is None:
            self._reject(
                "837.taxonomy", "not a taxonomy code", "A7:145", "ten characters, the last one X", element="03"
            )
