"""The vocabulary of code sets: systems, releases, states and the answer to "was this code valid on that day?"."""

import re
from datetime import date, timedelta
from enum import StrEnum

from msgspec import Struct


class CodesError(ValueError):
    """A refusal by this library; the message names what was wrong and what would be right."""


class CodeSystem(StrEnum):
    """Code systems with releases. The values are used in files, events and on the command line."""

    ICD10CM = "icd-10-cm"
    ICD10PCS = "icd-10-pcs"
    HCPCS_II = "hcpcs-2"
    CPT = "cpt"
    MODIFIER = "modifier"
    PLACE_OF_SERVICE = "place-of-service"
    REVENUE_CODE = "revenue-code"
    CARC = "carc"
    RARC = "rarc"
    TAXONOMY = "taxonomy"
    MS_DRG = "ms-drg"
    HCC = "hcc"


class LicenceClass(StrEnum):
    """Who may see the content of a release."""

    PUBLIC_DOMAIN = "public-domain"
    OWN_WORK = "own-work"
    AMA_LICENSED = "ama-licensed"
    SITE_LICENSED = "site-licensed"


class CodeState(StrEnum):
    """What a code was on one day. `unknown_release` says that nobody here can know: never treat it as invalid."""

    ACTIVE = "active"
    DELETED = "deleted"
    NOT_YET = "not_yet"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_RELEASE = "unknown_release"


class CodeSetRelease(Struct, frozen=True, kw_only=True):
    """One immutable publication of a code system, in force on `valid_from <= day < valid_to` (`None`: open).

    `content_hash` is the SHA-256 of the compiled content, so two layouts of one publication share it.
    `complete` is False for a subset: a code that is absent from a subset may still exist.
    """

    system: CodeSystem
    release: str
    valid_from: date
    valid_to: date | None
    content_hash: str
    source: str
    licence_class: LicenceClass
    complete: bool = True
    row_count: int = 0

    def in_force(self, day: date) -> bool:
        """Whether `day` lies in this release's half-open interval."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class Resolution(Struct, frozen=True, kw_only=True):
    """The state of one code on one day, and which release says so.

    `since` is the first day of the state and `last_day` the last day it was valid, both None when not known.
    `assumed` marks a day between two loaded releases that agree about the code.
    """

    system: CodeSystem
    code: str
    date_of_service: date
    state: CodeState
    billable: bool = False
    since: date | None = None
    last_day: date | None = None
    successors: tuple[str, ...] = ()
    release: str | None = None
    release_hash: str | None = None
    description: str | None = None
    assumed: bool = False
    complete_release: bool = True

    @property
    def valid_for_billing(self) -> bool:
        """Active on the day and at the level of detail that a claim needs."""
        return self.state is CodeState.ACTIVE and self.billable


_SHAPES = {
    CodeSystem.ICD10CM: re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}"),
    CodeSystem.ICD10PCS: re.compile(r"[0-9A-HJ-NP-Z]{7}"),
    CodeSystem.HCPCS_II: re.compile(r"[A-V][0-9]{4}"),
    CodeSystem.CPT: re.compile(r"[0-9]{4}[0-9A-Z]"),
    CodeSystem.MODIFIER: re.compile(r"[0-9A-Z]{2}"),
    CodeSystem.PLACE_OF_SERVICE: re.compile(r"[0-9]{2}"),
}
_DOTTED = frozenset({CodeSystem.ICD10CM})


def normalise(system: CodeSystem, code: str) -> str:
    """The key form of a code: upper case, no blanks around it, no dot."""
    key = code.strip().upper()
    return key.replace(".", "", 1) if system in _DOTTED else key


def display(system: CodeSystem, key: str) -> str:
    """The form people read: ICD-10-CM with its dot after the third character, everything else as it is."""
    return f"{key[:3]}.{key[3:]}" if system in _DOTTED and len(key) > 3 else key


def has_shape(system: CodeSystem, key: str) -> bool:
    """Whether a normalised code could be one of this system at all."""
    shape = _SHAPES.get(system)
    return shape is None or shape.fullmatch(key) is not None


def procedure_system(code: str) -> CodeSystem:
    """HCPCS Level II when the code begins with a letter, CPT otherwise (decided by shape alone)."""
    return CodeSystem.HCPCS_II if code.strip()[:1].isalpha() else CodeSystem.CPT


def day_before(day: date | None) -> date | None:
    """The last day of a half-open interval that ends at `day`."""
    return None if day is None else day - timedelta(days=1)
