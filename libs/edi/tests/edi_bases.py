"""One clean synthetic interchange per guide: what the defect bench damages."""

from datetime import date
from decimal import Decimal

import msgspec
from edi_samples import (
    BILLING,
    ENVELOPE,
    HEADER,
    PATIENT,
    PAYER,
    RENDERING,
    SUBSCRIBER,
    claim,
    clean_835,
    interchange,
    npi,
)
from revcycle_edi.x12 import build_837d, build_837i, build_837p
from revcycle_edi.x12.records import (
    Adjustment,
    CodedDiagnosis,
    DentalClaim,
    DentalLine,
    Drug,
    HealthInformation,
    InstitutionalClaim,
    InstitutionalLine,
    LineAdjudication,
    Name,
    OtherPayer,
    ProfessionalLine,
    Provider,
)

OTHER = OtherPayer(
    responsibility="P",
    relationship_code="18",
    subscriber=Name(last_name="TESTER", first_name="ANN", id_qualifier="MI", id="OTHER0001"),
    payer_name="FIRST PAYER",
    payer_id="FIRST",
    paid_cents=10000,
)
DECISION = LineAdjudication(
    payer_id="FIRST",
    paid_cents=10000,
    procedure_code="G0463",
    units=Decimal(1),
    adjustments=(Adjustment("CO", "45", 5000),),
    adjudication_date=date(2026, 5, 20),
)


def institutional(claim_id: str = "INST-1") -> InstitutionalClaim:
    """An outpatient hospital claim."""
    return InstitutionalClaim(
        claim_id=claim_id,
        charge_cents=50000,
        billing_provider=BILLING,
        subscriber=SUBSCRIBER,
        payer=PAYER,
        facility_code="13",
        statement_from=date(2026, 5, 1),
        statement_to=date(2026, 5, 2),
        principal_diagnosis=CodedDiagnosis("E119", "Y"),
        reason_for_visit=("R0789",),
        other_diagnoses=(CodedDiagnosis("I10"),),
        information=(
            HealthInformation("BH", "11", date(2026, 5, 1)),
            HealthInformation("BE", "80", cents=100),
            HealthInformation("BG", "09"),
        ),
        admission_type="1",
        admission_source="1",
        patient_status="01",
        attending_provider=RENDERING,
        lines=(
            InstitutionalLine(
                revenue_code="0510",
                procedure_code="G0463",
                charge_cents=30000,
                service_from=date(2026, 5, 1),
                control_number="1",
            ),
            InstitutionalLine(
                revenue_code="0636", procedure_code="J1030", charge_cents=20000, service_from=date(2026, 5, 2)
            ),
        ),
    )


def dental(claim_id: str = "DENT-1") -> DentalClaim:
    """A dental claim with a tooth."""
    return DentalClaim(
        claim_id=claim_id,
        charge_cents=9000,
        billing_provider=BILLING,
        subscriber=SUBSCRIBER,
        payer=PAYER,
        place_of_service="11",
        rendering_provider=RENDERING,
        lines=(
            DentalLine(
                procedure_code="D9999",
                procedure_qualifier="AD",
                charge_cents=9000,
                teeth=(("12", ("L", "O")),),
                service_from=date(2026, 5, 1),
                control_number="1",
            ),
        ),
    )


def clean_837p() -> bytes:
    """Three claims: plain, for a dependent, secondary with a drug line."""
    drug_line = ProfessionalLine(
        procedure_code="J1030",
        charge_cents=2550,
        units=Decimal(1),
        diagnosis_pointers=(2,),
        service_from=date(2026, 5, 1),
        control_number="2",
        drug=Drug(ndc="12345678901", quantity=Decimal(1), unit="ML"),
    )
    plain = claim("TEST-1")
    secondary = msgspec.structs.replace(
        claim("TEST-3"),
        subscriber=msgspec.structs.replace(SUBSCRIBER, responsibility="S"),
        other_payers=(OTHER,),
        frequency_code="7",
        payer_claim_control_number="PAYER0001",
        related_causes=("AA",),
        accident_state="TX",
        accident_date=date(2026, 4, 30),
        clia_number="11D1234567",
        service_facility=Provider(last_name="SITE", entity_type="2", npi=npi("145678901"), address=BILLING.address),
        lines=(msgspec.structs.replace(plain.lines[0], adjudications=(DECISION,), modifiers=("25",)), drug_line),
    )
    return build_837p(ENVELOPE, HEADER, [plain, claim("TEST-2", patient=PATIENT), secondary])


