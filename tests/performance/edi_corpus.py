"""Seeded synthetic claims and remittances in bulk: what the X12 benchmarks read, check and write. No real person.

Varied as files from practices are: every member, street, date, charge and control number differs, some patients are
dependents, some claims carry an authorization, a few are secondary. Everything balances and validates clean.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from revcycle_edi.npi import npi_check_digit
from revcycle_edi.x12.records import (
    Address,
    Adjustment,
    BillingProvider,
    CodedDiagnosis,
    Envelope,
    InstitutionalClaim,
    InstitutionalLine,
    LineAdjudication,
    Name,
    OtherPayer,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    QualifiedAmount,
    Remittance,
    RemittanceClaim,
    RemittanceLine,
    RemittanceParty,
    SubmissionHeader,
    Subscriber,
)
from revcycle_edi.x12.records.common import Contact

ENVELOPE = Envelope(
    sender_id="SENDER", receiver_id="RECEIVER", control_number=1, created_at=datetime(2026, 6, 1, tzinfo=UTC), usage="T"
)
HEADER = SubmissionHeader(
    reference="BENCH",
    submitter_name="SYNTHETIC SENDER",
    submitter_id="S1",
    receiver_name="SYNTHETIC RECEIVER",
    receiver_id="R1",
    contact_name="EDI DESK",
    contact_phone="5550100000",
)
_FIRST = (
    "ANN",
    "BO",
    "CAI",
    "DEE",
    "ELI",
    "FAY",
    "GUS",
    "HAL",
    "IDA",
    "JON",
    "KIT",
    "LEE",
    "MIA",
    "NED",
    "OPAL",
    "PIA",
)
_LAST = ("TESTER", "SAMPLE", "SYNTHETIC", "EXAMPLE", "MODEL", "DUMMY", "PLACEHOLDER", "SPECIMEN", "FIXTURE", "MOCK")
_CITIES = (("TESTVILLE", "TX", "78701"), ("SAMPLETON", "OH", "43004"), ("MOCK SPRINGS", "NV", "89002"))
_DIAGNOSES = ("E119", "I10", "J069", "M545", "Z0000", "R0789", "K219", "F329", "N390", "J45909", "E785", "G4733")
_CODES = ("G0463", "T1015", "J1030", "G0439", "G0402", "J3420", "A4550", "Q0091", "G0008", "J0696", "L3908", "S9083")
_FEES = {code: 4_350 + 1_775 * n for n, code in enumerate(_CODES)}
_PAYERS = tuple(Payer(name=f"SYNTHETIC PAYER {n}", payer_id=f"SYN{n:03d}") for n in range(12))
_START = date(2026, 1, 5)


def npi(number: int) -> str:
    """A synthetic NPI that satisfies the check digit."""
    stem = f"1{number:08d}"
    return stem + npi_check_digit(stem)


_BILLING = tuple(
    BillingProvider(
        name=f"SYNTHETIC CLINIC {n}",
        npi=npi(n),
        tax_id=f"12345{n:04d}",
        taxonomy_code="261QP2300X",
        address=Address(line1=f"{n + 1} CLINIC ROAD", city="TESTVILLE", state="TX", postal_code="787010001"),
    )
    for n in range(20)
)
_DOCTORS = tuple(
    Provider(last_name=_LAST[n % 10], first_name=_FIRST[n % 16], npi=npi(n + 500), taxonomy_code="207Q00000X")
    for n in range(60)
)


def _address(draw: Random, n: int) -> Address:
    city, state, area = draw.choice(_CITIES)
    return Address(line1=f"{n % 9970 + 1} SYNTHETIC AVE", city=city, state=state, postal_code=f"{area}{n % 10000:04d}")


def _person(draw: Random, n: int, *, secondary: bool, dependent: bool) -> tuple[Subscriber, Patient | None]:
    address = _address(draw, n)
    born = date(1940, 1, 1) + timedelta(days=draw.randrange(27_000))
    last = draw.choice(_LAST)
    subscriber = Subscriber(
        member_id=f"SYN{n:09d}",
        last_name=last,
        first_name=draw.choice(_FIRST),
        birth_date=born,
        sex=draw.choice("FM"),
        address=address,
        responsibility="S" if secondary else "P",
        group_number=f"GRP{n % 400}",
    )
    if not dependent:
        return subscriber, None
    child = born + timedelta(days=9_000)
    return subscriber, Patient(
        relationship_code="19",
        last_name=last,
        first_name=draw.choice(_FIRST),
        birth_date=min(child, _START),
        sex=draw.choice("FM"),
        address=address,
    )


def _first_payer(lines: tuple[ProfessionalLine, ...]) -> OtherPayer:
    return OtherPayer(
        responsibility="P",
        relationship_code="18",
        subscriber=Name(last_name="TESTER", first_name="ANN", id_qualifier="MI", id="SYNOTHER1"),
        payer_name="SYNTHETIC FIRST PAYER",
        payer_id="FIRST",
        paid_cents=sum(line.charge_cents - 500 for line in lines),
    )


def _fee(code: str, n: int) -> int:
    """A clinic's fee for a service: charges come from price lists, so they repeat from claim to claim."""
    return _FEES[code] + 25 * (n % len(_BILLING))


