"""The payer's front office: what it answers at once to an interchange, without touching disk or network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import count
from math import inf

from revcycle_payer_simulator.acknowledgments import (
    ClaimVerdict,
    SetVerdict,
    group_codes,
    write_277ca,
    write_999,
    write_ta1,
)
from revcycle_payer_simulator.benefit_plan import is_pended
from revcycle_payer_simulator.books import Books, ClaimRecord, Sender, State
from revcycle_payer_simulator.claim837 import ClaimSet, SegmentFault, read_claim_set
from revcycle_payer_simulator.faults import PEND_ALL, Faults
from revcycle_payer_simulator.inquiry276 import Inquiry, StatusAnswer, read_inquiries, write_277
from revcycle_payer_simulator.x12 import Envelope, FunctionalGroup, Interchange, element, read_interchange

Writer = Callable[[Envelope], bytes]
ClaimKey = tuple[str, Sender, str]
NOT_FOUND: dict[str, tuple[str, ...]] = {"REVPAY1": ("D0", "35"), "REVPAY2": ("A4", "35"), "REVPAY3": ("D0", "35")}
_ASK_IN_VAIN = ("E0", "35")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One whole interchange on one route, read: its 837 sets by group and its inquiries."""

    payer_id: str
    interchange: Interchange
    claim_sets: dict[int, list[ClaimSet]]
    inquiries: list[Inquiry]
    submitter: tuple[str, str]

    @property
    def has_claims(self) -> bool:
        """Whether it carries an 837."""
        return bool(self.claim_sets)

    @property
    def claim_ids(self) -> set[str]:
        """Every CLM01 in it."""
        return {claim.claim_id for sets in self.claim_sets.values() for each in sets for claim in each.claims}


@dataclass(frozen=True, slots=True)
class Answer:
    """One interchange to put out."""

    payer_id: str
    data: bytes


@dataclass(slots=True)
class _Hush:
    """What the payer keeps to itself while it plays dead about an interchange."""

    writers: list[Writer]
    records: list[ClaimRecord]


def read_arrival(payer_id: str, data: bytes) -> Arrival:
    """Read the bytes of one interchange. Raises IncompleteInterchangeError when they are not one."""
    interchange = read_interchange(data)
    claim_sets: dict[int, list[ClaimSet]] = {}
    inquiries: list[Inquiry] = []
    submitter = ("", interchange.sender[1])
    for index, group in enumerate(interchange.groups):
        for transaction in group.transactions:
            if transaction.code == "837":
                claim_sets.setdefault(index, []).append(read_claim_set(transaction))
            elif transaction.code == "276" and not transaction.trailer_codes():
                inquiries += read_inquiries(transaction)
                names = (part for part in transaction.segments if part[:2] == ("NM1", "41"))
                named = next(names, ())
                submitter = (element(named, 3), element(named, 9))
    return Arrival(payer_id, interchange, claim_sets, inquiries, submitter)


