"""Findings: what the edit rules say about an encounter or a claim, and the registry of the rules."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from revcycle_codes.context import Context


class Severity(StrEnum):
    """`error` blocks billing, `warning` needs a look or a reason, `info` is only shown."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong or doubtful. Texts hold codes, line numbers and rules, never a patient's data.

    `lines` are service line numbers, `field` the path into the facts, `release` and `row` the table that says so,
    `carc` the claim adjustment reason a payer would answer with, `override_needs` what an override must document.
    """

    rule: str
    rule_version: str
    severity: Severity
    message: str
    expected: str
    lines: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    field: str = ""
    release: str | None = None
    row: str | None = None
    carc: str | None = None
    overridable: bool = False
    override_needs: str | None = None


Check = Callable[["Context"], Iterator[Finding]]


class Rule(Struct, frozen=True, kw_only=True):
    """A rule of the catalogue: a check with what the catalogue page says about it."""

    id: str
    version: str
    title: str
    source: str
    severity: str
    carc: str | None
    needs: str
    check: Check

    @property
    def text(self) -> str:
        """The rule in full: the docstring of its check."""
        return (self.check.__doc__ or "").strip()


RULES: dict[str, Rule] = {}


def rule(
    id: str,
    title: str,
    *,
    source: str,
    severity: str,
    carc: str | None = None,
    needs: str = "facts",
    version: str = "1",
) -> Callable[[Check], Check]:
    """Register a check in the catalogue. Checks run in the order of the catalogue, which is the order of import."""

    def register(check: Check) -> Check:
        if id in RULES:
            raise ValueError(f"rule {id} is registered twice")
        RULES[id] = Rule(
            id=id, version=version, title=title, source=source, severity=severity, carc=carc, needs=needs, check=check
        )
        return check

    return register


def found(
    rule_id: str,
    severity: Severity,
    message: str,
    expected: str,
    *,
    lines: tuple[int, ...] = (),
    codes: tuple[str, ...] = (),
    field: str = "",
    release: str | None = None,
    row: str | None = None,
    override: str | None = None,
    carc: str | None = None,
    suffix: str = "",
) -> Finding:
    """A finding of a registered rule; version and CARC come from the registry. `override` allows and conditions one.

    `suffix` marks a variant of the rule's id (`DX-01U`: the release is not loaded).
    """
    entry = RULES[rule_id]
    return Finding(
        rule=rule_id + suffix,
        rule_version=entry.version,
        severity=severity,
        message=message,
        expected=expected,
        lines=lines,
        codes=codes,
        field=field,
        release=release,
        row=row,
        carc=carc or entry.carc if severity is not Severity.INFO else None,
        overridable=override is not None,
        override_needs=override,
    )


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding blocks billing."""
    return any(one.severity is Severity.ERROR for one in findings)


def finding_as_dict(finding: Finding) -> dict[str, object]:
    """A finding as JSON-ready values."""
    values: dict[str, object] = msgspec.to_builtins(finding)
    return values
