"""A coding decision as a pure function of its stored input: run again, it gives the same bytes.

``auto-finalise.v1``: a coding finalises itself when its document is signed and no check of ``revcycle_codes`` finds
an error (at least one diagnosis and one service, every code active on the date of service, pointers valid, no edit of
an imported table broken). Warnings are kept and shown and hold nothing: an unknown release or two codes that exclude
each other need a person's eye, not a person's permission. A person finalises under the same checks, as rule
``coder-finalise.v1``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import orjson
from revcycle_codes import RULES, EncounterFacts, LineFacts, finding_as_dict

from revcycle_coding.domain.rulebook import SETTING, Rulebook

FindingRecord: TypeAlias = dict[str, object]
"""A finding of ``revcycle_codes`` as JSON: rule, severity, field, message, expected, codes, lines, …"""

AUTO_FINALISE = "auto-finalise.v1"
CODER_FINALISE = "coder-finalise.v1"
PROFESSIONAL = "professional"

_UNSIGNED: FindingRecord = {
    "rule": "DOC-01",
    "rule_version": "1",
    "severity": "error",
    "message": "the document is not signed",
    "expected": "a document version signed by its author",
    "field": "document.signed_at",
    "lines": [],
    "codes": [],
    "release": None,
    "row": None,
    "carc": None,
    "overridable": False,
    "override_needs": None,
}


@dataclass(frozen=True, slots=True)
class Service:
    """A service line; ``diagnosis_pointers`` count from 1 into the diagnoses."""

    code: str
    modifiers: tuple[str, ...]
    units: int
    diagnosis_pointers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided on: one billing side of an encounter with the codes to be judged."""

    billing_side: str
    date_of_service: date
    place_of_service: str | None
    signed: bool
    diagnoses: tuple[str, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision taken. ``input`` and ``output`` are canonical JSON; ``releases`` maps code system to content hash."""

    rule: str
    input: bytes
    input_hash: str
    releases: dict[str, str]
    output: bytes
    finalise: bool
    findings: tuple[FindingRecord, ...]


class OtherReleases(Exception):
    """The code sets or edit tables at hand are not those a stored decision was taken with; names what differs."""


def canonical(value: object) -> bytes:
    """JSON with sorted keys and nothing to spare: equal values, equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def check(subject: Subject, rulebook: Rulebook) -> tuple[FindingRecord, ...]:
    """Every finding on the codes and the signature, errors and warnings together."""
    facts = EncounterFacts(
        date_of_service=subject.date_of_service,
        diagnoses=subject.diagnoses,
        lines=tuple(
            LineFacts(
                line_number=number,
                code=each.code,
                modifiers=each.modifiers,
                units=each.units,
                diagnosis_pointers=each.diagnosis_pointers,
            )
            for number, each in enumerate(subject.services, start=1)
        ),
        place_of_service=subject.place_of_service,
        setting=SETTING,
    )
    found = [finding_as_dict(finding) for finding in rulebook.findings(facts)]
    return tuple(found if subject.signed else [_UNSIGNED, *found])


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a coding is held, fit for a worklist: no code, no date, no person.

    ``release`` is the code set or table that says so, else the edition of the rule; ``expected`` what is right in
    general (the finding says it for the case at hand); ``line_number`` the first line concerned, from 1.
    """

    rule: str
    rule_version: str
    release: str
    field: str
    expected: str
    line_number: int | None = None

    def __str__(self) -> str:
        return f"{self.rule} version {self.rule_version} ({self.release})"


def reasons_of(findings: Sequence[FindingRecord]) -> tuple[Reason, ...]:
    """The errors among findings as reasons, in their order, equal ones once."""
    return tuple(dict.fromkeys(_reason(finding) for finding in errors(findings)))


def _reason(finding: FindingRecord) -> Reason:
    rule, lines = str(finding["rule"]), finding["lines"]
    assert isinstance(lines, list | tuple), "written by finding_as_dict()"
    known = RULES.get(rule)
    return Reason(
        rule=rule,
        rule_version=str(finding["rule_version"]),
        release=str(finding["release"] or (known.edition if known else AUTO_FINALISE)),
        field=str(finding["field"]),
        expected=known.statement if known else str(finding["expected"]),
        line_number=lines[0] if lines else None,
    )


def errors(findings: Sequence[FindingRecord]) -> list[FindingRecord]:
    """The findings that keep a coding from being finalised."""
    return [finding for finding in findings if finding["severity"] == "error"]


def decide(rule: str, subject: Subject, rulebook: Rulebook) -> Decision:
    """Whether the coding may be finalised under a rule, with everything needed to run the decision again."""
    releases, tables = rulebook.releases_on(subject.date_of_service), rulebook.tables_on(subject.date_of_service)
    decided_on = {"rule": rule, "subject": _stored(subject), "code_set_releases": releases}
    statement = canonical(decided_on | {"edit_tables": tables} if tables else decided_on)
    findings = check(subject, rulebook)
    finalise = not errors(findings)
    return Decision(
        rule=rule,
        input=statement,
        input_hash=hashlib.sha256(statement).hexdigest(),
        releases=releases,
        output=canonical({"finalise": finalise, "findings": findings}),
        finalise=finalise,
        findings=findings,
    )


def redecide(stored_input: bytes, rulebook: Rulebook) -> bytes:
    """Run a stored decision again: the same output bytes, or the decision cannot be reproduced here.

    Raises:
        OtherReleases: a code set or edit table of the decision is not loaded with the same content.
    """
    statement = orjson.loads(stored_input)
    subject = _subject(statement["subject"])
    day, tables = subject.date_of_service, statement.get("edit_tables", {})
    # A decision that names no table was taken without any, whatever has been imported since.
    rulebook = rulebook if tables else Rulebook(rulebook.code_sets)
    decided_with, at_hand = statement["code_set_releases"] | tables, rulebook.releases_on(day) | rulebook.tables_on(day)
    if decided_with != at_hand:
        differing = sorted(name for name in decided_with | at_hand if decided_with.get(name) != at_hand.get(name))
        raise OtherReleases(", ".join(differing))
    return decide(statement["rule"], subject, rulebook).output


def _stored(subject: Subject) -> dict[str, object]:
    """The subject as it is stored; :func:`_subject` reads it back."""
    return {
        "billing_side": subject.billing_side,
        "date_of_service": subject.date_of_service,
        "place_of_service": subject.place_of_service,
        "signed": subject.signed,
        "diagnoses": subject.diagnoses,
        "services": [
            {
                "code": each.code,
                "modifiers": each.modifiers,
                "units": each.units,
                "diagnosis_pointers": each.diagnosis_pointers,
            }
            for each in subject.services
        ],
    }


def _subject(stored: Mapping[str, object]) -> Subject:
    diagnoses, services = stored["diagnoses"], stored["services"]
    assert isinstance(diagnoses, list) and isinstance(services, list), "written by decide()"
    place = stored["place_of_service"]
    return Subject(
        billing_side=str(stored["billing_side"]),
        date_of_service=date.fromisoformat(str(stored["date_of_service"])),
        place_of_service=None if place is None else str(place),
        signed=bool(stored["signed"]),
        diagnoses=tuple(diagnoses),
        services=tuple(service_of(each) for each in services),
    )


def service_of(stored: Mapping[str, object]) -> Service:
    """A service line from its JSON."""
    modifiers, units, pointers = stored["modifiers"], stored["units"], stored["diagnosis_pointers"]
    assert isinstance(modifiers, list | tuple) and isinstance(pointers, list | tuple) and isinstance(units, int)
    return Service(str(stored["code"]), tuple(modifiers), units, tuple(pointers))
