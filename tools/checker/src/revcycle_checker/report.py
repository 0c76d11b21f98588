"""What a check found."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant: its id and what breaks it, named by ids and cents, never by patients' data."""

    invariant: str
    detail: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An encounter that did not end as planted."""

    encounter_number: str
    expected: str
    got: str
    why: str


@dataclass(slots=True)
class OutcomeRow:
    """Encounters of one outcome and their money."""

    outcome: str
    encounters: int = 0
    charged_cents: int = 0
    paid_cents: int = 0
    adjusted_cents: int = 0
    patient_cents: int = 0
    open_cents: int = 0


@dataclass(slots=True)
class Report:
    """The whole result. ``as_expected`` is None where no truth exists."""

    encounters: int = 0
    settled: int = 0
    waiting: int = 0
    as_expected: int | None = None
    unbalanced_cents: int = 0
    ledger_sha256: str = ""
    outcomes: list[OutcomeRow] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    lost: list[Finding] = field(default_factory=list)
    doubled: list[Finding] = field(default_factory=list)
    violations: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing is broken, every encounter is settled or waits explained, and all ended as planted."""
        complete = self.settled + self.waiting == self.encounters
        planted = self.as_expected is None or self.as_expected == self.encounters
        return complete and planted and not self.violations and self.unbalanced_cents == 0
