"""What validation needs from outside, and where findings are gathered."""

from collections.abc import Callable
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


class Place:
    """Where the validator stands; one object, updated per segment."""

    __slots__ = (
        "byte_offset",
        "claim_id",
        "group",
        "interchange",
        "loop",
        "segment",
        "segment_number",
        "transaction",
        "transaction_position",
    )

    def __init__(self) -> None:
        self.interchange = self.group = self.transaction = ""
        self.segment_number = self.transaction_position = self.byte_offset = 0
        self.loop = self.segment = self.claim_id = ""

    def copy(self) -> "Place":
        """The place as it is now."""
        other = Place()
        for name in Place.__slots__:
            setattr(other, name, getattr(self, name))
        return other


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
