"""The tables behind the edits, compiled and memory-mapped: NCCI pairs, unlikely units, add-ons, fee schedule, lists."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from functools import cached_property
from itertools import accumulate, combinations
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from revcycle_codes.artefact import Artefact, encode_artefact
from revcycle_codes.facts import Setting
from revcycle_codes.loaders.coverage import Article
from revcycle_codes.loaders.lists import EditorRow
from revcycle_codes.loaders.mpfs import FeeRow
from revcycle_codes.loaders.ncci import AddOnRow, MueRow, PtpColumns
from revcycle_codes.model import CodesError
from revcycle_codes.store import CodeSets
from revcycle_codes.table import days

SUFFIX = ".rvt"
T = TypeVar("T")
CONTRACTOR_DEFINED = "CCCCC"


class TableKind(StrEnum):
    """Kinds of edit tables. PTP and MUE differ by setting."""

    PTP = "ncci-ptp"
    MUE = "ncci-mue"
    ADD_ON = "ncci-add-on"
    FEES = "mpfs"
    CODE_EDITOR = "mce"
    POA_EXEMPT = "poa-exempt"
    COVERAGE = "coverage"
    INDEX = "icd10cm-index"
    LOCALITIES = "gpci"
    REASONS = "reason-codes"
    CLASSIFICATION = "rbcs"
    TAXONOMY = "taxonomy"


class TableSpec(Struct, frozen=True, kw_only=True):
    """What an edit table says about itself. In force on `valid_from <= day < valid_to`."""

    kind: TableKind
    release: str
    valid_from: date
    valid_to: date | None
    source: str
    setting: Setting | None = None

    def in_force(self, day: date) -> bool:
        """Whether `day` lies in the table's half-open interval."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class PtpEdit(Struct, frozen=True):
    """A pair in force: column 2 is denied. Indicator 0: no modifier helps; 1: an NCCI modifier may."""

    column1: str
    column2: str
    indicator: int
    rationale: str


def compile_ptp(spec: TableSpec, columns: PtpColumns) -> bytes:
    """The artefact of a PTP table: rows grouped by column 1, sorted by column 2 within."""
    codes = sorted({*columns.column1, *columns.column2})
    place = {code: number for number, code in enumerate(codes)}
    first = array("H", map(place.__getitem__, columns.column1))
    second = array("H", map(place.__getitem__, columns.column2))
    starts, ends = columns.starts, columns.ends
    marks = array("B", map(_mark, columns.indicators, columns.rationales))
    keys = list(map(_pair_key, first, second))
    if keys != sorted(keys):
        order = sorted(range(len(keys)), key=keys.__getitem__)
        second, starts, ends, marks = (
            array(column.typecode, map(column.__getitem__, order)) for column in (second, starts, ends, marks)
        )
    counts = Counter(first)
    starts_at = array("I", accumulate((counts[number] for number in range(len(codes))), initial=0))
    sections = {
        "codes": msgspec.msgpack.encode(codes),
        "rationales": msgspec.msgpack.encode(columns.rationale_texts),
        "starts_at": starts_at.tobytes(),
        "second": second.tobytes(),
        "from": starts.tobytes(),
        "to": ends.tobytes(),
        "marks": marks.tobytes(),
    }
    return encode_artefact(spec, sections)


def _mark(indicator: int, rationale: int) -> int:
    return indicator | rationale << 1


def _pair_key(one: int, other: int) -> int:
    return one << 16 | other


class LoadedTable:
    """What every table says of itself. ``content_hash``: of the artefact; empty for one that was made in memory."""

    spec: TableSpec
    content_hash = ""