def clean_837i() -> bytes:
    """One outpatient claim."""
    return build_837i(ENVELOPE, HEADER, [institutional()])


def clean_837d() -> bytes:
    """One dental claim."""
    return build_837d(ENVELOPE, HEADER, [dental()])


LEVELS = """
HL*1**20*1
NM1*PR*2*TEST PAYER*****PI*TESTPAYER
"""


def clean_270() -> bytes:
    """An eligibility inquiry about a subscriber."""
    return interchange(
        "270",
        "005010X279A1",
        "HS",
        f"""
BHT*0022*13*REF1*20260601*1230
{LEVELS}
HL*2*1*21*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*3*2*22*0
TRN*1*TRACE1*9123456789
NM1*IL*1*TESTER*ANN****MI*TEST0001
DMG*D8*19800102*F
DTP*291*D8*20260601
EQ*30
""",
    )


def clean_271() -> bytes:
    """An eligibility answer with benefits and an entity."""
    return interchange(
        "271",
        "005010X279A1",
        "HB",
        f"""
BHT*0022*11*REF1*20260601*1230
{LEVELS}
HL*2*1*21*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*3*2*22*0
TRN*2*TRACE1*9123456789
NM1*IL*1*TESTER*ANN****MI*TEST0001
DMG*D8*19800102*F
DTP*346*D8*20260101
EB*1**30**TEST PLAN
EB*C*IND*30^98***23*500.25
DTP*292*RD8*20260101-20261231
EB*A*IND*98*****.2
MSG*ASK THE PLAN
LS*2120
NM1*P3*1*SAMPLE*DOC
LE*2120
""",
    )


def clean_276() -> bytes:
    """A claim status inquiry."""
    return interchange(
        "276",
        "005010X212",
        "HR",
        f"""
BHT*0010*13*REF1*20260601*1230
{LEVELS}
HL*2*1*21*1
NM1*41*2*REVCYCLE*****46*RC01
HL*3*2*19*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*4*3*22*0
DMG*D8*19800102*F
NM1*IL*1*TESTER*ANN****MI*TEST0001
TRN*1*T1
REF*EJ*TEST-1
AMT*T3*175.5
DTP*472*D8*20260501
SVC*HC:G0463*150*****1
REF*FJ*1
DTP*472*D8*20260501
TRN*1*T2
AMT*T3*75
DTP*472*D8*20260502
""",
    )


def clean_277() -> bytes:
    """The answer to a status inquiry."""
    return interchange(
        "277",
        "005010X212",
        "HN",
        f"""
BHT*0010*08*REF1*20260601*1230*DG
{LEVELS}
HL*2*1*21*1
NM1*41*2*REVCYCLE*****46*RC01
HL*3*2*19*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*4*3*22*0
NM1*IL*1*TESTER*ANN****MI*TEST0001
TRN*2*T1
STC*F1:65*20260610**175.5*164*20260610*ACH*20260612*EFT0001
REF*1K*PAYER0001
REF*EJ*TEST-1
DTP*472*D8*20260501
SVC*HC:G0463*150*130****1
STC*F1:65*20260610
REF*FJ*1
""",
    )


