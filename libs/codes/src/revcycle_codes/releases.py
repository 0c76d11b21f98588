"""Between releases: what changed, what the change touches, and whether the newest release is too old."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from msgspec import Struct

from revcycle_codes.model import CodesError, CodeSetRelease, CodeSystem, display
from revcycle_codes.table import CodeRow, CodeTable


class ReleaseDiff(Struct, frozen=True, kw_only=True):
    """Billable codes that differ between two releases, in display form and code order.

    `split` maps a deleted code to the new billable codes below it. `days_between` above 0 says that the releases are
    not neighbours: the change happened on some day between them.
    """

    system: CodeSystem
    older: str
    newer: str
    added: tuple[str, ...]
    deleted: tuple[str, ...]
    revised: tuple[tuple[str, str, str], ...]
    split: Mapping[str, tuple[str, ...]]
    days_between: int


def diff(older: CodeTable, newer: CodeTable) -> ReleaseDiff:
    """What `newer` adds, deletes, rewords and splits. Raises CodesError for releases of two systems."""
    system = older.release.system
    if newer.release.system is not system:
        raise CodesError(f"releases of {system} and {newer.release.system} cannot be compared")
    before, after = _billable(older), _billable(newer)
    added, deleted = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    split = {key: tuple(display(system, code) for code in added if code.startswith(key)) for key in deleted}
    end = older.release.valid_to
    return ReleaseDiff(
        system=system,
        older=older.release.release,
        newer=newer.release.release,
        added=tuple(display(system, key) for key in added),
        deleted=tuple(display(system, key) for key in deleted),
        revised=tuple(
            (display(system, key), before[key].description, after[key].description)
            for key in sorted(before.keys() & after.keys())
            if _words(before[key].description) != _words(after[key].description)
        ),
        split={display(system, key): codes for key, codes in split.items() if codes},
        days_between=max(0, (newer.release.valid_from - end).days) if end else 0,
    )


def _words(description: str) -> str:
    """A description as far as its wording counts; files shorten, space and capitalise the same words differently."""
    return " ".join(description.lower().replace(",", " ").split())


def _billable(table: CodeTable) -> dict[str, CodeRow]:
    """Billable rows in force at the end of the release."""
    last = (table.release.valid_to or date.max) - timedelta(days=1)
    return {row.code: row for row in table if row.billable and (row.valid_to is None or row.valid_to > last)}


class Impact(Struct, frozen=True, kw_only=True):
    """Codes in use that a change touches, with how often each is used and what may replace it."""

    code: str
    uses: int
    change: str
    successors: tuple[str, ...] = ()


def impact(change: ReleaseDiff, in_use: Mapping[str, int]) -> list[Impact]:
    """Deleted, split and revised codes among those in use (display form to count), most used first."""
    deleted, revised = set(change.deleted), {code for code, _, _ in change.revised}
    touched = [
        Impact(
            code=code,
            uses=uses,
            change="split" if code in change.split else "deleted" if code in deleted else "revised",
            successors=change.split.get(code, ()),
        )
        for code, uses in in_use.items()
        if code in deleted or code in revised
    ]
    return sorted(touched, key=lambda one: (-one.uses, one.code))


class Staleness(Struct, frozen=True, kw_only=True):
    """A system whose newest release is older than today's period asks for."""

    system: CodeSystem
    newest: str
    valid_to: date | None
    needed_from: date
    message: str


def period_start(system: CodeSystem, today: date) -> date:
    """The first day of the period a current release covers: fiscal year and April for ICD-10, else the quarter."""
    if system in (CodeSystem.ICD10CM, CodeSystem.ICD10PCS):
        october, april = date(today.year, 10, 1), date(today.year, 4, 1)
        return october if today >= october else april if today >= april else date(today.year - 1, 10, 1)
    return date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)


def staleness(releases: Iterable[CodeSetRelease], today: date) -> list[Staleness]:
    """One alert for every system of which no loaded release is in force today."""
    by_system: dict[CodeSystem, list[CodeSetRelease]] = {}
    for release in releases:
        by_system.setdefault(release.system, []).append(release)
    alerts = []
    for system in sorted(by_system):
        newest = max(by_system[system], key=lambda one: one.valid_from)
        if any(one.in_force(today) for one in by_system[system]):
            continue
        needed = period_start(system, today)
        message = (
            f"{system}: newest release {newest.release} ended before {newest.valid_to};"
            f" import the release in force from {needed}"
        )
        alerts.append(
            Staleness(
                system=system, newest=newest.release, valid_to=newest.valid_to, needed_from=needed, message=message
            )
        )
    return alerts
