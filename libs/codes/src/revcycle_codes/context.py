"""What a rule may look at: the facts and everything resolved from them, once per check."""

from collections.abc import Iterator
from datetime import date
from functools import cached_property

from revcycle_codes.facts import EncounterFacts, LineFacts
from revcycle_codes.instructions import Instructions
from revcycle_codes.model import CodeState, CodeSystem, Resolution, normalise, procedure_system
from revcycle_codes.store import CodeSets


class Context:
    """One encounter or claim with its codes resolved. Rules read it and change nothing."""

    def __init__(self, facts: EncounterFacts, code_sets: CodeSets) -> None:
        self.facts = facts
        self.code_sets = code_sets

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
