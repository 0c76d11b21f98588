"""What the rules look at: an encounter or claim as plain facts, whoever asks."""

import hashlib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from revcycle_codes.model import CodesError


class FactsError(CodesError):
    """A record that is not a set of facts: names the field, the rule and what would be right."""

    def __init__(self, field: str, rule: str, expected: str) -> None:
        super().__init__(f"{field}: {rule}; expected {expected}")
        self.field = field
        self.rule = rule
        self.expected = expected


class Setting(StrEnum):
    """Which set of edits applies: the NCCI tables differ by setting."""

    PRACTITIONER = "practitioner"
    OUTPATIENT_HOSPITAL = "outpatient_hospital"
    INPATIENT = "inpatient"
    DME = "dme"


class PatientFacts(Struct, frozen=True, kw_only=True):
    """What rules need of a patient; nothing that identifies one."""

    birth_date: date | None = None
    sex: str | None = None


class LineFacts(Struct, frozen=True, kw_only=True):
    """One service line. `line_number` and `diagnosis_pointers` count from 1; None dates and providers mean the
    encounter's. Cents for money.
    """

    line_number: int
    code: str
    modifiers: tuple[str, ...] = ()
    units: int | Decimal = 1
    diagnosis_pointers: tuple[int, ...] = ()
    date_of_service: date | None = None
    place_of_service: str | None = None
    charge_cents: int | None = None
    rendering_provider_npi: str | None = None
    revenue_code: str | None = None
    national_drug_code: str | None = None


class EvaluationFacts(Struct, frozen=True, kw_only=True):
    """Elements of an evaluation and management visit, as extracted from its note (counts and yes/no)."""

    self_limited_problems: int = 0
    stable_chronic_problems: int = 0
    acute_uncomplicated_problems: int = 0
    worsening_chronic_problems: int = 0
    undiagnosed_new_problems: int = 0
    acute_systemic_problems: int = 0
    life_threatening_problems: int = 0
    tests_and_notes: int = 0
    independent_historian: bool = False
    independent_interpretation: bool = False
    external_discussion: bool = False
    prescription_management: bool = False
    social_determinants: bool = False
    minor_surgery_with_risk: bool = False
    toxicity_monitoring: bool = False
    major_surgery: bool = False
    major_surgery_with_risk: bool = False
    hospitalisation_decision: bool = False
    resuscitation_limited: bool = False
    total_minutes: int | None = None
    billed_test_codes: tuple[str, ...] = ()
    separate_work_documented: bool | None = None


class HistoryLine(Struct, frozen=True, kw_only=True):
    """A service of the same patient on another encounter, as far as rules need it."""

    code: str
    date_of_service: date
    rendering_provider_npi: str | None = None
    group_npi: str | None = None
    specialty: str | None = None
    modifiers: tuple[str, ...] = ()
    face_to_face: bool = True


class PeerMeasure(Struct, frozen=True, kw_only=True):
    """A provider's count beside the peers': `hits` of `trials`, the peers' rates as mean and 90th percentile in
    parts of a million, over `peers` providers of one specialty, setting and new/established mix in twelve months.
    """

    name: str
    hits: int
    trials: int
    peers: int
    peer_mean_ppm: int
    peer_90th_ppm: int
    peer_95th_ppm: int | None = None
    pair: tuple[str, str] | None = None


class DrgFacts(Struct, frozen=True, kw_only=True):
    """A stay's group and the group it would have without each single secondary diagnosis (complication)."""

    drg: str
    without: Mapping[str, str] = msgspec.field(default_factory=dict)
    length_of_stay_days: int = 0
    expected_stay_days: int = 0


class EncounterFacts(Struct, frozen=True, kw_only=True):
    """An encounter or claim. `diagnoses` are in the provider's order, the first one first-listed or principal."""

    date_of_service: date
    diagnoses: tuple[str, ...]
    lines: tuple[LineFacts, ...]
    place_of_service: str | None = None
    encounter_number: str = ""
    patient: PatientFacts = PatientFacts()
    setting: Setting = Setting.PRACTITIONER
    discharge_date: date | None = None
    rendering_provider_npi: str | None = None
    group_npi: str | None = None
    specialty: str | None = None
    payer_id: str | None = None
    condition_codes: tuple[str, ...] = ()
    bill_type: str | None = None
    present_on_admission: tuple[str, ...] = ()
    contractor: str | None = None
    history: tuple[HistoryLine, ...] = ()
    peer_measures: tuple[PeerMeasure, ...] = ()
    drg: DrgFacts | None = None
    evaluation: EvaluationFacts | None = None
    note_diagnoses_uncertain: tuple[str, ...] = ()
    note_sides: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def diagnosis_date(self) -> date:
        """The day diagnoses are validated for: the discharge of an inpatient, else the date of service."""
        if self.setting is Setting.INPATIENT and self.discharge_date:
            return self.discharge_date
        return self.date_of_service


def facts_hash(facts: EncounterFacts) -> str:
    """SHA-256 of the facts as canonical JSON: the input hash of a stored decision."""
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


class _Service(Struct):
    code: str
    modifiers: tuple[str, ...] = ()
    units: int | float = 1
    diagnosis_pointers: tuple[int, ...] = ()
    charge_cents: int | None = None


class _Patient(Struct, frozen=True):
    birth_date: date | None = None
    sex: str | None = None


class _Rendering(Struct):
    npi: str | None = None
    taxonomy: str | None = None