class FrontOffice:
    """Takes interchanges in and answers them; hands accepted claims on to be settled."""

    def __init__(self, seed: int, business_date: date, books: Books, faults: Faults) -> None:
        self.seed = seed
        self.business_date = business_date
        self.books = books
        self.faults = faults
        self.accepted: list[ClaimRecord] = []
        self._moments = count(1)
        self._seen: set[tuple[str, Sender, str]] = set()
        self._not_found: dict[ClaimKey, float] = {}
        self._newly_disowned: list[ClaimKey] = []
        self._hushes: dict[int, _Hush] = {}
        self._entered: list[ClaimRecord] = []

    def moment(self) -> int:
        """A counter that orders the beginnings of requests against answers of "not found"."""
        return next(self._moments)

    def was_disowned(self, arrival: Arrival, began: int) -> bool:
        """Whether "not found" was answered for one of its claims and the request that brings it began before that.

        Such bytes must never complete: the sender has been told that they are not here and will send them again. In
        memory is enough, for no request outlives the process.
        """
        sender = arrival.interchange.sender
        return any(self._not_found.get((arrival.payer_id, sender, each), 0) > began for each in arrival.claim_ids)

    def newly_disowned(self) -> tuple[ClaimKey, ...]:
        """Claims answered "not found" since the last call. Until that is fetched nothing of them completes."""
        found = tuple(self._newly_disowned)
        self._newly_disowned.clear()
        return found

    def disown_until_now(self, keys: tuple[ClaimKey, ...]) -> None:
        """The answer has reached the sender: what begins from now on is a new sending and welcome."""
        for key in keys:
            # A second copy of the same answer changes nothing: the new sending may be under way already.
            if self._not_found.get(key) == inf:
                self._not_found[key] = self.moment()

    def receive(
        self, arrival: Arrival, line_number: int, at: datetime, now: float, *, silent: bool = False
    ) -> list[Answer]:
        """Answer one interchange, recorded as line `line_number` of the raw log.

        `at` stamps the answers, `now` (monotonic seconds) starts the wait for the remittance. Control numbers of the
        answers follow the line number. `silent` keeps everything back until an inquiry finds one of the claims.
        """
        writers = self._writers(arrival, line_number, now)
        records = self._entered
        if silent:
            hush = _Hush(writers, records)
            for record in records:
                self._hushes[id(record)] = hush
            return []
        self.accepted += [record for record in records if record.state is State.WAITING]
        return self._render(arrival, writers, line_number, at)

    def _render(self, arrival: Arrival, writers: list[Writer], line_number: int, at: datetime) -> list[Answer]:
        answers = []
        for control_number, writer in enumerate(writers, line_number + 1):
            envelope = Envelope(arrival.payer_id, arrival.interchange.sender, control_number, self.business_date, at)
            answers.append(Answer(arrival.payer_id, writer(envelope)))
        return answers

    def _writers(self, arrival: Arrival, line_number: int, now: float) -> list[Writer]:
        interchange = arrival.interchange
        self._entered = []
        note = interchange.fault or self._duplicate_note(arrival)
        if note:
            return [partial(write_ta1, interchange=interchange, note=note)]
        writers: list[Writer] = []
        if interchange.wants_acknowledgment:
            writers.append(partial(write_ta1, interchange=interchange, note="000"))
        for index, group in enumerate(interchange.groups):
            writers += self._group(arrival, index, group, line_number, now)
        if arrival.inquiries:
            writers += self._status(arrival, now)
        return writers

    def _duplicate_note(self, arrival: Arrival) -> str:
        key = (arrival.payer_id, arrival.interchange.sender, arrival.interchange.control_number)
        if key in self._seen:
            return "025"
        self._seen.add(key)
        return ""

    def _group(
        self, arrival: Arrival, index: int, group: FunctionalGroup, line_number: int, now: float
    ) -> Iterator[Writer]:
        sets = arrival.claim_sets.get(index, [])
        refused = bool(group_codes(group))
        verdicts = _set_verdicts(group, sets)
        if sets or any(verdict.set_codes for verdict in verdicts):
            yield partial(write_999, group=group, verdicts=verdicts)
        for claim_set in sets:
            accepted = claim_set.accepted and not refused
            records = [
                self._enter(arrival, claim_set, position, line_number, now, accepted)
                for position in range(len(claim_set.claims))
            ]
            if accepted:
                claim_verdicts = [ClaimVerdict(each.claim, each.control_number, each.rejection) for each in records]
                yield partial(write_277ca, claim_set=claim_set, verdicts=claim_verdicts)
                yield from self._pended(records)

    def _enter(
        self, arrival: Arrival, claim_set: ClaimSet, position: int, line_number: int, now: float, accepted: bool
    ) -> ClaimRecord:
        claim = claim_set.claims[position]
        payer_id = arrival.payer_id
        control_number = f"{payer_id[-1]}{line_number:08d}{len(self._entered) + 1:05d}"
        submitter = (element(claim_set.submitter, 3), element(claim_set.submitter, 9))
        sender = arrival.interchange.sender
        record = ClaimRecord(payer_id, sender, submitter, claim, control_number, self.business_date, now)
        self.books.enter(record, set_accepted=accepted)
        self._entered.append(record)
        if record.state is State.WAITING:
            natural = is_pended(self.seed, payer_id, claim.plan_claim(self.business_date))
            record.pended = self.faults.take(PEND_ALL) or natural
        return record

    def _pended(self, records: list[ClaimRecord]) -> Iterator[Writer]:
        pended = [record for record in records if record.pended]
        if pended:
            answers = [_unasked(record) for record in pended]
            yield partial(write_277, submitter=pended[0].submitter, answers=answers)

    def _status(self, arrival: Arrival, now: float) -> list[Writer]:
        answers: list[StatusAnswer] = []
        released: list[_Hush] = []
        for inquiry in arrival.inquiries:
            record = self._find(arrival, inquiry)
            answers.append(_status_answer(arrival.payer_id, inquiry, record))
            hush = self._hushes.get(id(record)) if record is not None else None
            if hush is not None and hush not in released:
                released.append(hush)
        writers: list[Writer] = [partial(write_277, submitter=arrival.submitter, answers=answers)]
        for hush in released:
            writers += self._speak(hush, now)
        return writers

    def _find(self, arrival: Arrival, inquiry: Inquiry) -> ClaimRecord | None:
        sender = arrival.interchange.sender
        record = self.books.find(arrival.payer_id, sender, inquiry)
        if record is None and inquiry.claim_id:
            key = (arrival.payer_id, sender, inquiry.claim_id)
            self._not_found[key] = inf
            self._newly_disowned.append(key)
        return record

    def _speak(self, hush: _Hush, now: float) -> list[Writer]:
        for record in hush.records:
            del self._hushes[id(record)]
            record.arrived = now
            if record.state is State.WAITING:
                self.accepted.append(record)
        return hush.writers


