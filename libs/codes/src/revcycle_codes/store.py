"""The time machine: which state had a code on a day, according to which release."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from revcycle_codes.artefact import Artefact, default_cache_dir
from revcycle_codes.instructions import Instructions
from revcycle_codes.model import (
    CodesError,
    CodeSetRelease,
    CodeState,
    CodeSystem,
    Resolution,
    day_before,
    display,
    normalise,
    procedure_system,
)
from revcycle_codes.seed import BOUNDARIES, open_bundled
from revcycle_codes.seed.boundaries import Boundary
from revcycle_codes.table import CodeRow, CodeTable

_CACHED_ANSWERS = 65_536
_SUCCESSOR_LIMIT = 20


_OF_CLAIMS: Final = (CodeSystem.ICD10CM, CodeSystem.HCPCS_II, CodeSystem.MODIFIER, CodeSystem.PLACE_OF_SERVICE)


class CodeSets:
    """All loaded releases. Releases are only ever added; a store is immutable and safe to read from many threads."""

    def __init__(self, tables: Iterable[CodeTable], boundaries: Iterable[Boundary] = ()) -> None:
        """Raises CodesError when two releases of a system are in force on one day."""
        self._tables: dict[CodeSystem, list[CodeTable]] = {}
        for table in tables:
            self._tables.setdefault(table.release.system, []).append(table)
        for system, listed in self._tables.items():
            listed.sort(key=lambda table: table.release.valid_from)
            for earlier, later in pairwise(listed):
                end = earlier.release.valid_to
                if end is None or end > later.release.valid_from:
                    raise CodesError(
                        f"{system}: releases {earlier.release.release} and {later.release.release} are in force on the"
                        f" same day; end the earlier one on {later.release.valid_from} or before"
                    )
        self._boundaries = {(row.system, row.code): row for row in boundaries}
        self._answer = lru_cache(maxsize=_CACHED_ANSWERS)(self._resolve)
        self._instructions: dict[str, Instructions] = {}
        hashes = "\n".join(f"{one.system}/{one.release}/{one.content_hash}" for one in self.releases())
        self._fingerprint = hashlib.sha256(hashes.encode()).hexdigest()

    @classmethod
    def open(cls, cache_dir: Path | None = None, *, release_dirs: Sequence[Path] = ()) -> "CodeSets":
        """The bundled releases plus every compiled release (`*.rvc`) in `release_dirs`.

        The first call on a machine compiles the bundled ones into `cache_dir` (a few seconds, safe for many processes
        at once); afterwards opening takes milliseconds. An imported release replaces a bundled one of the same system
        when their intervals overlap: the operator's file is the better source.
        """
        imported = [table for folder in release_dirs for table in open_release_dir(folder)]
        bundled = [
            table
            for table in open_bundled(cache_dir or default_cache_dir())
            if not any(_overlap(table.release, other.release) for other in imported)
        ]
        return cls([*bundled, *imported], BOUNDARIES)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every loaded release: what a stored decision names."""
        return self._fingerprint

    def releases(self, system: CodeSystem | None = None) -> tuple[CodeSetRelease, ...]:
        """Loaded releases, by system and then oldest first."""
        wanted = sorted(self._tables) if system is None else [system]
        return tuple(table.release for one in wanted for table in self._tables.get(one, ()))

    def table_on(self, system: CodeSystem, day: date) -> CodeTable | None:
        """The code list in force on `day`, or None."""
        return next((table for table in self._tables.get(system, ()) if table.release.in_force(day)), None)

    def release_on(self, system: CodeSystem, date_of_service: date) -> CodeSetRelease | None:
        """The release in force on a day, or None when none is loaded for it."""
        table = self.table_on(system, date_of_service)
        return table.release if table else None

    def hashes_on(self, date_of_service: date) -> dict[str, str]:
        """The content hash of each set a claim is coded with, in force on a day; one without a release is left out."""
        found = {system: self.release_on(system, date_of_service) for system in _OF_CLAIMS}
        return {system.value: release.content_hash for system, release in found.items() if release is not None}

    def table(self, system: CodeSystem, release: str) -> CodeTable:
        """A release by name; raises CodesError naming what is loaded."""
        for table in self._tables.get(system, ()):
            if table.release.release == release:
                return table
        loaded = ", ".join(one.release for one in self.releases(system)) or "none"
        raise CodesError(f"{system} release {release!r} is not loaded; loaded: {loaded}")

    def instructions_on(self, day: date) -> Instructions | None:
        """The ICD-10-CM tabular instructions for a day: those in force, else the newest loaded before or after it.

        Exclusion and sequence notes change little between releases, and a note that is a year off is more use than
        none; findings name the release they rest on.
        """
        tables = [table for table in self._tables.get(CodeSystem.ICD10CM, ()) if table.spec.notes]
        if not tables:
            return None
        table = next((one for one in tables if one.release.in_force(day)), tables[-1])
        if table.release.content_hash not in self._instructions:
            self._instructions[table.release.content_hash] = Instructions.of(table)
        return self._instructions[table.release.content_hash]

    def procedure_system(self, code: str) -> CodeSystem:
        """HCPCS Level II or CPT, decided by the code's shape."""
        return procedure_system(code)

    def codes(self, system: CodeSystem, date_of_service: date) -> Iterator[Resolution]:
        """Every code active on a day, in code order; nothing when no release is loaded for the day."""
        table = self.table_on(system, date_of_service)
        seen = ""
        for row in table or ():
            if row.code != seen:
                seen = row.code
                answer = self._resolve(system, row.code, date_of_service)
                if answer.state is CodeState.ACTIVE:
                    yield answer

    def resolve(self, system: CodeSystem, code: str, date_of_service: date) -> Resolution:
        """The state of `code` on a day. Answers for any text; raises nothing."""
        return self._answer(system, normalise(system, code), date_of_service)

    def _resolve(self, system: CodeSystem, key: str, day: date) -> Resolution:
        tables = self._tables.get(system, [])
        if not tables or day < tables[0].release.valid_from:
            return _answer(system, key, day, CodeState.UNKNOWN_RELEASE)
        current = next((table for table in tables if table.release.in_force(day)), None)
        if current is not None:
            return self._in_release(current, key, day)
        later = next((table for table in tables if table.release.valid_from > day), None)
        if later is None:
            return _answer(system, key, day, CodeState.UNKNOWN_RELEASE)
        earlier = tables[tables.index(later) - 1]
        return self._between(earlier, later, key, day)

    def _in_release(self, table: CodeTable, key: str, day: date) -> Resolution:
        rows = table.rows(key)
        if _billable(rows):
            return self._by_interval(table, rows, key, day)
        tables = self._tables[table.release.system]
        here = tables.index(table)
        for older in reversed(tables[:here]):
            found = older.rows(key)
            if _billable(found):  # gone, or a heading now because it was split
                return self._gone(older, table, found[-1], day)
        if rows:
            return self._by_interval(table, rows, key, day)
        for newer in tables[here + 1 :]:
            if found := newer.rows(key):
                since = self._change_date(tables[tables.index(newer) - 1], newer, key)
                return _answer(table.release.system, key, day, CodeState.NOT_YET, newer, found[0], since=since)
        return _answer(table.release.system, key, day, CodeState.UNKNOWN_CODE, table)

    def _by_interval(self, table: CodeTable, rows: list[CodeRow], key: str, day: date) -> Resolution:
        """Rows with their own intervals (HCPCS): a code may lapse and return, so each interval is looked at."""
        system = table.release.system
        for row in rows:
            starts, ends = row.valid_from, row.valid_to
            if starts is not None and day < starts:
                return _answer(system, key, day, CodeState.NOT_YET, table, row, since=starts)
            if ends is None or day < ends:
                boundary = self._boundaries.get((system, key))
                since = starts or (boundary.first_day if boundary and boundary.added else None)
                return _answer(system, key, day, CodeState.ACTIVE, table, row, since=since)
        last = rows[-1]
        boundary = self._boundaries.get((system, key))
        successors = boundary.successors if boundary else ()
        return _answer(system, key, day, CodeState.DELETED, table, last, since=last.valid_to, successors=successors)

    def _gone(self, older: CodeTable, newer: CodeTable, row: CodeRow, day: date) -> Resolution:
        since = self._change_date(older, newer, row.code)
        successors = self._successors(row.code, newer)
        return _answer(
            older.release.system, row.code, day, CodeState.DELETED, newer, row, since=since, successors=successors
        )

    def _successors(self, key: str, table: CodeTable) -> tuple[str, ...]:
        """A boundary row's answer, else the codes that a deleted code was split into: billable ones below it."""
        boundary = self._boundaries.get((table.release.system, key))
        if boundary and boundary.successors:
            return boundary.successors
        below = [row.code for row in table.under(key) if row.billable and row.code != key]
        return tuple(display(table.release.system, code) for code in below[:_SUCCESSOR_LIMIT])

    def _change_date(self, older: CodeTable, newer: CodeTable, key: str) -> date | None:
        """The first day of a change between two releases: known for neighbours or from a boundary row, else None."""
        boundary = self._boundaries.get((older.release.system, key))
        if boundary:
            return boundary.first_day
        return newer.release.valid_from if older.release.valid_to == newer.release.valid_from else None

    def _between(self, older: CodeTable, newer: CodeTable, key: str, day: date) -> Resolution:
        """A day for which no release is loaded, between two that are: what both say holds; a change needs a date."""
        system = older.release.system
        before, after = older.rows(key), newer.rows(key)
        was, becomes = _billable(before), _billable(after)
        if was == becomes:
            if not before and not after:
                return _answer(system, key, day, CodeState.UNKNOWN_CODE, newer, assumed=True)
            row, table = (after[0], newer) if after else (before[-1], older)
            return _answer(system, key, day, CodeState.ACTIVE, table, row, assumed=True)
        since = self._change_date(older, newer, key)
        if since is None:
            return _answer(system, key, day, CodeState.UNKNOWN_RELEASE, None, after[0] if becomes else before[-1])
        if was:
            if day >= since:
                return self._gone(older, newer, before[-1], day)
            return _answer(system, key, day, CodeState.ACTIVE, older, before[-1], assumed=True)
        state = CodeState.ACTIVE if day >= since else CodeState.NOT_YET
        return _answer(system, key, day, state, newer, after[0], since=since, assumed=True)