def clean_277ca() -> bytes:
    """A claim acknowledgment with one accepted and one rejected claim."""
    return interchange(
        "277",
        "005010X214",
        "HN",
        f"""
BHT*0085*08*REF1*20260601*1230*TH
{LEVELS}
TRN*1*SRC1
DTP*050*D8*20260601
DTP*009*D8*20260601
HL*2*1*21*1
NM1*41*2*REVCYCLE TEST*****46*RC01
TRN*2*B000017
STC*A1:19:PR*20260601*WQ*376
QTY*90*1
QTY*AA*1
AMT*YU*175.5
AMT*YY*200.5
HL*3*2*19*1
NM1*85*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*4*3*PT*0
NM1*QC*1*TESTER*ANN****MI*TEST0001
TRN*2*TEST-1
STC*A2:20:PR*20260601*WQ*175.5
REF*1K*PAYER0001
DTP*472*D8*20260501
HL*5*3*PT*0
NM1*QC*1*TESTER*BO****MI*TEST0002
TRN*2*TEST-2
STC*A7:562:85*20260601*U*200.5
DTP*472*D8*20260501
""",
    )


def clean_999() -> bytes:
    """An acknowledgment of one accepted and one rejected set."""
    return interchange(
        "999",
        "005010X231A1",
        "FA",
        """
AK1*HC*17*005010X222A1
AK2*837*0001*005010X222A1
IK5*A
AK2*837*0002*005010X222A1
IK3*CLM*22*2300*8
CTX*CLM01:TEST-1
IK4*5:3*1325*7
IK5*R*5
AK9*P*2*2*1
""",
    )


def clean_278() -> bytes:
    """A request for an authorization."""
    return interchange(
        "278",
        "005010X217",
        "HI",
        f"""
BHT*0007*13*REF1*20260601*1230
HL*1**20*1
NM1*X3*2*TEST PAYER*****PI*TESTPAYER
HL*2*1*21*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*3*2*22*1
NM1*IL*1*TESTER*ANN****MI*TEST0001
DMG*D8*19800102*F
HL*4*3*EV*1
TRN*1*TRACE1*9123456789
UM*HS*I*1*11:B
DTP*AAH*D8*20260701
HI*ABK:E119
HL*5*4*SS*0
SV1*HC:G0463*150*UN*1
""",
    )


def clean_275() -> bytes:
    """An attachment whose data holds delimiters."""
    data = "QUJD~RA=="
    return interchange(
        "275",
        "006020X314",
        "PI",
        f"""
BGN*02*REF1*20260601
NM1*PR*2*TEST PAYER*****PI*TESTPAYER
NM1*41*2*REVCYCLE*****46*RC01
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
NM1*QC*1*TESTER*ANN****MI*TEST0001
REF*EJ*TEST-1
DTP*472*D8*20260501
LX*1
TRN*1*ATTACH1
DTP*368*D8*20260601
CAT*AE*TX
OOI*1
BDS*B64*{len(data)}*{data}
""",
    )


def clean_277rfai() -> bytes:
    """A payer's request for records."""
    return interchange(
        "277",
        "006020X313",
        "HN",
        f"""
BHT*0085*48*REF1*20260601*1230*RQ
{LEVELS}
HL*2*1*21*1
NM1*41*2*REVCYCLE*****46*RC01
HL*3*2*19*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*{npi("123456789")}
HL*4*3*PT*0
NM1*QC*1*TESTER*ANN****MI*TEST0001
TRN*1*PAYERTRACE1
STC*R4:11506-3::LOI*20260601
REF*1K*PAYER0001
REF*EJ*TEST-1
DTP*472*D8*20260501
""",
    )


BASES = {
    "837P": clean_837p,
    "837I": clean_837i,
    "837D": clean_837d,
    "835": clean_835,
    "270": clean_270,
    "271": clean_271,
    "276": clean_276,
    "277": clean_277,
    "277CA": clean_277ca,
    "999": clean_999,
    "278": clean_278,
    "275": clean_275,
    "277RFAI": clean_277rfai,
}