class _Record(Struct):
    encounter_number: str
    date_of_service: date
    place_of_service: str | None = None
    facility_npi: str | None = None
    patient: _Patient = _Patient()
    rendering_provider: _Rendering | None = None
    diagnoses: tuple[str, ...] = ()
    services: tuple[_Service, ...] = ()


def facts_from_encounter_file(record: Mapping[str, object]) -> EncounterFacts:
    """Facts of a `revcycle.encounter-file.v1` object. Raises FactsError for a field of the wrong shape."""
    try:
        read = msgspec.convert(record, _Record, strict=True)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise FactsError(
            where.strip("`").removeprefix("$.") or "encounter", what, "the encounter-file format"
        ) from None
    rendering = read.rendering_provider or _Rendering()
    return EncounterFacts(
        date_of_service=read.date_of_service,
        diagnoses=read.diagnoses,
        lines=tuple(
            LineFacts(
                line_number=number,
                code=one.code,
                modifiers=one.modifiers,
                units=one.units if isinstance(one.units, int) else Decimal(str(one.units)),
                diagnosis_pointers=one.diagnosis_pointers,
                charge_cents=one.charge_cents,
            )
            for number, one in enumerate(read.services, start=1)
        ),
        place_of_service=read.place_of_service,
        encounter_number=read.encounter_number,
        patient=PatientFacts(birth_date=read.patient.birth_date, sex=read.patient.sex),
        rendering_provider_npi=rendering.npi,
        group_npi=read.facility_npi,
        specialty=rendering.taxonomy,
    )


class _ClaimLine(Struct):
    code: str
    line_number: int | None = None
    modifiers: tuple[str, ...] = ()
    units: int | float = 1
    diagnosis_pointers: tuple[int, ...] = ()
    charge_cents: int | None = None
    date_of_service: date | None = None
    place_of_service: str | None = None
    rendering_provider_npi: str | None = None
    revenue_code: str | None = None
    national_drug_code: str | None = None


class _Claim(Struct):
    date_of_service: date
    lines: tuple[_ClaimLine, ...]
    encounter_number: str = ""
    patient_control_number: str = ""
    billing_side: str = "professional"
    setting: Setting | None = None
    discharge_date: date | None = None
    place_of_service: str | None = None
    bill_type: str | None = None
    payer_id: str | None = None
    diagnoses: tuple[str, ...] = ()
    present_on_admission: tuple[str, ...] = ()
    patient: _Patient = _Patient()
    rendering_provider: _Rendering | None = None
    billing_provider: _Rendering | None = None
    condition_codes: tuple[str, ...] = ()
    contractor: str | None = None
    history: tuple[HistoryLine, ...] = ()
    peer_measures: tuple[PeerMeasure, ...] = ()
    drg: DrgFacts | None = None
    evaluation: EvaluationFacts | None = None
    note_diagnoses_uncertain: tuple[str, ...] = ()
    note_sides: dict[str, str] = {}


def facts_from_claim(record: Mapping[str, object]) -> EncounterFacts:
    """Facts of a claim as `revcycle.claims.ClaimSubmitted.v1` tells it; a line may carry its own date, place, revenue
    and drug code, and `setting` says what `billing_side` leaves open. What only some rules look at (`history`,
    `evaluation`, `drg`, `peer_measures`, …) has the names and shapes of EncounterFacts. Raises FactsError naming the
    field.
    """
    try:
        claim = msgspec.convert(record, _Claim, strict=True)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise FactsError(where.strip("`").removeprefix("$.") or "claim", what, "a claim with lines") from None
    rendering, billing = claim.rendering_provider or _Rendering(), claim.billing_provider or _Rendering()
    professional = claim.billing_side == "professional"
    return EncounterFacts(
        date_of_service=claim.date_of_service,
        diagnoses=claim.diagnoses,
        lines=tuple(
            LineFacts(
                line_number=one.line_number or number,
                code=one.code,
                modifiers=one.modifiers,
                units=one.units if isinstance(one.units, int) else Decimal(str(one.units)),
                diagnosis_pointers=one.diagnosis_pointers,
                date_of_service=one.date_of_service,
                place_of_service=one.place_of_service,
                charge_cents=one.charge_cents,
                rendering_provider_npi=one.rendering_provider_npi,
                revenue_code=one.revenue_code,
                national_drug_code=one.national_drug_code,
            )
            for number, one in enumerate(claim.lines, start=1)
        ),
        place_of_service=claim.place_of_service,
        encounter_number=claim.encounter_number or claim.patient_control_number,
        patient=PatientFacts(birth_date=claim.patient.birth_date, sex=claim.patient.sex),
        setting=claim.setting or (Setting.PRACTITIONER if professional else Setting.OUTPATIENT_HOSPITAL),
        discharge_date=claim.discharge_date,
        rendering_provider_npi=rendering.npi,
        group_npi=billing.npi,
        specialty=rendering.taxonomy,
        payer_id=claim.payer_id,
        bill_type=claim.bill_type,
        present_on_admission=claim.present_on_admission,
        condition_codes=claim.condition_codes,
        contractor=claim.contractor,
        history=claim.history,
        peer_measures=claim.peer_measures,
        drg=claim.drg,
        evaluation=claim.evaluation,
        note_diagnoses_uncertain=claim.note_diagnoses_uncertain,
        note_sides=claim.note_sides,
    )


def facts_from_record(record: Mapping[str, object]) -> EncounterFacts:
    """Facts of an encounter file or, when it has `lines`, of a claim. Raises FactsError."""
    return facts_from_claim(record) if "lines" in record else facts_from_encounter_file(record)
