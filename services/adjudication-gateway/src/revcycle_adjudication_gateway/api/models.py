"""What the REST interface takes and gives. Never events."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from revcycle_service_kit import RequestModel

from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.repositories.inquiries import Inquiry
from revcycle_adjudication_gateway.repositories.routes import RouteLoad

InterchangeId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9 .\-]{1,14}$")]
"""ISA06 and ISA08 as we use them: 2 to 15 letters, digits, spaces, points, dashes."""


class RouteFields(BaseModel):
    """How a payer is reached and how we appear there."""

    base_url: Annotated[str, StringConstraints(pattern=r"^https://[^\s?#]+$", max_length=500)] = Field(
        description="Root of the payer's door; https only."
    )
    sender_id: InterchangeId
    receiver_id: InterchangeId
    usage_indicator: Literal["T", "P"] = Field("T", description="ISA15: T for tests, P for production.")
    enabled: bool = True
    max_claims_per_interchange: int = Field(100, ge=1, le=5000)
    poll_seconds: float = Field(1.0, ge=0.05, le=3600)


class RouteBody(RouteFields, RequestModel):
    """The whole configuration of a route."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "base_url": "https://127.0.0.1:8190",
                "sender_id": "REVCYCLE01",
                "receiver_id": "REVPAY1",
                "usage_indicator": "T",
                "enabled": True,
                "max_claims_per_interchange": 100,
                "poll_seconds": 1.0,
            }
        }
    )


class RouteView(RouteFields):
    """A route with what stands on it."""

    payer_id: str
    queued: int = Field(description="Submissions that wait to be sent.")
    in_flight: int = Field(description="Submissions whose bytes are leaving or will leave again.")
    unknown: int = Field(description="Submissions that may or may not have arrived.")

    @classmethod
    def of(cls, route: Route, load: RouteLoad | None) -> "RouteView":
        """A route and its load."""
        return cls.model_validate({**asdict(route), **asdict(load or RouteLoad())})


class RouteList(BaseModel):
    """All routes of the tenant."""

    items: list[RouteView]


class SubmissionView(BaseModel):
    """A submission: where its bytes are and how far the payer's answer has come."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "submission_id": "01990000-0000-7000-8000-000000000001",
                "claim_id": "01990000-0000-7000-8000-000000000002",
                "encounter_id": "01990000-0000-7000-8000-000000000003",
                "payer_id": "REVPAY1",
                "patient_control_number": "RC00000001",
                "frequency": "1",
                "charge_cents": 35000,
                "state": "unknown",
                "answer": "none",
                "interchange_id": "01990000-0000-7000-8000-000000000004",
                "payer_claim_control_number": None,
                "submitted_at": "2026-09-30T12:00:00Z",
                "updated_at": "2026-09-30T12:00:05Z",
            }
        }
    )

    submission_id: UUID
    claim_id: UUID
    encounter_id: UUID
    payer_id: str
    patient_control_number: str
    frequency: str
    charge_cents: int
    state: str = Field(description="queued, intent, sent, unknown, not_sent, refused")
    answer: str = Field(description="none, syntax, accepted, pended, rejected, adjudicated, reversed")
    interchange_id: UUID | None
    payer_claim_control_number: str | None
    submitted_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Record) -> "SubmissionView":
        """A row of the repository."""
        return cls.model_validate({**row, "state": row["sending"]})


class ResolveBody(RequestModel):
    """A named person's decision about an unknown transmission."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"resolution": "not_sent", "reason": "Payer's EDI desk: no such ISA13."}}
    )

    resolution: Literal["sent", "not_sent"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class StatusInquiryBody(RequestModel):
    """Ask the payer what became of these submissions."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"submission_ids": ["01990000-0000-7000-8000-000000000001"]}}
    )

    submission_ids: list[UUID] = Field(min_length=1, max_length=100)


class StatusInquiryView(BaseModel):
    """A question and, once it came, the payer's answer."""

    trace: str = Field(description="TRN02 of the 276.")
    submission_id: UUID
    payer_id: str
    asked_about: UUID | None = Field(description="The unknown interchange this is about; null: a person asked.")
    asked_in: UUID | None = Field(description="The 276 that carried the question.")
    state: str = Field(description="queued, asked, answered, failed")
    finding: str | None = Field(description="not_found, received, pending, rejected, paid, denied, finalized, error …")
    category: str | None
    status: str | None
    requested_by: str
    created_at: datetime
    answered_at: datetime | None

    @classmethod
    def queued(cls, inquiry: Inquiry, at: datetime) -> "StatusInquiryView":
        """A question that was just queued."""
        return cls.model_validate(
            {
                **asdict(inquiry),
                "asked_in": None,
                "state": "queued",
                "finding": None,
                "category": None,
                "status": None,
                "created_at": at,
                "answered_at": None,
            }
        )


class QueuedInquiries(BaseModel):
    """Questions that were taken over."""

    items: list[StatusInquiryView]


class Finding(BaseModel):
    """Why bytes cannot be read: the place, the rule, and what would be right."""

    rule: str
    message: str
    expected: str
    segment_number: int
    byte_offset: int
    segment: str
    element: str


class InterchangeView(BaseModel):
    """An interchange that left or came."""

    interchange_id: UUID
    direction: str
    kind: str = Field(description="837P, 276 (out); TA1, 999, 277CA, 277, 835, mixed, unreadable, unread (in)")
    payer_id: str
    state: str = Field(description="out: intent, sent, unknown, not_sent, refused; in: received, processed, malformed")
    sha256: str
    size_bytes: int
    sender_id: str
    receiver_id: str
    control_number: int | None
    group_control_number: int | None
    batch_reference: str | None
    claim_count: int
    attempt: int
    inquiries: int
    copies: int = Field(description="How often these bytes came.")
    source: str
    finding: Finding | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Record) -> "InterchangeView":
        """A row of the repository."""
        return cls.model_validate(dict(row))


