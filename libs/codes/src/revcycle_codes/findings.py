"""Findings: what the edit rules say about an encounter or a claim, and the registry of the rules."""

import re
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


CATALOGUE_EDITION = "rule-catalogue-2026.11"
"""The release that rules without a table of their own rest on: they change with the catalogue alone."""
PROFESSIONAL_GUIDE = "005010X222A1"
"""The implementation guide that the rules of form (counts, pointers, units) are taken from."""

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
    edition: str
    check: Check

    @property
    def text(self) -> str:
        """The rule in full: the docstring of its check."""
        return (self.check.__doc__ or "").strip()

    @property
    def statement(self) -> str:
        """The first sentence of the rule: what is right in general, without a code, a date or a person."""
        text = " ".join(self.text.split())
        return _SENTENCE_END.split(text, maxsplit=1)[0].removesuffix(".")


_SENTENCE_END = re.compile(r"(?<=[a-z0-9)])\.(?= [A-Z])")
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
    edition: str = CATALOGUE_EDITION,
) -> Callable[[Check], Check]:
    """Register a check in the catalogue. Checks run in the order of the catalogue, which is the order of import."""

    def register(check: Check) -> Check:
        if id in RULES:
            raise ValueError(f"rule {id} is registered twice")
        RULES[id] = Rule(
            id=id,
            version=version,
            title=title,
            source=source,
            severity=severity,
            carc=carc,
            needs=needs,
            edition=edition,
            check=check,
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


class Reason(Struct, frozen=True, kw_only=True):
    """Why something is held, fit to travel in the clear: no code, no date, no person.

    `release` is the table the rule read, else the edition the rule itself belongs to; `expected` what is right in
    general (the finding says it for the case at hand); `line_number` the first line concerned, from 1.
    """

    rule: str
    rule_version: str
    release: str
    field: str
    expected: str
    line_number: int | None = None


def reasons(findings: Iterable[Finding]) -> tuple[Reason, ...]:
    """The findings that block billing, as reasons, in their order; equal ones are told once."""
    told = dict.fromkeys(_reason(one) for one in findings if one.severity is Severity.ERROR)
    return tuple(told)


def _reason(finding: Finding) -> Reason:
    entry = RULES[finding.rule]
    return Reason(
        rule=finding.rule,
        rule_version=finding.rule_version,
        release=finding.release or entry.edition,
        field=finding.field,
        expected=entry.statement,
        line_number=finding.lines[0] if finding.lines else None,
    )