class PtpTable(LoadedTable):
    """Procedure-to-procedure pairs, read in place."""

    def __init__(self, artefact: Artefact, spec: TableSpec) -> None:
        self.spec = spec
        codes = artefact.decode("codes", list[str])
        self._codes = codes
        self._place = {code: number for number, code in enumerate(codes)}
        self._rationales = artefact.decode("rationales", list[str])
        self._starts_at = artefact.numbers("starts_at", "I")
        self._second = artefact.numbers("second", "H")
        self._from = artefact.numbers("from", "H")
        self._to = artefact.numbers("to", "H")
        self._marks = artefact.numbers("marks", "B")

    def __len__(self) -> int:
        return len(self._second)

    @property
    def codes(self) -> list[str]:
        """Every code of the table, sorted."""
        return list(self._codes)

    def edit(self, column1: str, column2: str, day: date) -> PtpEdit | None:
        """The pair in force on `day`, in this direction only, or None. A pair may lapse and return."""
        one, other = self._place.get(column1), self._place.get(column2)
        if one is None or other is None:
            return None
        return self._edit(one, other, days(day, 0))

    def edits_among(self, codes: Sequence[str], day: date) -> list[tuple[int, int, PtpEdit]]:
        """Every pair in force among codes, with the places of column 1 and column 2 in `codes`."""
        places = [(at, place) for at, code in enumerate(codes) if (place := self._place.get(code)) is not None]
        number = days(day, 0)
        found = []
        for (first, one), (second, other) in combinations(places, 2):
            if one != other:
                if edit := self._edit(one, other, number):
                    found.append((first, second, edit))
                if edit := self._edit(other, one, number):
                    found.append((second, first, edit))
        return found

    def _edit(self, one: int, other: int, number: int) -> PtpEdit | None:
        end = self._starts_at[one + 1]
        at = bisect_left(self._second, other, self._starts_at[one], end)
        if at == end or self._second[at] != other:
            return None
        while at < end and self._second[at] == other:
            if self._from[at] <= number < self._to[at]:
                mark = self._marks[at]
                rationale = mark >> 1
                text = self._rationales[rationale] if rationale < len(self._rationales) else str(rationale)
                return PtpEdit(self._codes[one], self._codes[other], mark & 1, text)
            at += 1
        return None


class FeeTable(LoadedTable):
    """Fee-schedule indicators by code and modifier."""

    def __init__(self, spec: TableSpec, rows: Sequence[FeeRow]) -> None:
        self.spec = spec
        self._rows = {(row.code, row.modifier): row for row in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, code: str, modifier: str = "") -> FeeRow | None:
        """The row of a code, for a modifier (26, TC, 53) or without."""
        return self._rows.get((code, modifier))


class MueTable(LoadedTable):
    """Medically unlikely edits. A code that is absent has no published limit, which is no permission."""

    def __init__(self, spec: TableSpec, rows: Sequence[MueRow]) -> None:
        self.spec = spec
        self._rows = {row.code: row for row in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def limit(self, code: str) -> MueRow | None:
        """The published limit of a code, or None."""
        return self._rows.get(code)


class AddOnTable(LoadedTable):
    """Add-on codes with the primaries that make them payable."""

    def __init__(self, spec: TableSpec, rows: Sequence[AddOnRow]) -> None:
        self.spec = spec
        self._rows: dict[str, list[AddOnRow]] = {}
        for row in rows:
            self._rows.setdefault(row.add_on, []).append(row)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def primaries(self, code: str, day: date) -> list[AddOnRow]:
        """The rows of an add-on code in force on `day`; empty when it is no add-on code."""
        return [
            row
            for row in self._rows.get(code, ())
            if (row.valid_from is None or row.valid_from <= day) and (row.last_day is None or day <= row.last_day)
        ]


class EditorTable(LoadedTable):
    """Code-editor lists as sets of diagnosis and procedure codes, by edit name."""

    def __init__(self, spec: TableSpec, rows: Sequence[EditorRow]) -> None:
        self.spec = spec
        self._lists: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            self._lists.setdefault((row.edit, row.kind), set()).add(row.code)

    def __len__(self) -> int:
        return sum(len(codes) for codes in self._lists.values())

    def has(self, edit: str, code: str, kind: str = "D") -> bool:
        """Whether a code (key form) is on a list."""
        return code in self._lists.get((edit, kind), ())


class PoaExemptTable(LoadedTable):
    """Diagnoses exempt from present-on-admission reporting (key form)."""

    def __init__(self, spec: TableSpec, rows: Sequence[str]) -> None:
        self.spec = spec
        self._codes = frozenset(rows)

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, code: str) -> bool:
        return code in self._codes


class CoverageTable(LoadedTable):
    """Coverage articles by procedure code."""

    def __init__(self, spec: TableSpec, rows: Sequence[Article]) -> None:
        self.spec = spec
        self._by_code: dict[str, list[Article]] = {}
        for article in rows:
            for code in article.procedures:
                self._by_code.setdefault(code, []).append(article)

    def __len__(self) -> int:
        return sum(len(articles) for articles in self._by_code.values())

    def articles(self, code: str, contractor: str | None) -> list[Article]:
        """The articles that govern a procedure for a contractor; without contractors listed, for all."""
        return [
            article
            for article in self._by_code.get(code, ())
            if not article.contractors or (contractor is not None and contractor in article.contractors)
        ]


class ReferenceTable(LoadedTable):
    """Rows that no edit looks up by key: indexes, localities, reason codes. Decoded when they are asked for."""

    def __init__(self, artefact: Artefact, spec: TableSpec) -> None:
        self.spec = spec
        self._artefact = artefact

    def rows(self, kind: type[T]) -> list[T]:
        """Every row, as `kind`."""
        return self._artefact.decode("rows", list[kind])  # type: ignore[valid-type]  # the caller names the row's type


