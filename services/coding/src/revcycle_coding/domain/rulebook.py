"""What codes are judged by: the code sets and, where they were imported, the edit tables. Opened once per process."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from revcycle_codes import CodeSets, CodeSystem, EncounterFacts, Finding, Setting, check_encounter
from revcycle_codes.edit_tables import EditTables

_SYSTEMS: Final = (CodeSystem.ICD10CM, CodeSystem.HCPCS_II, CodeSystem.MODIFIER, CodeSystem.PLACE_OF_SERVICE)
SETTING: Final = Setting.PRACTITIONER
"""Codings are of the professional side; NCCI's tables differ by setting."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Code sets and edit tables (NCCI pairs, unlikely units, …). Without its table a rule is silent."""

    code_sets: CodeSets
    tables: EditTables = field(default_factory=EditTables)

    @classmethod
    def open(cls, cache_dir: Path | None = None, releases_dir: Path | None = None) -> "Rulebook":
        """Map the bundled code sets (compiled into ``cache_dir`` when it lacks them) and what was imported.

        Raises:
            CodesError: a file of ``releases_dir`` is no compiled release, or two releases claim one day.
        """
        imported = [releases_dir] if releases_dir else []
        tables = EditTables.open(releases_dir) if releases_dir else EditTables()
        return cls(CodeSets.open(cache_dir, release_dirs=imported), tables)

    def releases_on(self, date_of_service: date) -> dict[str, str]:
        """The content hash of each code set in force on a date; a system without a release is left out."""
        found = {system: self.code_sets.release_on(system, date_of_service) for system in _SYSTEMS}
        return {system.value: release.content_hash for system, release in found.items() if release is not None}

    def tables_on(self, date_of_service: date) -> dict[str, str]:
        """``release/content hash`` of each edit table in force on a date: findings name the release."""
        return self.tables.versions_on(date_of_service, SETTING)

    def findings(self, facts: EncounterFacts) -> list[Finding]:
        """What every rule finds."""
        return check_encounter(facts, self.code_sets, self.tables)
