"""Fifty made-up people who stand out, and a search that finds them in any bytes, however they were written down."""

import base64
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote

PEOPLE: Final = 50
SEED: Final = 20260930

LAST_NAME: Final = "Zzquokka"
FIRST_NAME: Final = "Wombatina"
MEMBER_ID: Final = "BANDICOOT"
RECORD_NUMBER: Final = "MRNBILBY"
NOTE: Final = "dugong overture"
STREET: Final = "Thylacine Test Lane"
SOCIAL: Final = "987-65-4"
"""Numbers that begin with 9 are given to nobody."""

STEMS: Final = (LAST_NAME, FIRST_NAME, MEMBER_ID, RECORD_NUMBER, NOTE, STREET, SOCIAL)
"""Every canary begins with one of these or holds it, and nothing else anywhere does: a stem that is seen is a leak."""

_PIECE: Final = 8 * 1024 * 1024
_OVERLAP: Final = 256


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody nobody is."""

    last_name: str
    first_name: str
    social: str
    member_id: str
    record_number: str
    note: str
    street: str


def people() -> list[Person]:
    """The same fifty every time."""
    random = Random(SEED)
    found = []
    for number, letters in enumerate(random.sample(list(product("bcdfghklmnprst", repeat=3)), PEOPLE)):
        tail = "".join(letters)
        found.append(
            Person(
                last_name=f"{LAST_NAME}{tail}",
                first_name=f"{FIRST_NAME}{tail[::-1]}",
                social=f"{SOCIAL}{number:02}{random.randrange(10)}",
                member_id=f"{MEMBER_ID}-{number:02}{random.randrange(100):02}",
                record_number=f"{RECORD_NUMBER}{number:02}",
                note=f"synthetic canary: patient {number} hums the {NOTE} in {tail}",
                street=f"{number + 100} {STREET}",
            )
        )
    return found


def _in_base64(text: str) -> Iterator[bytes]:
    """What of a text is the same in any base64 it stands in, for each of the three places it may begin at."""
    for shift, first in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + text.encode()).rstrip(b"=")
        whole = encoded[first : (shift + len(text)) * 8 // 6]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def _forms(stem: str) -> Iterator[bytes]:
    """Spellings that are searched as they are; plain text and hexadecimal are searched without regard to case."""
    for cased in {stem, stem.upper(), stem.lower()}:
        yield from _in_base64(cased)
        yield cased.encode("utf-16-le")
        yield cased[::-1].encode()


def _lower_forms(stem: str) -> Iterator[bytes]:
    lower = stem.lower()
    yield lower.encode()
    yield quote(lower, safe="").lower().encode()
    for cased in {stem, stem.upper(), lower}:
        yield cased.encode().hex().encode()
        yield "".join(f"\\u{ord(letter):04x}" for letter in cased).encode()
    for gap in (" ", "-"):
        if gap in lower:
            yield from (lower.replace(gap, other).encode() for other in ("_", "+", "\\u0020", "\\u002d", "^", "*"))


NEEDLES: Final = {
    stem: (tuple(dict.fromkeys(_forms(stem))), tuple(dict.fromkeys(_lower_forms(stem)))) for stem in STEMS
}
# Without their hyphens the numbers are nine digits; whole, or a timestamp might look like one.
_BARE_SOCIAL: Final = re.compile(
    rb"(?<!\d)(?:" + b"|".join(person.social.replace("-", "").encode() for person in people()) + rb")(?!\d)"
)


def sighted(content: bytes) -> set[str]:
    """Stems that stand in these bytes in any form."""
    lower = content.lower()
    found = {
        stem
        for stem, (exact, lowered) in NEEDLES.items()
        if any(needle in lower for needle in lowered) or any(needle in content for needle in exact)
    }
    return found | {SOCIAL} if _BARE_SOCIAL.search(content) else found


@dataclass
class Search:
    """Looks into everything it is given and remembers where it saw somebody.

    Attributes:
        sightings: place to the stems seen there. places, searched: how many places and bytes, by kind of place.
    """

    sightings: dict[str, set[str]] = field(default_factory=dict)
    places: Counter[str] = field(default_factory=Counter)
    searched: Counter[str] = field(default_factory=Counter)

    def look(self, kind: str, place: str, content: bytes | str) -> None:
        """Search one thing; ``place`` names it in the findings."""
        data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
        self.places[kind] += 1
        self.searched[kind] += len(data)
        if found := sighted(data):
            self.sightings.setdefault(place, set()).update(found)

    def look_into_file(self, kind: str, place: str, file: Path) -> None:
        """Search a file piece by piece; a compressed one is searched unpacked."""
        self.places[kind] += 1
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
            carried = b""
            while piece := content.read(_PIECE):
                self.searched[kind] += len(piece)
                if found := sighted(carried + piece):
                    self.sightings.setdefault(place, set()).update(found)
                carried = piece[-_OVERLAP:]

    def look_into_folder(self, kind: str, folder: Path, excluded: Iterable[Path] = ()) -> None:
        """Search every file below a folder, its name included."""
        without = set(excluded)
        for file in sorted(folder.rglob("*")):
            if file.is_file() and without.isdisjoint((file, *file.parents)):
                place = str(file.relative_to(folder))
                self.look(kind, f"name of {place}", place)
                self.look_into_file(kind, place, file)

    def report(self) -> str:
        """One line for each kind of place, one for all."""
        lines = [f"  {kind}: {self.places[kind]} places, {self.searched[kind]:,} bytes" for kind in sorted(self.places)]
        total = f"places={self.places.total()} bytes={self.searched.total()} sightings={len(self.sightings)}"
        return "\n".join([*lines, f"canaries: people={PEOPLE} {total}"])
