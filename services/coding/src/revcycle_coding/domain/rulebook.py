"""What codes are judged by: the code sets and, where they were imported, the edit tables. Opened once per process."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from revcycle_codes import CodeSets, EncounterFacts, Finding, Setting, check_encounter
from revcycle_codes.edit_tables import EditTables, open_releases

SETTING: Final = Setting.PRACTITIONER
"""Codings are of the professional side; NCCI's tables differ by setting."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Code sets and edit tables (NCCI pairs, unlikely units, …). Without its table a rule is silent."""

    code_sets: CodeSets
    tables: EditTables = field(default_factory=EditTables)

    @classmethod
    def open(cls, cache_dir: Path | None = None, releases_dir: Path | None = None) -> "Rulebook":
        """As :func:`open_releases`."""
        return cls(*open_releases(cache_dir, releases_dir))

    def releases_on(self, date_of_service: date) -> dict[str, str]:
        """The content hash of each code set in force on a date; a system without a release is left out."""
        return self.code_sets.hashes_on(date_of_service)

    def tables_on(self, date_of_service: date) -> dict[str, str]:
        """``release/content hash`` of each edit table in force on a date: findings name the release."""
        return self.tables.versions_on(date_of_service, SETTING)

    def findings(self, facts: EncounterFacts) -> list[Finding]:
        """What every rule finds."""
        return check_encounter(facts, self.code_sets, self.tables)