def _line(draw: Random, n: int, number: int, served: date, *, secondary: bool) -> ProfessionalLine:
    code, units = draw.choice(_CODES), draw.choice((1, 1, 1, 2, 4))
    charge = _fee(code, n) * units
    decided = LineAdjudication(
        payer_id="FIRST",
        paid_cents=charge - 500,
        procedure_code=code,
        units=Decimal(units),
        adjustments=(Adjustment("CO", "45", 500),),
        adjudication_date=served + timedelta(days=20),
    )
    return ProfessionalLine(
        procedure_code=code,
        modifiers=("25",) if draw.random() < 0.15 else (),
        charge_cents=charge,
        units=Decimal(units),
        diagnosis_pointers=(1, 2) if draw.random() < 0.5 else (1,),
        service_from=served,
        control_number=f"{n:08d}{number:02d}",
        adjudications=(decided,) if secondary else (),
    )


def professional_claims(count: int, seed: int = 7) -> list[ProfessionalClaim]:
    """Claims of the 837P: two to four lines, 12 % for dependents, 10 % authorized, 2 % secondary."""
    draw = Random(seed)
    diagnoses = [tuple(draw.sample(_DIAGNOSES, 2 + n % 3)) for n in range(300)]
    made: list[ProfessionalClaim] = []
    for n in range(count):
        secondary = draw.random() < 0.02
        subscriber, patient = _person(draw, n, secondary=secondary, dependent=draw.random() < 0.12)
        served = _START + timedelta(days=draw.randrange(120))
        lines = tuple(_line(draw, n, k, served, secondary=secondary) for k in range(2 + n % 3))
        made.append(
            ProfessionalClaim(
                claim_id=f"BENCH{n:08d}",
                charge_cents=sum(line.charge_cents for line in lines),
                billing_provider=_BILLING[n % len(_BILLING)],
                subscriber=subscriber,
                payer=draw.choice(_PAYERS),
                patient=patient,
                place_of_service="11",
                diagnosis_codes=draw.choice(diagnoses),
                prior_authorization_number=f"AUTH{n:07d}" if draw.random() < 0.1 else "",
                rendering_provider=draw.choice(_DOCTORS),
                other_payers=(_first_payer(lines),) if secondary else (),
                lines=lines,
            )
        )
    return made


def _institutional_line(draw: Random, n: int, number: int, served: date) -> InstitutionalLine:
    code = draw.choice(_CODES)
    return InstitutionalLine(
        revenue_code=draw.choice(("0510", "0636", "0300", "0450")),
        procedure_code=code,
        charge_cents=_fee(code, n),
        service_from=served,
        control_number=f"{n:08d}{number:02d}",
    )