Table = PtpTable | MueTable | AddOnTable | FeeTable | EditorTable | PoaExemptTable | CoverageTable | ReferenceTable


def compile_rows(spec: TableSpec, rows: object) -> bytes:
    """The artefact of any table but PTP: its rows as one section."""
    return encode_artefact(spec, {"rows": msgspec.msgpack.encode(rows)})


def open_table(path: Path) -> Table:
    """Open a compiled edit table. Raises CodesError for another kind of file."""
    artefact = Artefact(path)
    table = _read(artefact, artefact.meta(TableSpec))
    table.content_hash = artefact.content_hash
    return table


def _read(artefact: Artefact, spec: TableSpec) -> Table:
    match spec.kind:
        case TableKind.PTP:
            return PtpTable(artefact, spec)
        case TableKind.MUE:
            return MueTable(spec, artefact.decode("rows", list[MueRow]))
        case TableKind.ADD_ON:
            return AddOnTable(spec, artefact.decode("rows", list[AddOnRow]))
        case TableKind.FEES:
            return FeeTable(spec, artefact.decode("rows", list[FeeRow]))
        case TableKind.CODE_EDITOR:
            return EditorTable(spec, artefact.decode("rows", list[EditorRow]))
        case TableKind.POA_EXEMPT:
            return PoaExemptTable(spec, artefact.decode("rows", list[str]))
        case TableKind.COVERAGE:
            return CoverageTable(spec, artefact.decode("rows", list[Article]))
        case TableKind.INDEX | TableKind.LOCALITIES | TableKind.REASONS | TableKind.CLASSIFICATION | TableKind.TAXONOMY:
            return ReferenceTable(artefact, spec)


class EditTables:
    """Every loaded edit table, found by kind, setting and day. Tables are opened when first asked for."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self._tables = list(tables)

    @classmethod
    def open(cls, folder: Path) -> "EditTables":
        """All compiled edit tables (`*.rvt`) of a folder, in name order."""
        return cls(open_table(path) for path in sorted(folder.glob(f"*{SUFFIX}")))

    @cached_property
    def specs(self) -> tuple[TableSpec, ...]:
        """What is loaded."""
        return tuple(table.spec for table in self._tables)

    def on(self, kind: type[T], day: date, setting: Setting | None = None) -> T | None:
        """The table of a kind in force on a day (for PTP and MUE: of a setting), or None."""
        for table in self._tables:
            spec = table.spec
            if isinstance(table, kind) and spec.in_force(day) and spec.setting in (None, setting):
                return table
        return None

    def versions_on(self, day: date, setting: Setting) -> dict[str, str]:
        """``release/content hash`` by kind of every table that rules look at on a day: what a stored decision names."""
        found: dict[str, str] = {}
        for table in self._tables:
            spec = table.spec
            if not isinstance(table, ReferenceTable) and spec.in_force(day) and spec.setting in (None, setting):
                found.setdefault(spec.kind.value, f"{spec.release}/{table.content_hash}")
        return found

    def references(self, kind: TableKind) -> list[ReferenceTable]:
        """The reference tables of a kind, oldest first."""
        found = [table for table in self._tables if isinstance(table, ReferenceTable) and table.spec.kind is kind]
        return sorted(found, key=lambda table: table.spec.valid_from)

    def unchecked(self, day: date) -> list[TableSpec]:
        """Loaded kinds that no release covers on `day`, the newest of each: silence of their rules is no consent."""
        covered = {(spec.kind, spec.setting) for spec in self.specs if spec.in_force(day)}
        newest: dict[tuple[TableKind, Setting | None], TableSpec] = {}
        for spec in sorted(self.specs, key=lambda one: one.valid_from):
            if (spec.kind, spec.setting) not in covered:
                newest[(spec.kind, spec.setting)] = spec
        return list(newest.values())


def require_setting(kind: TableKind, setting: Setting | None) -> None:
    """PTP and MUE need a setting. Raises CodesError."""
    if kind in (TableKind.PTP, TableKind.MUE) and setting is None:
        choices = ", ".join(one.value for one in Setting)
        raise CodesError(f"{kind}: a setting is needed ({choices}): the tables differ by setting")


def open_releases(cache_dir: Path | None = None, releases_dir: Path | None = None) -> tuple[CodeSets, EditTables]:
    """Map the bundled code sets (compiled into ``cache_dir`` when it lacks them) and what was imported.

    Raises:
        CodesError: a file of ``releases_dir`` is no compiled release, or two releases claim one day.
    """
    imported = [releases_dir] if releases_dir else []
    tables = EditTables.open(releases_dir) if releases_dir else EditTables()
    return CodeSets.open(cache_dir, release_dirs=imported), tables
