"""Dated changes between releases that are not neighbours, each with its source.

Two loaded releases tell that a code changed, not when. A row here gives the first day of the change.
"""

from datetime import date

from msgspec import Struct

from revcycle_codes.model import CodeSystem


class Boundary(Struct, frozen=True, kw_only=True):
    """A dated change: a code added (`added`) or deleted on `first_day`. `code` is in key form."""

    system: CodeSystem
    code: str
    first_day: date
    added: bool
    source: str
    successors: tuple[str, ...] = ()


_FY2026 = date(2025, 10, 1)
_ADDENDA_2026 = "ICD-10-CM FY2026 addenda: changes in force from 2025-10-01"
_HCPCS_2024_Q2 = "HCPCS Level II quarterly update of April 2024"
_MULTIPLE_SCLEROSIS = ("G35A", "G35B0", "G35B1", "G35B2", "G35C0", "G35C1", "G35C2", "G35D")

BOUNDARIES: tuple[Boundary, ...] = (
    Boundary(
        system=CodeSystem.ICD10CM,
        code="G35",
        first_day=_FY2026,
        added=False,
        source=_ADDENDA_2026,
        successors=tuple(f"{code[:3]}.{code[3:]}" for code in _MULTIPLE_SCLEROSIS),
    ),
    *(
        Boundary(system=CodeSystem.ICD10CM, code=code, first_day=_FY2026, added=True, source=_ADDENDA_2026)
        for code in _MULTIPLE_SCLEROSIS
    ),
    *(
        Boundary(
            system=CodeSystem.HCPCS_II,
            code=code,
            first_day=date(2024, 4, 1),
            added=False,
            source=_HCPCS_2024_Q2,
            successors=("J1010",),
        )
        for code in ("J1020", "J1030", "J1040")
    ),
)
