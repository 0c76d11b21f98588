"""What can be seen of a run: how far every encounter has come, and whether anything is still in flight."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from revcycle_hospital_simulator.intake import IntakeAnswer
from revcycle_hospital_simulator.rest import Api, Body

STAGES: Final = ("documented", "coded", "submitted", "adjudicated", "posted")

_IDS_PER_SEARCH: Final = 500
_NOT_SENT_TO_A_PAYER: Final = frozenset({"held", "patient_only", "not_billable", "voided"})
_MONEY: Final = (
    *("charge_cents", "paid_cents", "contractual_cents", "other_adjustment_cents"),
    *("patient_cents", "open_cents"),
)
_OPEN_JOBS: Final = ("ready", "running", "unknown")
# A service that consumes nothing belongs to no consumer group and has no lag to tell.
_WITHOUT_CONSUMER: Final = frozenset({"registration"})


@dataclass(frozen=True, slots=True)
class ClaimState:
    """A claim as claims shows it. ``outcome`` None: under way, and ``waiting_for`` says what for."""

    claim_id: str
    encounter_id: str
    outcome: str | None
    waiting_for: str | None
    submission: str
    adjudication: str
    charge_cents: int
    paid_cents: int
    contractual_cents: int
    other_adjustment_cents: int
    patient_cents: int
    open_cents: int

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> "ClaimState":
        """From an item of a search."""
        money = item["money"]
        return cls(
            item["claim_id"],
            item["encounter_id"],
            item["outcome"],
            item["waiting_for"],
            item["submission"],
            item["adjudication"],
            *(money[name] for name in _MONEY),
        )


@dataclass(slots=True)
class Board:
    """Everything seen so far of a run of ``total`` encounter files."""

    total: int
    answers: list[IntakeAnswer] = field(default_factory=list)
    claims: dict[str, ClaimState] = field(default_factory=dict)
    """By encounter id."""
    worklist: set[str] = field(default_factory=set)
    """Encounter ids with an open item on the coder's worklist."""

    @property
    def documented(self) -> list[str]:
        """Encounter ids that nothing blocked at intake."""
        return [each.encounter_id for each in self.answers if each.encounter_id and each.state == "documented"]

    @property
    def rejected(self) -> dict[str, str]:
        """Claim id by encounter id of the claims the payer's front end has rejected."""
        return {each.encounter_id: each.claim_id for each in self.claims.values() if each.outcome == "rejected"}

    def stages(self) -> dict[str, tuple[int, int]]:
        """Per stage: how many encounters have passed it, and how many will as far as is known now."""
        claims = self.claims.values()
        documented = len(set(self.documented))
        stopped_at_intake = len(self.answers) - len(self.documented)
        repeated = len(self.documented) - documented
        to_come = self.total - stopped_at_intake - repeated
        to_code = to_come - len(self.worklist)
        to_submit = to_code - sum(each.outcome in _NOT_SENT_TO_A_PAYER for each in claims)
        sent = [each for each in claims if each.submission in ("sent", "acknowledged", "rejected", "unknown")]
        to_adjudicate = to_submit - sum(each.outcome == "rejected" for each in sent)
        adjudicated = [each for each in sent if each.adjudication not in ("none", "pended")]
        posted = [each for each in adjudicated if each.outcome is not None]
        return {
            "documented": (documented, to_come),
            "coded": (len(self.claims), to_code),
            "submitted": (len(sent), to_submit),
            "adjudicated": (len(adjudicated), to_adjudicate),
            "posted": (len(posted), to_adjudicate),
        }

    def fingerprint(self) -> tuple[object, ...]:
        """Changes when anything moves on."""
        states = Counter((each.outcome, each.waiting_for, each.submission) for each in self.claims.values())
        return (len(self.answers), len(self.worklist), frozenset(states.items()))


async def look(api: Api, board: Board, finished: Collection[str] = ()) -> None:
    """Bring the board up to date; encounters in ``finished`` are not asked about again."""
    asked = [each for each in dict.fromkeys(board.documented) if each not in finished]
    for ids in _portions(asked):
        body = Body.of({"encounter_ids": ids})
        found = await api.call("biller", "claims", "POST", "/v1/claims:search", body)
        for item in found.body["items"]:
            claim = ClaimState.read(item)
            board.claims[claim.encounter_id] = claim
    for ids in _portions([each for each in asked if each not in board.claims]):
        body = Body.of({"encounter_ids": ids})
        found = await api.call("coder", "coding", "POST", "/v1/coding-tasks:search", body)
        board.worklist |= {item["encounter_id"] for item in found.body["items"] if item["state"] == "open"}
    board.worklist -= board.claims.keys()