class AttemptView(BaseModel):
    """One attempt to deliver."""

    attempt: int
    base_url: str
    at: datetime
    outcome: str | None
    http_status: int | None
    detail: str | None
    settled_at: datetime | None


class InterchangeDetail(InterchangeView):
    """An interchange with its attempts."""

    attempts: list[AttemptView]


class KeptInterchange(BaseModel):
    """A dropped file, kept; it is read like one from the mailbox."""

    interchange_id: UUID
    state: str
    copies: int


class AcknowledgmentView(BaseModel):
    """What a payer acknowledged; codes in the payer's notation."""

    acknowledgment_id: UUID
    kind: str
    payer_id: str
    received_in: UUID
    interchange_id: UUID | None
    submission_id: UUID | None
    verdict: str
    codes: list[str]
    received_at: datetime


class ExceptionView(BaseModel):
    """Something no rule settles, and what to do next."""

    exception_id: UUID
    kind: str
    payer_id: str
    reference: str
    detail: str
    remedy: str
    interchange_id: UUID | None
    submission_id: UUID | None
    opened_at: datetime


class Equation(BaseModel):
    """An equation that fails, both sides in cents."""

    level: str
    place: str
    equation: str
    left_cents: int
    right_cents: int


class RemittanceView(BaseModel):
    """A remittance; ``failing`` says why a held one is held."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "remittance_id": "01990000-0000-7000-8000-000000000005",
                "state": "held",
                "identity_key": "REVPAY1|TRACE1|2026-09-30|12345|" + "0" * 64,
                "payer_id": "REVPAY1",
                "trace_number": "TRACE1",
                "payment_date": "2026-09-30",
                "payment_method": "ACH",
                "paid_cents": 12345,
                "interchange_id": "01990000-0000-7000-8000-000000000006",
                "copies": 1,
                "failing": [
                    {
                        "level": "transaction",
                        "place": "TRN02 TRACE1",
                        "equation": "sum CLP04 - sum PLB = BPR02",
                        "left_cents": 12344,
                        "right_cents": 12345,
                    }
                ],
                "claim_count": 1,
                "received_at": "2026-09-30T12:00:05Z",
            }
        }
    )

    remittance_id: UUID
    state: str = Field(description="published or held")
    identity_key: str
    payer_id: str
    trace_number: str
    payment_date: date
    payment_method: str
    paid_cents: int
    interchange_id: UUID
    copies: int = Field(description="How often the payer sent this same advice.")
    failing: list[Equation]
    claim_count: int
    received_at: datetime


class RemittanceDetail(RemittanceView):
    """A remittance with its claims, lines and provider-level adjustments, as in the event RemittanceReceived."""

    claims: list[dict[str, Any]]
    provider_adjustments: list[dict[str, Any]]
