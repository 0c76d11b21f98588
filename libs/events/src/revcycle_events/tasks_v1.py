"""Work items: one shape on every stream whose service opens them (what, why, owner, due, money at stake)."""

from datetime import date
from uuid import UUID

from revcycle_events.base import Clear, Event

CODINGS = "revcycle.codings.v1"
CLAIMS = "revcycle.claims.v1"
DEPOSITS = "revcycle.deposits.v1"


class TaskOpened(Event):
    """Fields of every TaskOpened. ``cause`` and ``remedy`` are rule ids or short phrases without patient data."""

    task_id: Clear[UUID]
    kind: Clear[str]
    owner: Clear[str]
    cause: Clear[str]
    remedy: Clear[str]
    due_date: Clear[date | None] = None
    money_at_stake_cents: Clear[int | None] = None


class TaskResolved(Event):
    """Fields of every TaskResolved. ``resolved_by``: ``policy:<rule id>`` or the subject of the person."""

    task_id: Clear[UUID]
    kind: Clear[str]
    resolution: Clear[str]
    resolved_by: Clear[str]


class CodingTaskOpened(TaskOpened, type="revcycle.coding.TaskOpened.v1", topic=CODINGS, key="encounter_id"):
    """A coder has something to do on an encounter."""

    encounter_id: Clear[UUID]


class CodingTaskResolved(TaskResolved, type="revcycle.coding.TaskResolved.v1", topic=CODINGS, key="encounter_id"):
    """A coder's work item is done."""

    encounter_id: Clear[UUID]


class ClaimTaskOpened(TaskOpened, type="revcycle.claims.TaskOpened.v1", topic=CLAIMS, key="claim_id"):
    """A biller has something to do on a claim."""

    claim_id: Clear[UUID]


class ClaimTaskResolved(TaskResolved, type="revcycle.claims.TaskResolved.v1", topic=CLAIMS, key="claim_id"):
    """A biller's work item is done."""

    claim_id: Clear[UUID]


class DepositTaskOpened(TaskOpened, type="revcycle.claims.DepositTaskOpened.v1", topic=DEPOSITS, key="subject_id"):
    """Advice without money, money without advice, a difference, or a remitted claim nobody knows.

    ``subject_id`` is the remittance or the deposit the work is about.
    """

    subject_id: Clear[UUID]


class DepositTaskResolved(
    TaskResolved, type="revcycle.claims.DepositTaskResolved.v1", topic=DEPOSITS, key="subject_id"
):
    """A remittance's or deposit's work item is done."""

    subject_id: Clear[UUID]