def _set_verdicts(group: FunctionalGroup, sets: list[ClaimSet]) -> list[SetVerdict]:
    """What a 999 says of every set. An acknowledgment is never acknowledged; code 1 refuses what nobody reads here."""
    claim_sets = iter(sets)
    verdicts = []
    for transaction in group.transactions:
        faults: list[SegmentFault] = []
        codes = transaction.trailer_codes()
        if transaction.code == "837":
            claim_set = next(claim_sets)
            faults, codes = claim_set.faults, claim_set.set_codes
        elif transaction.code in {"997", "999"}:
            continue
        elif transaction.code != "276":
            codes = ["1"]
        verdicts.append(SetVerdict(transaction.code, transaction.control_number, transaction.guide, faults, codes))
    return verdicts


def _unasked(record: ClaimRecord) -> StatusAnswer:
    """A pended claim's status, told without having been asked: TRN02 is 0."""
    claim = record.claim
    provider = ("NM1", "1P", "2", claim.payee.name, "", "", "", "", "XX", claim.payee.npi)
    member = ("NM1", "IL", "1", claim.member.last_name, claim.member.first_name, "", "", "", "MI", claim.member_id)
    inquiry = Inquiry("0", provider, member, claim_id=claim.claim_id)
    inquiry.clearinghouse_reference = claim.clearinghouse_reference
    return StatusAnswer(inquiry, ("P1", "20"), claim.charge_cents, None, "", record.control_number, claim.claim_id)


def _status_answer(payer_id: str, inquiry: Inquiry, record: ClaimRecord | None) -> StatusAnswer:
    if not inquiry.claim_id and not inquiry.payer_control_number:
        return StatusAnswer(inquiry, _ASK_IN_VAIN)
    if record is None:
        return StatusAnswer(inquiry, NOT_FOUND[payer_id])
    claim, charge = record.claim, record.claim.charge_cents
    number = "" if record.rejection else record.control_number
    status = _status_code(record)
    paid = record.outcome.paid_cents if record.outcome is not None and record.state is State.REMITTED else None
    trace = record.trace_number if paid else ""
    return StatusAnswer(inquiry, status, charge, paid, trace, number, claim.claim_id)


def _status_code(record: ClaimRecord) -> tuple[str, ...]:
    if record.rejection is not None:
        rejection = record.rejection
        return (rejection.category, rejection.status, *([rejection.entity] if rejection.entity else []))
    if record.state is State.WAITING:
        return ("P1", "20") if record.pended else ("A2", "20")
    if record.state is State.REVERSED or record.outcome is None:
        return ("F3", "1")
    if record.outcome.paid_cents > 0:
        return ("F1", "65")
    return ("F2", "1") if record.outcome.kind == "denied" else ("F4", "1")