def _portions(ids: Sequence[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), _IDS_PER_SEARCH):
        yield list(ids[start : start + _IDS_PER_SEARCH])


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process says of its messaging; None for one that did not answer."""

    service: str
    process: str
    figures: Mapping[str, Any] | None

    @property
    def open_jobs(self) -> int:
        """Jobs that are to be done, being done, or done or not."""
        return sum(self.figures["jobs"][state] for state in _OPEN_JOBS) if self.figures else 0

    @property
    def work_in_flight(self) -> int:
        """Unsent outbox rows, open jobs and events of an uncommitted chunk."""
        if self.figures is None:
            return 0
        return int(self.figures["outbox_rows"]) + self.open_jobs + int(self.figures["chunk_in_flight"])


def messaging_in_flight(readings: Iterable[Reading]) -> list[str]:
    """What keeps messaging from being quiet, in words; empty when it is.

    Keys parked behind a dead letter wait for a person and are not in flight; every other parked key is.
    """
    found: list[str] = []
    for reading in readings:
        figures = reading.figures
        if figures is None:
            found.append(f"{reading.process} does not answer")
            continue
        lag = figures["lag"]
        if lag is None and reading.service not in _WITHOUT_CONSUMER:
            found.append(f"{reading.process} does not know yet how far its consumer is behind")
        counts = {
            "events in the outbox": figures["outbox_rows"],
            "events not consumed": lag or 0,
            "events in an open chunk": figures["chunk_in_flight"],
            "jobs": reading.open_jobs,
            "keys parked for another try": max(0, figures["parked_keys"] - figures["dead_letters"]),
        }
        found += [f"{reading.process}: {count} {what}" for what, count in counts.items() if count]
        if figures["stopped_because"]:
            found.append(f"{reading.process}: consumer stopped: {figures['stopped_because']}")
    return found


def routes_in_flight(routes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the gateway has not brought to the payers yet, in words."""
    names = {"queued": "to be sent", "in_flight": "being sent", "unknown": "sent or not, nobody knows yet"}
    return [
        f"{route['payer_id']}: {route[name]} submissions {words}"
        for route in routes
        for name, words in names.items()
        if route[name]
    ]


def payer_in_flight(owed: Mapping[str, Any] | None) -> list[str]:
    """What the payers still owe, in words; None when they did not answer."""
    if owed is None:
        return ["the payer simulator does not answer"]
    words = {"owed": "claims to be remitted", "mailbox": "answers to be fetched"}
    return [f"payers: {owed[name]} {what}" for name, what in words.items() if owed[name]]


async def read_messaging(api: Api, only: Collection[str] | None = None) -> list[Reading]:
    """Ask every process of every service, in the order of the flow; ``only``: just the processes of these names."""
    readings = []
    for service, instances in api.watched.items():
        for number, url in enumerate(instances, start=1):
            process = service if len(instances) == 1 else f"{service}-{number}"
            if only is None or process in only:
                figures = await api.read_instance(url, "operator", "/v1/ops/messaging")
                readings.append(Reading(service, process, figures))
    return readings


async def in_flight(api: Api, payer: httpx.AsyncClient | None) -> list[str]:
    """Everything between documentation and posted remittance that still moves, in words; empty: quiet."""
    found = messaging_in_flight(await read_messaging(api))
    routes = await api.call("operator", "adjudication-gateway", "GET", "/v1/routes")
    found += routes_in_flight(routes.body["items"])
    unread_path = "/v1/interchanges?direction=in&state=received&limit=1"
    unread = await api.call("operator", "adjudication-gateway", "GET", unread_path)
    if unread.body["items"]:
        found.append("answers of the payers to be read")
    if payer is not None:
        found += payer_in_flight(await _owed(payer))
    return found


async def _owed(payer: httpx.AsyncClient) -> Mapping[str, Any] | None:
    try:
        response = await payer.get("/owed")
    except httpx.TransportError:
        return None
    owed: Mapping[str, Any] = response.json()
    return owed


@dataclass(slots=True)
class Calm:
    """Decides when quiet has lasted long enough, and when nothing has moved for too long."""

    quiet_seconds: float = 1.0
    patience_seconds: float = 240.0
    _quiet_since: float | None = None
    _moved_at: float = field(default_factory=time.monotonic)
    _seen: object = None

    def settled(self, waiting: Sequence[str], fingerprint: object, now: float) -> bool:
        """Whether it has been quiet for long enough at ``now`` (seconds, monotonic).

        Raises:
            StillWaitingError: something waits, and nothing has moved for as long as we were ready to wait.
        """
        seen = (tuple(waiting), fingerprint)
        if seen != self._seen:
            self._seen, self._moved_at = seen, now
            self._quiet_since = None
        if waiting:
            self._quiet_since = None
            if now - self._moved_at > self.patience_seconds:
                raise StillWaitingError(self.patience_seconds, waiting)
            return False
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since >= self.quiet_seconds


class StillWaitingError(Exception):
    """Nothing has moved for too long; says what still waits."""

    def __init__(self, seconds: float, waiting: Sequence[str]) -> None:
        listed = "\n  ".join(waiting)
        super().__init__(f"nothing has moved for {seconds:.0f} s, and this still waits:\n  {listed}")
