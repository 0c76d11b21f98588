"""Synthetic records and interchanges the tests of this library share. No real person, provider or payer."""

from datetime import UTC, date, datetime
from decimal import Decimal

from revcycle_edi.npi import npi_check_digit
from revcycle_edi.x12.records import (
    Address,
    BillingProvider,
    Envelope,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    SubmissionHeader,
    Subscriber,
)


def npi(stem: str) -> str:
    """A synthetic NPI that satisfies the check digit."""
    return stem + npi_check_digit(stem)


ENVELOPE = Envelope(
    sender_id="REVCYCLE",
    receiver_id="TESTPAYER",
    control_number=17,
    created_at=datetime(2026, 6, 1, 12, 30, 5, tzinfo=UTC),
    usage="T",
)
HEADER = SubmissionHeader(
    reference="B000017",
    submitter_name="REVCYCLE TEST",
    submitter_id="RC01",
    receiver_name="TEST PAYER",
    receiver_id="TESTPAYER",
    contact_name="EDI DESK",
    contact_phone="5550100000",
)
ADDRESS = Address(line1="1 TEST STREET", city="TESTVILLE", state="TX", postal_code="787010001")
BILLING = BillingProvider(
    name="SYNTHETIC CLINIC", npi=npi("123456789"), tax_id="123456789", address=ADDRESS, taxonomy_code="207Q00000X"
)
SUBSCRIBER = Subscriber(
    member_id="TEST0001",
    last_name="TESTER",
    first_name="ANN",
    birth_date=date(1980, 1, 2),
    sex="F",
    address=ADDRESS,
    group_number="GRP1",
)
PAYER = Payer(name="TEST PAYER", payer_id="TESTPAYER")
PATIENT = Patient(
    relationship_code="19", last_name="TESTER", first_name="BO", birth_date=date(2015, 3, 4), sex="M", address=ADDRESS
)
RENDERING = Provider(last_name="SAMPLE", first_name="DOC", npi=npi("156789012"), taxonomy_code="207Q00000X")


def line(
    cents: int = 15000, number: str = "1", pointers: tuple[int, ...] = (1,), code: str = "G0463"
) -> ProfessionalLine:
    """One service line."""
    return ProfessionalLine(
        procedure_code=code,
        charge_cents=cents,
        units=Decimal(1),
        diagnosis_pointers=pointers,
        service_from=date(2026, 5, 1),
        control_number=number,
    )


def claim(claim_id: str = "TEST-1", *, patient: Patient | None = None) -> ProfessionalClaim:
    """A clean professional claim with two lines."""
    return ProfessionalClaim(
        claim_id=claim_id,
        charge_cents=17550,
        billing_provider=BILLING,
        subscriber=SUBSCRIBER,
        payer=PAYER,
        patient=patient,
        place_of_service="11",
        diagnosis_codes=("E119", "I10"),
        rendering_provider=RENDERING,
        lines=(line(), line(2550, "2", (2, 1), "J1030")),
    )


def interchange(transaction: str, version: str, functional_id: str, body: str, *, with_version: bool = True) -> bytes:
    """Wrap segments (written one a line, standard delimiters) into one interchange with one transaction."""
    segments = [text.strip().rstrip("~") for text in body.strip().splitlines() if text.strip()]
    opening = f"ST*{transaction}*0001*{version}" if with_version else f"ST*{transaction}*0001"
    isa = "ISA*00*          *00*          *ZZ*TESTPAYER      *ZZ*REVCYCLE       *260601*1230*^*00501*000000009*0*T*:"
    all_segments = [
        isa,
        f"GS*{functional_id}*TESTPAYER*REVCYCLE*20260601*1230*9*X*{version}",
        opening,
        *segments,
        f"SE*{len(segments) + 2}*0001",
        "GE*1*9",
        "IEA*1*000000009",
    ]
    return ("~".join(all_segments) + "~").encode()


def clean_835() -> bytes:
    """A balanced remittance: two claims, one with two lines, one denied, a provider-level recovery."""
    return interchange(
        "835",
        "005010X221A1",
        "HP",
        f"""
BPR*I*150*C*ACH*CCP*01*011000015*DA*123456*1999999999**01*011000028*DA*654321*20260610
TRN*1*EFT0001*1999999999
REF*EV*TESTPAYER
DTM*405*20260609
N1*PR*TEST PAYER
N3*1 PAYER WAY
N4*TESTVILLE*TX*787010001
PER*BL*EDI DESK*TE*5550100001
N1*PE*SYNTHETIC CLINIC*XX*{npi("123456789")}
REF*TJ*123456789
LX*1
CLP*TEST-1*1*200*164*16*12*PAYER0001*11*1
NM1*QC*1*TESTER*ANN****MI*TEST0001
NM1*82*1*SAMPLE*DOC****XX*{npi("156789012")}
MOA***MA01
DTM*232*20260501
DTM*050*20260602
AMT*AU*180
SVC*HC:G0463*150*130**1
DTM*472*20260501
CAS*CO*45*10
CAS*PR*1*10
REF*6R*1
AMT*B6*140
LQ*HE*N130
SVC*HC:J1030*50*34**1
DTM*472*20260501
CAS*CO*45*10
CAS*PR*2*6
REF*6R*2
CLP*TEST-2*4*75*0**12*PAYER0002*11*1
NM1*QC*1*TESTER*BO****MI*TEST0002
SVC*HC:G0463*75*0**1
DTM*472*20260502
CAS*CO*197*75
REF*6R*1
LQ*HE*N706
PLB*{npi("123456789")}*20261231*WO:PAYER0009*14
""",
        with_version=False,
    )
