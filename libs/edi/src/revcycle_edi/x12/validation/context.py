"""What validation needs from outside, and where findings are gathered."""

from collections.abc import Callable
from copy import copy
from datetime import date

import msgspec

from revcycle_edi.x12.findings import Answer, Finding, Severity

CodeCheck = Callable[[str, str, date], bool]
"""(code system `ICD10`, `HCPCS`, ...; code; date of service) -> whether the code is valid on that date."""


class ValidationContext(msgspec.Struct, frozen=True, kw_only=True):
    """today switches on the rules about future dates; code_check is the hook into code sets.

    maximum_findings bounds the answer; a last finding says when more were left out.
    """

    today: date | None = None
    code_check: CodeCheck | None = None
    maximum_findings: int = 10_000


class Place(msgspec.Struct, gc=False):
    """Where the validator stands; one object, updated per segment."""

    interchange: str = ""
    group: str = ""
    transaction: str = ""
    segment_number: int = 0
    transaction_position: int = 0
    byte_offset: int = 0
    loop: str = ""
    segment: str = ""
    claim_id: str = ""

    def copy(self) -> "Place":
        """The place as it is now."""
        return copy(self)


class Collector:
    """Gathers findings at a place, up to the limit."""

    def __init__(self, context: ValidationContext) -> None:
        self.context = context
        self.place = Place()
        self.findings: list[Finding] = []

    def add(
        self,
        rule: str,
        message: str,
        *,
        answer: Answer = "999",
        codes: tuple[str, ...] = (),
        expected: str = "",
        severity: Severity = "error",
        element: str = "",
        segment: str = "",
        loop: str = "",
        at: Place | None = None,
    ) -> None:
        """Add one finding at the current place, or at an earlier one."""
        limit = self.context.maximum_findings
        if len(self.findings) > limit:
            return
        if len(self.findings) == limit:
            rule, message, answer, codes, expected, severity = (
                "x12.limit",
                f"more than {limit} findings, the rest is left out",
                "internal",
                (),
                "",
                "warning",
            )
        place = at or self.place
        self.findings.append(
            Finding(
                rule=rule,
                severity=severity,
                answer=answer,
                answer_codes=codes,
                message=message,
                expected=expected,
                interchange=place.interchange,
                group=place.group,
                transaction=place.transaction,
                segment_number=place.segment_number,
                transaction_position=place.transaction_position,
                byte_offset=place.byte_offset,
                loop=loop or place.loop,
                segment=segment or place.segment,
                element=element,
                claim_id=place.claim_id,
            )
        )
