"""Site and payer switches: what differs between payers is data with effective dates, never an `if` in a rule."""

from collections.abc import Iterable
from datetime import date

import msgspec
from msgspec import Struct

from revcycle_codes.model import CodesError

KNOWN_SWITCHES = {
    "sex-edits": "warning",  # error | warning | off: Medicare switched the code editor's sex edit off
    "necessity": "warning",  # error | warning | off
    "drug-codes-required": "off",  # error | warning | off: NDC on drug lines
}
_SEVERITIES = ("error", "warning", "off")


class Switch(Struct, frozen=True, kw_only=True):
    """A setting for a payer (None: all) in force on `valid_from <= day < valid_to`."""

    name: str
    value: str
    valid_from: date = date.min
    valid_to: date | None = None
    payer_id: str | None = None


class CodeList(Struct, frozen=True, kw_only=True):
    """A named list of procedure codes that a rule reads, with its interval: single-dose drugs, waived tests, …"""

    name: str
    codes: frozenset[str]
    valid_from: date = date.min
    valid_to: date | None = None
    source: str = ""


class VisitCode(Struct, frozen=True, kw_only=True):
    """An evaluation code: `family` office, emergency, inpatient or other; `level` 1 to 5; no minutes: never by time."""

    code: str
    family: str
    level: int
    new_patient: bool | None = None
    minutes: int | None = None


class _Site(Struct, forbid_unknown_fields=True):
    switches: list[Switch] = []
    lists: list[CodeList] = []
    visits: list[VisitCode] = []


def _in_force(valid_from: date, valid_to: date | None, day: date) -> bool:
    return valid_from <= day and (valid_to is None or day < valid_to)


class Switches:
    """Switches, code lists and visit codes of an installation. Unknown names are refused."""

    def __init__(
        self,
        switches: Iterable[Switch] = (),
        lists: Iterable[CodeList] = (),
        visits: Iterable[VisitCode] = (),
    ) -> None:
        self._switches = list(switches)
        for one in self._switches:
            if one.name not in KNOWN_SWITCHES or one.value not in _SEVERITIES:
                raise CodesError(
                    f"switch {one.name}={one.value}: expected one of {', '.join(KNOWN_SWITCHES)}"
                    f" with {', '.join(_SEVERITIES)}"
                )
        self._lists = list(lists)
        self.visits = {one.code: one for one in visits}

    @classmethod
    def read(cls, content: bytes) -> "Switches":
        """The settings of a site's file: a JSON object with `switches`, `lists` and `visits`, each a list of objects
        with the fields of Switch, CodeList and VisitCode. Raises CodesError naming the field that is wrong.
        """
        try:
            site = msgspec.json.decode(content, type=_Site)
        except msgspec.DecodeError as error:
            raise CodesError(f"site settings: {error}; expected switches, lists and visits") from None
        return cls(site.switches, site.lists, site.visits)

    def value(self, name: str, day: date, payer_id: str | None = None) -> str:
        """The value in force: the payer's own, else the general one, else the default."""
        candidates = [
            one
            for one in self._switches
            if one.name == name and one.payer_id in (None, payer_id) and _in_force(one.valid_from, one.valid_to, day)
        ]
        candidates.sort(key=lambda one: (one.payer_id is not None, one.valid_from))
        return candidates[-1].value if candidates else KNOWN_SWITCHES[name]

    def listed(self, name: str, code: str, day: date) -> bool:
        """Whether a code is on a list in force."""
        return any(
            code in one.codes
            for one in self._lists
            if one.name == name and _in_force(one.valid_from, one.valid_to, day)
        )