def _billable(rows: Iterable[CodeRow]) -> bool:
    return any(row.billable for row in rows)


def _answer(
    system: CodeSystem,
    key: str,
    day: date,
    state: CodeState,
    table: CodeTable | None = None,
    row: CodeRow | None = None,
    *,
    since: date | None = None,
    successors: tuple[str, ...] = (),
    assumed: bool = False,
) -> Resolution:
    release = table.release if table else None
    ends = since if state is CodeState.DELETED else row.valid_to if row else None
    return Resolution(
        system=system,
        code=display(system, key),
        date_of_service=day,
        state=state,
        billable=row.billable if row and state is not CodeState.DELETED else False,
        since=since,
        last_day=day_before(ends),
        successors=successors,
        release=release.release if release else None,
        release_hash=release.content_hash if release else None,
        description=row.description or None if row else None,
        assumed=assumed,
        complete_release=release.complete if release else True,
    )


def _overlap(one: CodeSetRelease, other: CodeSetRelease) -> bool:
    return (
        one.system is other.system
        and (one.valid_to is None or other.valid_from < one.valid_to)
        and (other.valid_to is None or one.valid_from < other.valid_to)
    )


def open_release_dir(folder: Path) -> list[CodeTable]:
    """Every compiled code list in a folder, in name order. Raises CodesError for a file that is none."""
    return [CodeTable(Artefact(path)) for path in sorted(folder.glob("*.rvc"))]
