"""What a rule may look at: the facts and everything resolved from them, once per check."""

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import TypeVar

from revcycle_codes.edit_tables import EditTables, FeeTable
from revcycle_codes.facts import EncounterFacts, LineFacts
from revcycle_codes.instructions import Instructions
from revcycle_codes.loaders.mpfs import FeeRow
from revcycle_codes.model import CodeState, CodeSystem, Resolution, normalise, procedure_system
from revcycle_codes.store import CodeSets
from revcycle_codes.switches import Switches, VisitCode

T = TypeVar("T")


class Context:
    """One encounter or claim with its codes resolved. Rules read it and change nothing."""

    def __init__(self, facts: EncounterFacts, code_sets: CodeSets, tables: EditTables, switches: Switches) -> None:
        self.facts = facts
        self.code_sets = code_sets
        self.tables = tables
        self.switches = switches

    @cached_property
    def diagnoses(self) -> tuple[Resolution, ...]:
        """Every diagnosis as it stood on its date, in order."""
        day = self.facts.diagnosis_date
        resolve = self.code_sets.resolve
        return tuple(resolve(CodeSystem.ICD10CM, code, day) for code in self.facts.diagnoses)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Diagnoses in key form (no dot), in order."""
        return tuple(normalise(CodeSystem.ICD10CM, code) for code in self.facts.diagnoses)

    @cached_property
    def instructions(self) -> Instructions | None:
        """The tabular instructions for the diagnosis date."""
        return self.code_sets.instructions_on(self.facts.diagnosis_date)

    def line_day(self, line: LineFacts) -> date:
        """A line's own date of service, else the encounter's."""
        return line.date_of_service or self.facts.date_of_service

    @cached_property
    def procedures(self) -> tuple[Resolution, ...]:
        """Every line's procedure code as it stood on the line's date, in order."""
        resolve = self.code_sets.resolve
        return tuple(resolve(procedure_system(line.code), line.code, self.line_day(line)) for line in self.facts.lines)

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Procedure codes in key form, in line order."""
        return tuple(answer.code for answer in self.procedures)

    def lines(self) -> Iterator[tuple[int, LineFacts, Resolution]]:
        """Index from 0, line and resolved procedure code."""
        return ((index, line, self.procedures[index]) for index, line in enumerate(self.facts.lines))

    @cached_property
    def known_diagnoses(self) -> tuple[tuple[int, str], ...]:
        """Index and key of the diagnoses that are codes at all; wrong ones are reported by DX-01 alone."""
        known = (CodeState.ACTIVE, CodeState.UNKNOWN_RELEASE)
        return tuple((i, key) for i, key in enumerate(self.keys) if self.diagnoses[i].state in known)

    def table(self, kind: type[T]) -> T | None:
        """The edit table of a kind in force on the date of service, for the setting."""
        return self.tables.on(kind, self.facts.date_of_service, self.facts.setting)

    def fee(self, line: LineFacts) -> FeeRow | None:
        """The fee-schedule row of a line's code, whatever its modifiers."""
        fees = self.table(FeeTable)
        return fees.row(line.code) if fees else None

    def visit(self, line: LineFacts) -> VisitCode | None:
        """The line as an evaluation visit, when the installation lists its code as one."""
        return self.switches.visits.get(line.code)

    @cached_property
    def sessions(self) -> list[list[int]]:
        """Indexes of the lines of one provider on one day, the reach of NCCI edits, in line order."""
        groups: dict[tuple[date, str | None], list[int]] = {}
        for index, line in enumerate(self.facts.lines):
            groups.setdefault((self.line_day(line), self.provider(line)), []).append(index)
        return list(groups.values())

    def provider(self, line: LineFacts) -> str | None:
        """Who rendered a line."""
        return line.rendering_provider_npi or self.facts.rendering_provider_npi
