"""Request and response bodies of coding."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from revcycle_codes import CodeSetRelease
from revcycle_codes.edit_tables import TableSpec
from revcycle_service_kit.validation import IsoDate

from revcycle_coding.domain.coding import Coding
from revcycle_coding.domain.decision import FindingRecord, Service
from revcycle_coding.repositories.decisions import DecisionRow
from revcycle_coding.repositories.tasks import ListedTask

Code = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class Body(BaseModel):
    """A request body: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ServiceBody(Body):
    """A service line; pointers count from 1 into the diagnoses, the line's primary first."""

    code: Code
    modifiers: Annotated[list[Code], Field(max_length=20)] = []
    units: Annotated[int, Field(strict=True, ge=1, le=99_999)]
    diagnosis_pointers: Annotated[list[Annotated[int, Field(strict=True, ge=-999, le=999)]], Field(max_length=100)] = []

    def service(self) -> Service:
        """The line as the domain takes it."""
        return Service(self.code.strip(), tuple(self.modifiers), self.units, tuple(self.diagnosis_pointers))


_SERVICE_EXAMPLE: JsonDict = {"code": "G0463", "modifiers": [], "units": 1, "diagnosis_pointers": [1]}


class CodesBody(Body):
    """The whole new coding: what it replaces is gone from the draft, not from the decisions."""

    model_config = ConfigDict(json_schema_extra={"example": {"diagnoses": ["I10"], "services": [_SERVICE_EXAMPLE]}})
    diagnoses: Annotated[list[Code], Field(max_length=100)]
    services: Annotated[list[ServiceBody], Field(max_length=100)]


