"""The desk at which one inbound interchange is worked off.

Everything an answer may speak of is looked up and locked first, in bulk; then the answer is read without touching
the database; then everything is written, in bulk.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from revcycle_edi.x12.records import Envelope, StatusAnswer
from revcycle_events import Event
from revcycle_messaging import Cause, UnitOfWork

from revcycle_adjudication_gateway.domain.inbound import Reading
from revcycle_adjudication_gateway.domain.policy import SendingPolicy
from revcycle_adjudication_gateway.domain.references import plain, spellings
from revcycle_adjudication_gateway.domain.submission import (
    Answered,
    Decision,
    Sending,
    Submission,
    Transmission,
    arrive,
)
from revcycle_adjudication_gateway.repositories import findings, inquiries, interchanges, submissions
from revcycle_adjudication_gateway.repositories.findings import Acknowledgment, ExceptionItem
from revcycle_adjudication_gateway.repositories.inquiries import Inquiry, InquiryAnswer
from revcycle_adjudication_gateway.repositories.submissions import Located
from revcycle_adjudication_gateway.use_cases.record_decisions import move_interchange, publish

UNSOLICITED_TRACE = "0"
"""TRN02 of a 277 that answers no question."""


Numbered = tuple[str, str, str, int]
"""Kind of an interchange of ours (empty: any), our name and the payer's in it (empty: any), and its number."""


def numbered(sent: Iterable[Mapping[str, Any]], name: str, *, with_kind: bool) -> dict[Numbered, UUID]:
    """Interchanges of ours (oldest first) by the number in column ``name``.

    Each pair of names counts for itself, so a route that got another name gives numbers again. Without the name the
    newest stands under a number.
    """
    found: dict[Numbered, UUID] = {}
    for row in sent:
        ours, theirs = plain(row["sender_id"]), plain(row["receiver_id"])
        for names in ((ours, theirs), (ours, ""), ("", "")):
            found[row["kind"] if with_kind else "", *names, row[name]] = row["interchange_id"]
    return found


def answered(known: Mapping[Numbered, UUID], envelope: Envelope, kind: str, number: int) -> UUID | None:
    """The interchange of ours under this number that an answer with this envelope is about."""
    ours, theirs = plain(envelope.receiver_id), plain(envelope.sender_id)
    for names in ((ours, theirs), (ours, ""), ("", "")):
        if (kind, *names, number) in known:
            return known[kind, *names, number]
    return None


@dataclass(frozen=True, slots=True)
class References:
    """What the numbers in an answer lead to; everything is matched by number, never by position.

    Keys that are text are plain references.
    """

    by_control_number: dict[Numbered, UUID] = field(default_factory=dict)
    by_group: dict[Numbered, UUID] = field(default_factory=dict)
    by_batch: dict[str, UUID] = field(default_factory=dict)
    inquiries: dict[str, Inquiry] = field(default_factory=dict)
    by_claim: dict[str, list[UUID]] = field(default_factory=dict)
    by_payer_number: dict[str, list[UUID]] = field(default_factory=dict)
    inquiry_interchanges: frozenset[UUID] = frozenset()
    billed_by: dict[UUID, frozenset[str]] = field(default_factory=dict)


