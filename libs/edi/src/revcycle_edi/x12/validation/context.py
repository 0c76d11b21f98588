"""What validation needs from outside, and where findings are gathered."""

from collections.abc import Callable
from datetime import date
from typing import TypeAlias

import msgspec

from revcycle_edi.x12.batches import Batch
from revcycle_edi.x12.errors import segment_name
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


Mark: TypeAlias = tuple[Batch | None, int, str]
"""What tells one place of a claim from another: batch, index and loop."""


class Place:
    """Where the validator stands; one object, moved on per segment. start is the number of the ST, 0 outside.

    text is the segment itself, written with standard delimiters; copies do not have it.
    """

    __slots__ = ("batch", "claim_id", "group", "index", "interchange", "loop", "start", "text", "transaction")

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.index = self.start = 0
        self.interchange = self.group = self.transaction = self.loop = self.claim_id = self.text = ""

    def copy(self) -> "Place":
        """The place as it is now."""
        place = Place.__new__(Place)
        place.batch = self.batch
        place.index = self.index
        place.start = self.start
        place.interchange = self.interchange
        place.group = self.group
        place.transaction = self.transaction
        place.loop = self.loop
        place.claim_id = self.claim_id
        return place

    def mark(self) -> Mark:
        """What at() needs of this place, cheaper than a copy."""
        return self.batch, self.index, self.loop

    def at(self, mark: Mark) -> "Place":
        """The place of a mark that was made in the claim of this one."""
        place = self.copy()
        place.batch, place.index, place.loop = mark
        return place

    @property
    def segment_number(self) -> int:
        """Number of the segment in its interchange, the ISA is 1."""
        return self.batch.before + self.index + 1 if self.batch is not None else 0

    @property
    def transaction_position(self) -> int:
        """Number of the segment in its transaction, the ST is 1; 0 outside."""
        return self.segment_number - self.start + 1 if self.start else 0

    @property
    def byte_offset(self) -> int:
        """Byte offset of the segment in the input."""
        return self.batch.offset_of(self.index) if self.batch is not None else 0

    @property
    def segment(self) -> str:
        """The name of the segment, as it may be shown."""
        return segment_name(self.batch.segment_id(self.index)) if self.batch is not None else ""


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
