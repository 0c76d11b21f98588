"""What a chunk or a request changes: decided event by event in memory, written in bulk at the end.

Because every decision sees the state its predecessors left in memory, the result does not depend on where a chunk
begins or ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from revcycle_events import (
    ClaimTaskOpened,
    ClaimTaskResolved,
    DepositTaskOpened,
    DepositTaskResolved,
    Event,
)
from revcycle_messaging import Cause, DependsOn, UnitOfWork

from revcycle_claims.domain.claim import Claim
from revcycle_claims.domain.decisions import Decision
from revcycle_claims.domain.ids import stable_id
from revcycle_claims.domain.ledger import Journal
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import ledger, remittances, tasks
from revcycle_claims.repositories.claims import ClaimLineRow, PatientBill, Submission
from revcycle_claims.repositories.remittances import Deposit, Remittance, RemittedClaimRow, RemittedLineRow
from revcycle_claims.repositories.tasks import Task


@dataclass(frozen=True, slots=True)
class Work:
    """A work item to open: what, whose, why, what to do, how much is at stake."""

    kind: str
    owner: str
    cause: str
    remedy: str
    money_at_stake_cents: int | None = None
    due_date: date | None = None


@dataclass(slots=True)
class Changes:
    """The pending changes of one unit of work. ``claims`` are locked and as changed so far."""

    uow: UnitOfWork
    claims: dict[UUID, Claim] = field(default_factory=dict)
    open_tasks: dict[tuple[UUID, str], Task] = field(default_factory=dict)
    _touched_claims: dict[UUID, None] = field(default_factory=dict)
    _lines: dict[UUID, list[ClaimLineRow]] = field(default_factory=dict)
    _tasks: dict[UUID, Task] = field(default_factory=dict)
    _remitted: dict[tuple[UUID, int], RemittedClaimRow] = field(default_factory=dict)
    _deposits: dict[UUID, Deposit] = field(default_factory=dict)
    _decisions: dict[UUID, Decision] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    journals: list[Journal] = field(default_factory=list)
    bills: list[PatientBill] = field(default_factory=list)
    remittances: list[Remittance] = field(default_factory=list)
    remitted_lines: list[RemittedLineRow] = field(default_factory=list)
    reversed_places: list[tuple[UUID, int]] = field(default_factory=list)

    @property
    def tenant_id(self) -> UUID:
        """The tenant of the unit of work."""
        return self.uow.tenant_id

    async def load_tasks(self, subject_ids: Iterable[UUID]) -> None:
        """Take up the open work items of locked subjects."""
        for task in await tasks.open_tasks(self.uow, subject_ids):
            self.open_tasks[task.subject_id, task.kind] = task

    def save(self, claim: Claim) -> Claim:
        """Keep a changed claim; its version counts changes a reader can see."""
        before = self.claims.get(claim.claim_id)
        if before == claim:
            return claim
        unseen = before and before._replace(checked_at=claim.checked_at, reference_seen=claim.reference_seen)
        saved = claim if unseen == claim else claim._replace(version=claim.version + 1)
        self.claims[claim.claim_id] = saved
        self._touched_claims[claim.claim_id] = None
        return saved

    def set_lines(self, claim_id: UUID, lines: list[ClaimLineRow]) -> None:
        """Replace the lines of a claim."""
        self._lines[claim_id] = lines

    def add_decision(self, decision: Decision) -> None:
        """Keep a decision; the same one taken again is kept once."""
        self._decisions.setdefault(decision.decision_id, decision)

    def save_remitted(self, row: RemittedClaimRow) -> None:
        """Keep a CLP with where it was placed."""
        self._remitted[row.remittance_id, row.position] = row

    def save_deposit(self, deposit: Deposit) -> None:
        """Keep a new or newly matched deposit."""
        self._deposits[deposit.deposit_id] = deposit

    def emit(self, event: Event, cause: Cause, claim: Claim | None, depends_on: Sequence[DependsOn] = ()) -> None:
        """Publish an event; what is said of a claim is correlated with its encounter."""
        about = cause.about(claim.encounter_id) if claim else cause
        self.uow.add_event(event, about, depends_on=depends_on)

    def open_claim_task(self, claim: Claim, work: Work, cause: Cause) -> None:
        """Open a work item on a claim, or bring the open one of its kind up to date."""
        self._open("claim", claim.claim_id, claim, work, cause)

    def open_money_task(self, subject_type: str, subject_id: UUID, work: Work, cause: Cause) -> None:
        """Open a work item on a remittance or a deposit, or bring the open one of its kind up to date."""
        self._open(subject_type, subject_id, None, work, cause)

    def _open(self, subject_type: str, subject_id: UUID, claim: Claim | None, work: Work, cause: Cause) -> None:
        known = self.open_tasks.get((subject_id, work.kind))
        if known is not None:
            same = (known.cause, known.remedy, known.money_at_stake_cents)
            if same != (work.cause, work.remedy, work.money_at_stake_cents):
                self._keep(
                    replace(
                        known,
                        owner=work.owner,
                        cause=work.cause,
                        remedy=work.remedy,
                        money_at_stake_cents=work.money_at_stake_cents,
                        version=known.version + 1,
                    )
                )
            return
        task = Task(
            task_id=stable_id(self.tenant_id, "task", subject_id, work.kind, cause.id, claim.version if claim else 0),
            kind=work.kind,
            owner=work.owner,
            cause=work.cause,
            remedy=work.remedy,
            subject_type=subject_type,
            subject_id=subject_id,
            claim_id=claim.claim_id if claim else None,
            due_date=work.due_date,
            money_at_stake_cents=work.money_at_stake_cents,
            opened_at=cause.now,
        )
        self._keep(task)
        self.emit(_opened(task), cause, claim)

    def resolve_task(self, subject_id: UUID, kind: str, resolution: str, resolved_by: str, cause: Cause) -> None:
        """Resolve the open work item of a kind; nothing happens when there is none."""
        known = self.open_tasks.get((subject_id, kind))
        if known is None:
            return
        task = replace(
            known,
            state="resolved",
            resolution=resolution,
            resolved_by=resolved_by,
            resolved_at=cause.now,
            version=known.version + 1,
        )
        self._keep(task)
        self.emit(_resolved(task, resolution, resolved_by), cause, self.claims.get(subject_id))

    def _keep(self, task: Task) -> None:
        self._tasks[task.task_id] = task
        if task.state == "open":
            self.open_tasks[task.subject_id, task.kind] = task
        else:
            self.open_tasks.pop((task.subject_id, task.kind), None)

    async def flush(self) -> None:
        """Write everything in bulk. Events and timers are the unit of work's own to write, last."""
        uow = self.uow
        if self._touched_claims:
            await claim_rows.write_claims(uow, [self.claims[claim_id] for claim_id in sorted(self._touched_claims)])
        if self._lines:
            lines = [line for rows in self._lines.values() for line in rows]
            await claim_rows.write_lines(uow, list(self._lines), lines)
        if self.submissions:
            await claim_rows.add_submissions(uow, self.submissions)
        if self._decisions:
            await claim_rows.add_decisions(uow, list(self._decisions.values()))
        if self.bills:
            await claim_rows.add_bills(uow, self.bills)
        if self._tasks:
            await tasks.write_tasks(uow, list(self._tasks.values()))
        await self._flush_money()

    async def _flush_money(self) -> None:
        uow = self.uow
        if self.remittances:
            await remittances.add_remittances(uow, self.remittances)
        if self._remitted:
            await remittances.write_remitted_claims(uow, list(self._remitted.values()))
        if self.remitted_lines:
            await remittances.add_remitted_lines(uow, self.remitted_lines)
        if self.reversed_places:
            await remittances.mark_reversed(uow, self.reversed_places)
        if self._deposits:
            await remittances.write_deposits(uow, list(self._deposits.values()))
        if self.journals:
            await ledger.add_journals(uow, self.journals)


def _opened(task: Task) -> Event:
    if task.claim_id is not None:
        return ClaimTaskOpened(
            claim_id=task.claim_id,
            task_id=task.task_id,
            kind=task.kind,
            owner=task.owner,
            cause=task.cause,
            remedy=task.remedy,
            due_date=task.due_date,
            money_at_stake_cents=task.money_at_stake_cents,
        )
    return DepositTaskOpened(
        subject_id=task.subject_id,
        task_id=task.task_id,
        kind=task.kind,
        owner=task.owner,
        cause=task.cause,
        remedy=task.remedy,
        due_date=task.due_date,
        money_at_stake_cents=task.money_at_stake_cents,
    )


def _resolved(task: Task, resolution: str, resolved_by: str) -> Event:
    if task.claim_id is not None:
        return ClaimTaskResolved(
            claim_id=task.claim_id,
            task_id=task.task_id,
            kind=task.kind,
            resolution=resolution,
            resolved_by=resolved_by,
        )
    return DepositTaskResolved(
        subject_id=task.subject_id,
        task_id=task.task_id,
        kind=task.kind,
        resolution=resolution,
        resolved_by=resolved_by,
    )