class Desk:
    """What is known and what is decided while one inbound interchange is worked off.

    Attributes:
        references: what the numbers in the answer lead to.
        answers: what the payer said to our questions.
        events: what is to be published about submissions, in order.
        acknowledgments: what the payer acknowledged.
        exceptions: what a person has to look at.
    """

    def __init__(self, cause: Cause, payer_id: str, received_in: UUID, references: References) -> None:
        self.cause = cause
        self.payer_id = payer_id
        self.received_in = received_in
        self.references = references
        self.answers: list[InquiryAnswer] = []
        self._transmissions: dict[UUID, Transmission] = {}
        self._before: dict[UUID, Sending] = {}
        self._submissions: dict[UUID, Submission] = {}
        self._saved: dict[UUID, Submission] = {}
        self.events: list[tuple[Submission, Event]] = []
        self.acknowledgments: list[Acknowledgment] = []
        self.exceptions: list[ExceptionItem] = []

    def put(self, transmissions: Iterable[Transmission], loose: Iterable[Submission]) -> None:
        """Lay out what is locked: transmissions whole, and submissions that are in none."""
        for transmission in transmissions:
            self._transmissions[transmission.interchange_id] = transmission
            self._before[transmission.interchange_id] = transmission.state
            self._saved.update({each.submission_id: each for each in transmission.submissions})
        self._saved.update({each.submission_id: each for each in loose})
        self._submissions = dict(self._saved)

    def submission(self, submission_id: UUID) -> Submission:
        """A submission as it stands now."""
        return self._submissions[submission_id]

    def members(self, interchange_id: UUID) -> tuple[Submission, ...]:
        """The submissions of an interchange as they stand now; none when it is not one of ours."""
        transmission = self._transmissions.get(interchange_id)
        if transmission is None:
            return ()
        return tuple(self._submissions[each.submission_id] for each in transmission.submissions)

    def transmission(self, interchange_id: UUID) -> Transmission:
        """A transmission as it stands now."""
        return replace(self._transmissions[interchange_id], submissions=self.members(interchange_id))

    def arrived(self, interchange_id: UUID | None) -> None:
        """An answer names this interchange, or a claim in it: the bytes are there."""
        if interchange_id in self._transmissions and self._transmissions[interchange_id].state is not Sending.SENT:
            self.decide(arrive(self.transmission(interchange_id)))

    def decide(self, decision: Decision) -> None:
        """Take over a decision about a transmission."""
        transmission = decision.transmission
        self._transmissions[transmission.interchange_id] = transmission
        self._submissions.update({each.submission_id: each for each in transmission.submissions})
        self.events.extend(decision.events)
        if decision.contradiction:
            self.contradict(
                decision.contradiction, transmission.control_number, interchange_id=transmission.interchange_id
            )

    def answer(self, answered: Answered) -> None:
        """Take over a decision about one submission."""
        submission = answered.submission
        self.replace(submission)
        if answered.event is not None:
            self.announce(submission, answered.event)
        if answered.contradiction:
            self.contradict(
                answered.contradiction, submission.patient_control_number, submission_id=submission.submission_id
            )

    def replace(self, submission: Submission) -> None:
        """Put a submission back, changed."""
        self._submissions[submission.submission_id] = submission

    def announce(self, submission: Submission, event: Event) -> None:
        """Publish an event about a submission."""
        self.events.append((submission, event))

    def acknowledge(
        self,
        kind: str,
        verdict: str,
        codes: Sequence[str],
        *,
        interchange_id: UUID | None = None,
        submission_id: UUID | None = None,
    ) -> None:
        """Keep that the payer acknowledged something."""
        acknowledgment_id = self.cause.derive("acknowledgment", len(self.acknowledgments))
        self.acknowledgments.append(
            Acknowledgment(
                acknowledgment_id, kind, self.received_in, interchange_id, submission_id, verdict, tuple(codes)
            )
        )

    def contradict(
        self, detail: str, reference: str, *, interchange_id: UUID | None = None, submission_id: UUID | None = None
    ) -> None:
        """Open an exception for an answer that does not fit what is known."""
        self.raise_exception(
            "contradiction",
            reference,
            detail,
            "compare the raw interchange with the submission, then ask the payer",
            interchange_id=interchange_id,
            submission_id=submission_id,
        )

    def nobody(self, kind: str, reference: str) -> None:
        """Open an exception for an answer that names nothing we sent."""
        self.acknowledge(kind, "unmatched", ())
        self.raise_exception(
            "acknowledgment_for_nobody",
            reference,
            f"a {kind} names control number {reference}, which nothing we sent to this payer has",
            "look at the raw interchange; was it meant for another sender?",
        )

    def raise_exception(
        self,
        kind: str,
        reference: str,
        detail: str,
        remedy: str,
        *,
        interchange_id: UUID | None = None,
        submission_id: UUID | None = None,
    ) -> None:
        """Open an exception for a person."""
        self.exceptions.append(
            ExceptionItem(
                exception_id=self.cause.derive("exception", len(self.exceptions)),
                kind=kind,
                payer_id=self.payer_id,
                reference=reference,
                detail=detail,
                remedy=remedy,
                interchange_id=interchange_id or self.received_in,
                submission_id=submission_id,
            )
        )

    async def write(self, uow: UnitOfWork, policy: SendingPolicy) -> None:
        """Write everything that was decided, events last and in the order they were decided."""
        for interchange_id, transmission in self._transmissions.items():
            await move_interchange(uow, self.cause, self._before[interchange_id], transmission, policy)
        changed = [each for each in self._submissions.values() if each != self._saved[each.submission_id]]
        await submissions.save(uow, changed, at=self.cause.now)
        await findings.insert_acknowledgments(uow, self.payer_id, self.acknowledgments, at=self.cause.now)
        await findings.insert_exceptions(uow, self.exceptions, at=self.cause.now)
        await inquiries.record_answers(uow, self.answers, at=self.cause.now)
        publish(uow, self.cause, self.events)