def institutional_claims(count: int, seed: int = 8) -> list[InstitutionalClaim]:
    """Outpatient claims of the 837I: three to six lines."""
    draw = Random(seed)
    made: list[InstitutionalClaim] = []
    for n in range(count):
        subscriber, patient = _person(draw, n, secondary=False, dependent=draw.random() < 0.12)
        served = _START + timedelta(days=draw.randrange(120))
        lines = tuple(_institutional_line(draw, n, k, served) for k in range(3 + n % 4))
        principal, *others = draw.sample(_DIAGNOSES, 3)
        made.append(
            InstitutionalClaim(
                claim_id=f"BENCH{n:08d}",
                charge_cents=sum(line.charge_cents for line in lines),
                billing_provider=_BILLING[n % len(_BILLING)],
                subscriber=subscriber,
                payer=draw.choice(_PAYERS),
                patient=patient,
                facility_code="13",
                statement_from=served,
                statement_to=served,
                principal_diagnosis=CodedDiagnosis(principal),
                reason_for_visit=(others[0],),
                other_diagnoses=tuple(map(CodedDiagnosis, others)),
                admission_type="3",
                admission_source="1",
                patient_status="01",
                attending_provider=draw.choice(_DOCTORS),
                lines=lines,
            )
        )
    return made


def _paid_line(draw: Random, n: int, number: int, served: date) -> RemittanceLine:
    code = draw.choice(_CODES)
    charge = _fee(code, n)
    allowed = charge * 7 // 10
    share = draw.choice((0, 1_000, allowed // 5))
    adjustments = [Adjustment("CO", "45", charge - allowed)]
    if share:
        adjustments.append(Adjustment("PR", draw.choice(("1", "2", "3")), share))
    return RemittanceLine(
        procedure_code=code,
        charge_cents=charge,
        paid_cents=allowed - share,
        units_paid=Decimal(1),
        service_from=served,
        adjustments=tuple(adjustments),
        control_number=f"{n:08d}{number:02d}",
        amounts=(QualifiedAmount("B6", allowed),),
        remark_codes=("N130",) if draw.random() < 0.1 else (),
    )


def remittance(count: int, seed: int = 9) -> Remittance:
    """One balanced 835 with so many claim payments of two to four lines."""
    draw = Random(seed)
    made: list[RemittanceClaim] = []
    for n in range(count):
        served = _START + timedelta(days=draw.randrange(120))
        lines = tuple(_paid_line(draw, n, k, served) for k in range(2 + n % 3))
        share = sum(a.amount_cents for line in lines for a in line.adjustments if a.group_code == "PR")
        made.append(
            RemittanceClaim(
                claim_id=f"BENCH{n:08d}",
                status_code="1",
                charge_cents=sum(line.charge_cents for line in lines),
                paid_cents=sum(line.paid_cents for line in lines),
                patient_responsibility_cents=share,
                filing_code="12",
                payer_claim_control_number=f"P{n:09d}",
                facility_code="11",
                frequency_code="1",
                assigned_number="1",
                patient=Name(
                    last_name=draw.choice(_LAST), first_name=draw.choice(_FIRST), id_qualifier="MI", id=f"SYN{n:09d}"
                ),
                names=(("82", Name(last_name="SAMPLE", first_name="DOC", id_qualifier="XX", id=npi(500 + n % 60))),),
                statement_from=served,
                received_date=served + timedelta(days=10),
                lines=lines,
            )
        )
    address = Address(line1="1 PAYER WAY", city="TESTVILLE", state="TX", postal_code="787010001")
    desk = Contact(function="BL", name="EDI DESK", numbers=(("TE", "5550100001"),))
    return Remittance(
        envelope=ENVELOPE,
        transaction_control_number="0001",
        handling_code="I",
        paid_cents=sum(claim.paid_cents for claim in made),
        payment_method="CHK",
        payment_date=date(2026, 6, 10),
        trace_number="BENCH",
        payer_trace_id="1999999999",
        payer=RemittanceParty(name="SYNTHETIC PAYER", address=address, contacts=(desk,)),
        payee=RemittanceParty(name="SYNTHETIC CLINIC", id_qualifier="XX", id=npi(1)),
        claims=tuple(made),
    )