class CodeCheckBody(CodesBody):
    """Codes to check for a date of service, without storing anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "date_of_service": "2026-08-15",
                "place_of_service": "11",
                "diagnoses": ["I10"],
                "services": [_SERVICE_EXAMPLE],
            }
        }
    )
    date_of_service: IsoDate
    place_of_service: Annotated[str, Field(pattern=r"^[0-9]{2}$")] | None = None


class NotBillableBody(Body):
    """Why nothing is billed: a short phrase without patient data."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "no billable service documented"}})
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class TaskSearch(Body):
    """Encounters whose worklist items are wanted."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"encounter_ids": ["0199c0de-0000-7000-8000-000000000001"]}}
    )
    encounter_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class FindingView(BaseModel):
    """What a check found: where, by which rule, and what would be right. Only errors keep a coding from finalising."""

    rule: str = Field(examples=["DX-01"])
    rule_version: str = Field(examples=["1"])
    severity: str = Field(examples=["error"], description="error, warning or info")
    field: str = Field(examples=["diagnoses[0]"])
    message: str
    expected: str
    lines: list[int] = []
    codes: list[str] = []
    release: str | None = None
    carc: str | None = None
    overridable: bool = False
    override_needs: str | None = None


def finding_views(findings: Sequence[FindingRecord]) -> list[FindingView]:
    """Findings as they are shown."""
    return [FindingView.model_validate(finding) for finding in findings]


class ServiceView(BaseModel):
    """A service line."""

    line_number: int
    code: str
    modifiers: list[str]
    units: int
    diagnosis_pointers: list[int]


def service_views(services: Sequence[Service]) -> list[ServiceView]:
    """Service lines, numbered from 1."""
    return [
        ServiceView(
            line_number=number,
            code=each.code,
            modifiers=list(each.modifiers),
            units=each.units,
            diagnosis_pointers=list(each.diagnosis_pointers),
        )
        for number, each in enumerate(services, start=1)
    ]


class DecisionView(BaseModel):
    """The decision behind a coding: run again on the same input, it gives the same output, byte for byte."""

    decision_id: UUID
    rule: str
    input_hash: str
    code_set_releases: dict[str, str]
    edit_tables: dict[str, str] = Field(
        description="release/content hash of each edit table it was taken with, by kind"
    )
    output: dict[str, object]
    evidence: dict[str, object]
    decided_by: str
    decided_at: datetime

    @classmethod
    def of(cls, row: DecisionRow) -> "DecisionView":
        """The view of a stored decision."""
        return cls(
            decision_id=row.id,
            rule=row.rule,
            input_hash=row.input_hash,
            code_set_releases=row.code_set_releases,
            edit_tables=orjson.loads(row.input).get("edit_tables", {}),
            output=orjson.loads(row.output),
            evidence=row.evidence,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
        )


class CodedDocumentView(BaseModel):
    """The document version a coding rests on."""

    document_id: UUID
    version: int
    type: str
    signed: bool
    sha256: str


class CodingView(BaseModel):
    """One billing side of an encounter: the codes as they stand, what the checks found, and the decision taken.

    ``coding_version`` counts finalisations that told something new; 0: never finalised.
    """

    encounter_id: UUID
    billing_side: str
    patient_id: UUID
    facility_npi: str
    state: str = Field(description="open, finalised, not_billable or cancelled")
    date_of_service: date
    place_of_service: str
    diagnoses: list[str]
    services: list[ServiceView]
    findings: list[FindingView]
    document: CodedDocumentView
    coding_version: int
    finalised_by: str | None
    edited_by: str | None
    note_text: str | None = Field(
        default=None, description="Null when longer than 64 KiB: read the document from registration"
    )
    decision: DecisionView | None = None

    @classmethod
    def of(cls, coding: Coding, note_text: str | None = None, decision: DecisionRow | None = None) -> "CodingView":
        """The view of a coding."""
        return cls(
            encounter_id=coding.encounter_id,
            billing_side=coding.billing_side,
            patient_id=coding.patient_id,
            facility_npi=coding.facility_npi,
            state=coding.state,
            date_of_service=coding.codes.date_of_service,
            place_of_service=coding.place_of_service,
            diagnoses=list(coding.codes.diagnoses),
            services=service_views(coding.codes.services),
            findings=finding_views(coding.findings),
            document=CodedDocumentView(
                document_id=coding.document.document_id,
                version=coding.document.version,
                type=coding.document.type,
                signed=coding.document.signed,
                sha256=coding.document.sha256,
            ),
            coding_version=coding.coding_version,
            finalised_by=coding.finalised_by,
            edited_by=coding.edited_by,
            note_text=note_text,
            decision=DecisionView.of(decision) if decision else None,
        )


class ReasonView(BaseModel):
    """Why a coder is needed: a rule with its version, the release that says so, and what is right in general."""

    rule: str = Field(examples=["DX-01"])
    rule_version: str = Field(examples=["1"])
    release: str = Field(examples=["FY2026-04"])
    field: str = Field(examples=["diagnoses[0]"])
    expected: str
    line_number: int | None


class TaskView(BaseModel):
    """A worklist item: why a coder is needed, and who has it."""

    task_id: UUID
    encounter_id: UUID
    billing_side: str
    kind: str = Field(description="correct_codes, documentation_amended or reopened")
    rules: list[str] = Field(description="The rules that found an error; the coding has the findings")
    reasons: list[ReasonView] = Field(description="Each error with its rule, version and release")
    state: str = Field(description="open or resolved")
    opened_at: datetime
    claimed_by: str | None
    lease_until: datetime | None
    resolved_at: datetime | None
    resolution: str | None
    resolved_by: str | None

    @classmethod
    def of(cls, listed: ListedTask) -> "TaskView":
        """The view of a worklist item."""
        task = listed.task
        return cls(
            task_id=task.id,
            encounter_id=task.encounter_id,
            billing_side=task.billing_side,
            kind=task.kind,
            rules=list(task.rules),
            reasons=[ReasonView(**asdict(reason)) for reason in task.reasons],
            state="open" if task.resolved_at is None else "resolved",
            opened_at=task.opened_at,
            claimed_by=listed.claimed_by,
            lease_until=listed.lease_until,
            resolved_at=task.resolved_at,
            resolution=task.resolution,
            resolved_by=task.resolved_by,
        )


class TaskList(BaseModel):
    """What a search found."""

    items: list[TaskView]


class ClaimedTask(BaseModel):
    """A worklist item that is now yours until ``lease_until``, with its coding; ``etag`` is what PUT wants."""

    task: TaskView
    coding: CodingView
    etag: str


class CodeCheck(BaseModel):
    """What a check found, and whether a signed coding with these codes would be finalised."""

    may_be_finalised: bool
    findings: list[FindingView]
    code_set_releases: dict[str, str]
    edit_tables: dict[str, str] = Field(
        description="release/content hash of each edit table in force on the date, by kind"
    )


class ReleaseView(BaseModel):
    """A loaded code-set release; ``valid_to`` is the day after its last."""

    system: str
    release: str
    valid_from: date
    valid_to: date | None
    content_hash: str
    source: str
    complete: bool = Field(description="False: a subset, such as the demo set")
    row_count: int

    @classmethod
    def of(cls, release: CodeSetRelease) -> "ReleaseView":
        """The view of a release."""
        return cls(
            system=release.system.value,
            release=release.release,
            valid_from=release.valid_from,
            valid_to=release.valid_to,
            content_hash=release.content_hash,
            source=release.source,
            complete=release.complete,
            row_count=release.row_count,
        )


class EditTableView(BaseModel):
    """An imported edit table; ``valid_to`` is the day after its last. One of another setting is not looked at."""

    kind: str
    setting: str | None
    release: str
    valid_from: date
    valid_to: date | None
    source: str

    @classmethod
    def of(cls, spec: TableSpec) -> "EditTableView":
        """The view of a table."""
        return cls(
            kind=spec.kind.value,
            setting=spec.setting.value if spec.setting else None,
            release=spec.release,
            valid_from=spec.valid_from,
            valid_to=spec.valid_to,
            source=spec.source,
        )


class ReleaseList(BaseModel):
    """Every release that is loaded, the fingerprint of them all, and the edit tables."""

    fingerprint: str
    items: list[ReleaseView]
    edit_tables: list[EditTableView]