async def open_desk(uow: UnitOfWork, cause: Cause, payer_id: str, received_in: UUID, reading: Reading) -> Desk:
    """Look up and lock everything the answer may speak of."""
    rows = await interchanges.find_outbound(
        uow,
        payer_id,
        control_numbers=[each.control_number for each in reading.interchange_acknowledgments],
        group_control_numbers=[each.group_control_number for each in reading.implementation_acknowledgments],
        batch_references=spellings(report.batch_reference for report in reading.claim_reports),
    )
    sent = [dict(row) for row in rows]
    answers = [answer for transaction in reading.status_answers for answer in transaction.answers]
    asked = await inquiries.find(uow, spellings(answer.trace_number for answer in answers))
    located = await submissions.locate(
        uow, payer_id, numbers=_claim_numbers(reading, answers), payer_numbers=_payer_numbers(reading)
    )
    references = References(
        by_control_number=numbered(sent, "control_number", with_kind=False),
        by_group=numbered(sent, "group_control_number", with_kind=True),
        by_batch={plain(row["batch_reference"]): row["interchange_id"] for row in sent},
        inquiries=asked,
        by_claim=_grouped((plain(each.patient_control_number), each.submission_id) for each in located),
        by_payer_number=_grouped(
            (plain(each.payer_claim_control_number), each.submission_id)
            for each in located
            if each.payer_claim_control_number
        ),
        inquiry_interchanges=frozenset(
            row["interchange_id"] for row in sent if row["kind"] == interchanges.INQUIRY_276
        ),
        billed_by=await _billed_by(uow, reading, [row["interchange_id"] for row in sent]),
    )
    desk = Desk(cause, payer_id, received_in, references)
    await _lay_out(uow, desk, [row["interchange_id"] for row in sent], located, asked)
    return desk


async def _billed_by(uow: UnitOfWork, reading: Reading, sent: list[UUID]) -> dict[UUID, frozenset[str]]:
    """The numbers of the billing provider of each submission, where an answer rejects a provider as a whole."""
    if not any(provider.rejected for report in reading.claim_reports for provider in report.providers):
        return {}
    return await submissions.billing_numbers(uow, sent)


async def _lay_out(
    uow: UnitOfWork, desk: Desk, sent: list[UUID], located: list[Located], asked: dict[str, Inquiry]
) -> None:
    outside = [inquiry.submission_id for inquiry in asked.values()]
    homes = {each.submission_id: each.interchange_id for each in located}
    homes.update(await submissions.homes(uow, [each for each in outside if each not in homes]))
    wanted = {*sent, *(home for home in homes.values() if home is not None)}
    transmissions = await interchanges.lock_transmissions(uow, wanted)
    loose = await submissions.lock(uow, [each for each, home in homes.items() if home is None])
    desk.put(transmissions.values(), loose)


def _claim_numbers(reading: Reading, answers: list[StatusAnswer]) -> list[str]:
    numbers = {claim.claim_id for report in reading.claim_reports for claim in report.claims}
    numbers |= {answer.claim_id for answer in answers}
    numbers |= {claim.claim_id for remittance, _ in reading.remittances for claim in remittance.claims}
    return spellings(numbers)


def _payer_numbers(reading: Reading) -> list[str]:
    numbers = {claim.payer_claim_control_number for remittance, _ in reading.remittances for claim in remittance.claims}
    return spellings(numbers)


def _grouped(pairs: Iterable[tuple[str, UUID]]) -> dict[str, list[UUID]]:
    grouped: dict[str, list[UUID]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return grouped
