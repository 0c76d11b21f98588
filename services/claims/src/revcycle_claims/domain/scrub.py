"""Scrubbing: a claim's codes through the edit rules of ``revcycle_codes``, the engine the coder's screen uses too.

The rules are arithmetic over memory-mapped tables: ``Scrubber`` is opened once per process, and use cases run it for
whole chunks in a thread. What it said is part of a decision's stored input, so that the decision can be taken again
when newer tables are in force.
"""

from pathlib import Path
from typing import Final

import msgspec
from revcycle_codes import (
    CodeSets,
    EncounterFacts,
    LineFacts,
    PatientFacts,
    Setting,
    check_encounter,
    reasons,
)
from revcycle_codes.edit_tables import EditTables, open_releases
from revcycle_events import PatientDetails, Value

from revcycle_claims.domain.slots import CodingSlot, Visit


class ScrubReason(Value):
    """An edit that blocks the claim, in the clear: no code, no date, no person."""

    rule: str
    rule_version: str
    release: str
    field: str
    expected: str
    line_number: int | None = None


class ScrubFinding(Value):
    """An edit's finding in full, as the explanation of a claim shows it."""

    rule: str
    rule_version: str
    severity: str
    message: str
    expected: str
    lines: tuple[int, ...]
    codes: tuple[str, ...]
    field: str
    release: str | None
    row: str | None
    carc: str | None
    overridable: bool
    override_needs: str | None


class Scrub(Value):
    """What the edits said: ``reasons`` hold the claim, ``findings`` are all of them, ``releases`` the content hash of
    each code set in force on the date of service.
    """

    reasons: tuple[ScrubReason, ...] = ()
    findings: tuple[ScrubFinding, ...] = ()
    releases: dict[str, str] = {}


NOT_SCRUBBED: Final = Scrub()
"""For comparing a claim that has gone out: newer tables do not make it another claim."""


class Scrubber:
    """The edit rules over the code sets and tables of this process. Safe to use from many threads."""

    def __init__(self, code_sets: CodeSets, tables: EditTables) -> None:
        self._code_sets = code_sets
        self._tables = tables

    @classmethod
    def open(cls, cache_dir: Path | None = None, releases_dir: Path | None = None) -> "Scrubber":
        """As :func:`open_releases`."""
        return cls(*open_releases(cache_dir, releases_dir))

    def scrub(self, facts: EncounterFacts) -> Scrub:
        """Every finding on a claim, and which of them hold it."""
        findings = check_encounter(facts, self._code_sets, self._tables)
        return Scrub(
            reasons=tuple(ScrubReason.model_validate(msgspec.to_builtins(one)) for one in reasons(findings)),
            findings=tuple(ScrubFinding.model_validate(msgspec.to_builtins(one)) for one in findings),
            releases=self._code_sets.hashes_on(facts.date_of_service),
        )


def scrub_facts(visit: Visit, coding: CodingSlot, details: PatientDetails | None) -> EncounterFacts:
    """What the edit rules look at of a claim to be."""
    professional = coding.billing_side == "professional"
    return EncounterFacts(
        date_of_service=visit.date_of_service,
        diagnoses=coding.diagnoses,
        lines=tuple(
            LineFacts(
                line_number=service.line_number,
                code=service.code,
                modifiers=tuple(service.modifiers),
                units=service.units,
                diagnosis_pointers=tuple(service.diagnosis_pointers),
            )
            for service in coding.services
        ),
        place_of_service=visit.place_of_service,
        patient=PatientFacts(birth_date=details.birth_date, sex=details.sex) if details else PatientFacts(),
        setting=Setting.PRACTITIONER if professional else Setting.OUTPATIENT_HOSPITAL,
        rendering_provider_npi=visit.rendering_provider.npi,
        group_npi=visit.facility_npi,
        specialty=visit.rendering_provider.taxonomy,
    )
