"""Fixtures of the payer simulator's tests: interchanges written by hand, not by the writer under test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import pytest

BUSINESS_DATE = date(2026, 9, 30)
BILLING_NPI = "1900000005"
RENDERING_NPI = "1700000411"


@dataclass
class SampleLine:
    code: str = "T1015"
    charge: str = "250"
    units: str = "1"
    day: str = "20260901"
    control: str = "L1"
    modifiers: str = ""
    pointers: str = "1"


@dataclass
class SampleClaim:
    claim_id: str = "CLAIM0001"
    member_id: str = "W0000000A1"
    frequency: str = "1"
    original: str = ""
    charge: str = ""
    diagnoses: Sequence[str] = ("I10",)
    lines: Sequence[SampleLine] = field(default_factory=lambda: [SampleLine()])
    last_name: str = "TESTPERSON"

    def segments(self) -> list[str]:
        total = self.charge or str(sum(int(line.charge) for line in self.lines))
        body = [f"CLM*{self.claim_id}*{total}***11:B:{self.frequency}*Y*A*Y*Y"]
        if self.original:
            body.append(f"REF*F8*{self.original}")
        if self.diagnoses:
            codes = "*".join(f"{'ABF' if index else 'ABK'}:{code}" for index, code in enumerate(self.diagnoses))
            body.append(f"HI*{codes}")
        body.append(f"NM1*82*1*SYNTHETIC*DOC****XX*{RENDERING_NPI}")
        for index, line in enumerate(self.lines, 1):
            body += [
                f"LX*{index}",
                f"SV1*HC:{line.code}{line.modifiers}*{line.charge}*UN*{line.units}***{line.pointers}",
                f"DTP*472*D8*{line.day}",
                f"REF*6R*{line.control}",
            ]
        return body


def write_envelope(control: int, body: list[str], kind: str, guide: str, set_code: str, ta1: str, sender: str) -> bytes:
    blank, receiver = " " * 10, "REVPAY1"
    isa = f"ISA*00*{blank}*00*{blank}*ZZ*{sender:<15}*ZZ*{receiver:<15}*260930*1200*^*00501*{control:09d}*{ta1}*T*:"
    lines = [
        isa,
        f"GS*{kind}*{sender}*REVPAY1*20260930*1200*{control}*X*{guide}",
        f"ST*{set_code}*0001*{guide}",
        *body,
        f"SE*{len(body) + 2}*0001",
        f"GE*1*{control}",
        f"IEA*1*{control:09d}",
    ]
    return ("~".join(lines) + "~").encode()


ClaimFile = Callable[..., bytes]


@pytest.fixture
def claim_file() -> ClaimFile:
    """An 837P interchange of sample claims."""

    def build(
        claims: Sequence[SampleClaim] | None = None, control: int = 1, ta1: str = "0", npi: str = BILLING_NPI
    ) -> bytes:
        body = [
            "BHT*0019*00*BATCH" + str(control) + "*20260930*1200*CH",
            "NM1*41*2*SYNTHETIC CLINIC*****46*SENDER1",
            "PER*IC*HELP*TE*5555550101",
            "NM1*40*2*REVPAY ONE*****46*REVPAY1",
            "HL*1**20*1",
            f"NM1*85*2*SYNTHETIC CLINIC*****XX*{npi}",
            "N3*1 EXAMPLE STREET",
            "N4*SALEM*OR*973010001",
            "REF*EI*990000099",
        ]
        for level, claim in enumerate(claims if claims is not None else [SampleClaim()], 2):
            body += [
                f"HL*{level}*1*22*0",
                "SBR*P*18*******CI",
                f"NM1*IL*1*{claim.last_name}*ANNA****MI*{claim.member_id}",
                "N3*2 EXAMPLE STREET",
                "N4*SALEM*OR*973010001",
                "DMG*D8*19800101*F",
                "NM1*PR*2*REVPAY ONE*****PI*REVPAY1",
                *claim.segments(),
            ]
        return write_envelope(control, body, "HC", "005010X222A1", "837", ta1, "SENDER1")

    return build


@pytest.fixture
def inquiry_file() -> Callable[..., bytes]:
    """A 276 that asks about claims by CLM01, each with an optional frequency."""

    def build(claim_ids: Sequence[str], control: int = 900, frequency: str = "") -> bytes:
        body = [
            "BHT*0010*13*ASK*20260930*1200",
            "HL*1**20*1",
            "NM1*PR*2*REVPAY ONE*****PI*REVPAY1",
            "HL*2*1*21*1",
            "NM1*41*2*SYNTHETIC CLINIC*****46*SENDER1",
            "HL*3*2*19*1",
            f"NM1*1P*2*SYNTHETIC CLINIC*****XX*{BILLING_NPI}",
        ]
        for index, claim_id in enumerate(claim_ids):
            body += [
                f"HL*{index + 4}*3*22*0",
                "DMG*D8*19800101*F",
                "NM1*IL*1*TESTPERSON*ANNA****MI*W0000000A1",
                f"TRN*1*TRACE{index}",
                f"REF*EJ*{claim_id}",
                *([f"REF*BLT*11{frequency}"] if frequency else []),
            ]
        return write_envelope(control, body, "HR", "005010X212", "276", "0", "SENDER1")

    return build


@pytest.fixture
def sample_claim() -> type[SampleClaim]:
    return SampleClaim


@pytest.fixture
def sample_line() -> type[SampleLine]:
    return SampleLine
