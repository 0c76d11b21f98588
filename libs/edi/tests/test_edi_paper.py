"""Promises of the paper forms: every value of a claim stands in its box, read back from the PDF at its place."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from io import BytesIO
from itertools import pairwise

import msgspec
import pytest
from edi_bases import OTHER, institutional
from edi_samples import BILLING, PATIENT, PAYER, RENDERING, SUBSCRIBER, claim, line, npi
from pypdf import PdfReader
from revcycle_edi.paper import CMS1500, UB04, cms1500_pages, render_cms1500, render_ub04, ub04_pages
from revcycle_edi.paper.layout import Form
from revcycle_edi.x12 import X12Error, build_837i, build_837p, parse_837i, parse_837p
from revcycle_edi.x12.records import (
    CodedDiagnosis,
    Contact,
    Drug,
    HealthInformation,
    InstitutionalClaim,
    InstitutionalLine,
    Note,
    ProfessionalClaim,
    Provider,
    QualifiedDate,
    Reference,
)
from revcycle_edi.x12.records.claim import Attachment

DAY = date(2026, 5, 1)
Typed = dict[tuple[float, float], tuple[str, float]]
"""What a page says in the typewriter's face: (x, y) of its start in points -> (text, size)."""


def typed(pdf: bytes) -> list[Typed]:
    """The typed values of each page."""
    found: list[Typed] = []
    for page in PdfReader(BytesIO(pdf)).pages:
        values: Typed = {}

        def visit(
            text: str,
            _: object,
            matrix: list[float],
            font: Mapping[str, object] | None,
            size: float,
            at: Typed = values,
        ) -> None:
            if text.strip() and font is not None and font["/BaseFont"] == "/Courier":
                at[(round(matrix[4], 1), round(matrix[5], 1))] = (text.strip(), size)

        page.extract_text(visitor_text=visit)
        found.append(values)
    return found


def assert_every_value_is_at_its_place(form: Form, pages: list[dict[str, str]], pdf: bytes) -> None:
    """Each field of each page is found where the map puts it, and nothing else is typed."""
    read = typed(pdf)
    assert len(read) == len(pages)
    fields = {field.name: field for field in form.fields}
    for values, found in zip(pages, read, strict=True):
        expected = {}
        for name, value in values.items():
            field = fields[name]
            x, y = form.position(field)
            shown = value[: field.columns].rstrip() if field.kind == "text" else value
            size = 12.0 if len(shown) <= field.columns else 12.0 * field.columns / len(shown)
            if field.kind == "amount":
                x += field.columns * 7.2 - len(shown) * size * 0.6
            if shown:
                expected[(round(x, 1), round(y, 1))] = (name, shown)
        assert {at: text for at, (text, _) in found.items()} == {at: shown for at, (_, shown) in expected.items()}


def full_claim() -> ProfessionalClaim:
    """A claim with something for every box of the CMS-1500."""
    drug = msgspec.structs.replace(
        line(2550, "2", (2, 12), "J1030"),
        drug=Drug(ndc="12345678901", quantity=Decimal("1.5"), unit="ML"),
        description="SYNTHETIC INJECTION",
        place_of_service="12",
        emergency=True,
        family_planning=True,
        modifiers=("25", "GT", "59", "KX"),
        service_to=date(2026, 5, 2),
        extra_segments=(("PS1", npi("134567890"), "12.5"),),
        rendering_provider=Provider(
            last_name="OTHER", first_name="DOC", npi=npi("167890123"), references=(Reference("G2", "LEGACY1"),)
        ),
    )
    dates = (("431", 1), ("454", 2), ("360", 3), ("361", 4), ("435", 5), ("096", 6))
    return msgspec.structs.replace(
        claim("TEST-PAPER-00000001", patient=PATIENT),
        subscriber=msgspec.structs.replace(
            SUBSCRIBER,
            middle_name="QUINN",
            suffix="JR",
            group_name="TEST PLAN",
            references=(Reference("Y4", "CLAIMNO1"),),
        ),
        payer=msgspec.structs.replace(PAYER, address=BILLING.address),
        billing_provider=msgspec.structs.replace(
            BILLING, contact=Contact(name="DESK", numbers=(("TE", "5550100000"),))
        ),
        other_payers=(msgspec.structs.replace(OTHER, group_number="OTHERGRP", group_name="OTHER PLAN"),),
        related_causes=("AA", "EM", "OA"),
        accident_state="TX",
        accident_date=date(2026, 4, 30),
        condition_codes=("A1", "W2"),
        dates=tuple(QualifiedDate(qualifier, date(2026, 4, day)) for qualifier, day in dates),
        referring_provider=Provider(
            last_name="REFERRER", first_name="DOC", npi=npi("178901234"), references=(Reference("0B", "STATE1"),)
        ),
        service_facility=Provider(
            last_name="SITE",
            entity_type="2",
            npi=npi("145678901"),
            address=BILLING.address,
            references=(Reference("G2", "SITE1"),),
        ),
        notes=(Note("ADD", "Second opinion"),),
        attachments=(Attachment(report_type="OZ", transmission="EL", control_number="ATT1"),),
        frequency_code="7",
        payer_claim_control_number="PAYER0001",
        prior_authorization_number="AUTH1",
        patient_paid_cents=1005,
        diagnosis_codes=tuple(f"E11{n:02d}" for n in range(12)),
        lines=(line(), drug),
    )


EXPECTED_1500 = {
    "1.group": "X", "1a": "TEST0001", "2": "TESTER, BO", "3.month": "03", "3.day": "04", "3.year": "2015", "3.M": "X",
    "4": "TESTER JR, ANN, Q", "5.street": "1 TEST STREET", "5.city": "TESTVILLE", "5.state": "TX",
    "5.postal": "78701-0001", "6.child": "X", "7.street": "1 TEST STREET", "7.city": "TESTVILLE", "7.state": "TX",
    "7.postal": "78701-0001", "9": "TESTER, ANN", "9a": "OTHERGRP", "9d": "OTHER PLAN", "10a.yes": "X", "10b.yes": "X",
    "10b.state": "TX", "10c.yes": "X", "10d": "A1 W2", "11": "GRP1", "11a.month": "01", "11a.day": "02",
    "11a.year": "1980", "11a.F": "X", "11b": "CLAIMNO1", "11c": "TEST PLAN", "11d.yes": "X", "12": "SIGNATURE ON FILE",
    "13": "SIGNATURE ON FILE", "14.month": "04", "14.day": "01", "14.year": "26", "14.qualifier": "431",
    "15.month": "04", "15.day": "02", "15.year": "26", "15.qualifier": "454", "16.from.month": "04",
    "16.from.day": "03", "16.from.year": "26", "16.to.month": "04", "16.to.day": "04", "16.to.year": "26",
    "17.qualifier": "DN", "17": "DOC REFERRER", "17a.qualifier": "0B", "17a": "STATE1", "17b": npi("178901234"),
    "18.from.month": "04", "18.from.day": "05", "18.from.year": "26", "18.to.month": "04", "18.to.day": "06",
    "18.to.year": "26", "19": "SECOND OPINION PWKOZELATT1", "20.yes": "X", "20.charge": "12 50", "21.indicator": "0",
    **{f"21.{letter}": f"E11{n:02d}" for n, letter in enumerate("ABCDEFGHIJKL")},
    "22.code": "7", "22.original": "PAYER0001", "23": "AUTH1",
    "24.1.A.from.month": "05", "24.1.A.from.day": "01", "24.1.A.from.year": "26", "24.1.A.to.month": "05",
    "24.1.A.to.day": "01", "24.1.A.to.year": "26", "24.1.B": "11", "24.1.D": "G0463", "24.1.E": "A",
    "24.1.F": "150 00", "24.1.G": "1", "24.1.I": "ZZ", "24.1.J.other": "207Q00000X", "24.1.J": npi("156789012"),
    "24.2.shaded": "N412345678901 ML1.5   ZZSYNTHETIC INJECTION", "24.2.A.from.month": "05",
    "24.2.A.from.day": "01", "24.2.A.from.year": "26", "24.2.A.to.month": "05", "24.2.A.to.day": "02",
    "24.2.A.to.year": "26", "24.2.B": "12", "24.2.C": "Y", "24.2.D": "J1030", "24.2.D.modifier1": "25",
    "24.2.D.modifier2": "GT", "24.2.D.modifier3": "59", "24.2.D.modifier4": "KX", "24.2.E": "BL", "24.2.F": "25 50",
    "24.2.G": "1", "24.2.H": "Y", "24.2.I": "G2", "24.2.J.other": "LEGACY1", "24.2.J": npi("167890123"),
    "25": "123456789", "25.ein": "X", "26": "TEST-PAPER-00000001", "27.yes": "X", "28": "175 50", "29": "10 05",
    "31": "SIGNATURE ON FILE", "32.name": "SITE", "32.street": "1 TEST STREET",
    "32.city": "TESTVILLE TX 78701-0001", "32a": npi("145678901"), "32b": "G2SITE1", "33.phone": "5550100000",
    "33.name": "SYNTHETIC CLINIC", "33.street": "1 TEST STREET", "33.city": "TESTVILLE TX 78701-0001",
    "33a": npi("123456789"), "33b": "ZZ207Q00000X", "payer.name": "TEST PAYER", "payer.street": "1 TEST STREET",
    "payer.city": "TESTVILLE TX 78701-0001",
}  # fmt: skip


def test_every_box_of_the_cms1500_is_filled_from_the_claim() -> None:
    (page,) = cms1500_pages(full_claim())
    assert {name: value for name, value in page.items() if value} == EXPECTED_1500


def test_every_value_of_the_cms1500_is_read_back_at_its_place() -> None:
    sample = full_claim()
    assert_every_value_is_at_its_place(CMS1500, cms1500_pages(sample), render_cms1500([sample]))


def test_more_than_six_lines_continue_on_further_forms_with_the_total_on_the_last() -> None:
    lines = tuple(line(1000 + n, str(n), (1,)) for n in range(13))
    long = msgspec.structs.replace(claim(), lines=lines, charge_cents=sum(item.charge_cents for item in lines))
    pages = cms1500_pages(long)
    assert ["28" in page for page in pages] == [False, False, True]
    assert [sum(f"24.{n}.F" in page for n in range(1, 7)) for page in pages] == [6, 6, 1]
    assert all(page["26"] == "TEST-1" for page in pages)
    assert_every_value_is_at_its_place(CMS1500, pages, render_cms1500([long]))
    assert len(typed(render_cms1500([long, claim()]))) == 4


def full_institutional() -> InstitutionalClaim:
    """A claim with something for every locator of the UB-04."""
    information = [HealthInformation("BG", f"{n + 10}") for n in range(11)]
    information += [HealthInformation("BH", f"{n + 20}", DAY) for n in range(8)]
    information += [HealthInformation("BI", f"{n + 70}", DAY, date(2026, 5, 2)) for n in range(4)]
    information += [HealthInformation("BE", f"{n + 40}", cents=100 * n + 5) for n in range(12)]
    information += [HealthInformation("BBR", "0SYN001", DAY), HealthInformation("DR", "470")]
    information += [HealthInformation("BBQ", f"0SYN00{n}", DAY) for n in range(2, 7)]
    base = institutional("HOSP-0001")
    person = Provider(
        last_name="SURGEON", first_name="ANY", npi=npi("178901234"), references=(Reference("G2", "SURG1"),)
    )
    return msgspec.structs.replace(
        base,
        patient=None,
        subscriber=msgspec.structs.replace(SUBSCRIBER, responsibility="S", group_name="TEST PLAN"),
        billing_provider=msgspec.structs.replace(BILLING, pay_to_address=BILLING.address),
        information=tuple(information),
        principal_diagnosis=CodedDiagnosis("E119", "Y"),
        admitting_diagnosis="R0789",
        reason_for_visit=("R0781", "R0782", "R0783"),
        external_causes=(CodedDiagnosis("W001", "N"), CodedDiagnosis("W002"), CodedDiagnosis("W003")),
        other_diagnoses=tuple(CodedDiagnosis(f"E11{n:02d}", "Y") for n in range(17)),
        admission_at="202605011430",
        discharge_hour="1600",
        operating_provider=person,
        providers=(("ZZ", person),),
        referring_provider=RENDERING,
        references=(Reference("EA", "MEDREC1"), Reference("LU", "TX")),
        other_payers=(OTHER,),
        payer_claim_control_number="PAYER0001",
        frequency_code="7",
        prior_authorization_number="AUTH1",
        patient_paid_cents=500,
        notes=(Note("ADD", "Something the payer should know about this stay"),),
        extra_segments=(("AMT", "F3", "123.45"),),
        lines=tuple(
            InstitutionalLine(
                revenue_code="0250",
                procedure_code="J1030",
                modifiers=("25",),
                description="A DRUG",
                charge_cents=1000,
                noncovered_cents=50,
                units=Decimal(2),
                service_from=DAY,
            )
            for _ in range(23)
        ),
        charge_cents=23_000,
    )


def test_every_value_of_the_ub04_is_read_back_at_its_place_and_the_total_stands_last() -> None:
    sample = full_institutional()
    pages = ub04_pages(sample)
    assert_every_value_is_at_its_place(UB04, pages, render_ub04([sample]))
    first, last = pages
    assert (first["43.23"], first.get("42.23"), last["42.23"]) == ("PAGE 1 OF 2", None, "0001")
    assert (last["47.23"], last["48.23"], last["42.1"], "42.2" in last) == ("230 00", "11 50", "0250", False)


def test_every_locator_of_the_ub04_is_filled_from_the_claim() -> None:
    page = ub04_pages(full_institutional())[0]
    expected = {
        "1.1": "SYNTHETIC CLINIC", "2.2": "1 TEST STREET", "3a": "HOSP-0001", "3b": "MEDREC1", "4": "0137",
        "5": "123456789", "6.from": "050126", "6.through": "050226", "8a": "TEST0001", "8b": "TESTER, ANN",
        "9a": "1 TEST STREET", "9b": "TESTVILLE", "9c": "TX", "9d": "78701-0001", "10": "01021980", "11": "F",
        "12": "050126", "13": "14", "14": "1", "15": "1", "16": "16", "17": "01", "18": "10", "28": "20", "29": "TX",
        "31a": "20", "31a.date": "050126", "34a": "23", "31b": "24", "35a": "70", "36a": "71", "35b": "72",
        "36b.through": "050226", "39a": "40", "39a.amount": "0 05", "41a": "42", "39b": "43", "41d": "51",
        "42.1": "0250", "43.1": "A DRUG", "44.1": "J103025", "45.1": "050126", "46.1": "2", "47.1": "10 00",
        "48.1": "0 50", "50A": "FIRST PAYER", "51A": "FIRST", "52A": "Y", "53A": "Y", "54A": "100 00", "59A": "18",
        "60A": "OTHER0001", "50B": "TEST PAYER", "51B": "TESTPAYER", "54B": "5 00", "55B": "123 45",
        "56": npi("123456789"), "58B": "TESTER, ANN", "60B": "TEST0001", "61B": "TEST PLAN", "62B": "GRP1",
        "63B": "AUTH1", "64B": "PAYER0001", "66": "0", "67": "E119", "67.poa": "Y", "67A": "E1100", "67A.poa": "Y",
        "67Q": "E1116", "69": "R0789", "70a": "R0781", "70c": "R0783", "71": "470", "72a": "W001", "72a.poa": "N",
        "72c": "W003", "74": "0SYN001", "74.date": "050126", "74e": "0SYN006", "76.npi": npi("156789012"),
        "76.last": "SAMPLE", "77.last": "SURGEON", "77.other.qualifier": "G2", "77.other": "SURG1", "78.role": "ZZ",
        "78.last": "SURGEON", "79.role": "DN", "79.last": "SAMPLE", "80.1": "SOMETHING THE PAYER",
        "81a.qualifier": "B3", "81a": "207Q00000X",
    }  # fmt: skip
    assert {name: page.get(name) for name in expected} == expected


@pytest.mark.parametrize("form", [CMS1500, UB04], ids=["cms1500", "ub04"])
def test_no_two_fields_of_a_form_touch_and_all_stand_on_the_page(form: Form) -> None:
    spans: dict[float, list[tuple[float, float, str]]] = {}
    for field in form.fields:
        x, y = form.position(field)
        right = x + field.columns * 7.2
        assert x > 0 and right < 612 and 0 < y < 792, field.name
        spans.setdefault(y, []).append((x, right, field.name))
    for row in spans.values():
        row.sort()
        for (_, right, name), (left, _, other) in pairwise(row):
            assert right <= left + 0.01, (name, other)
    assert len({field.name for field in form.fields}) == len(form.fields)


def test_an_identifier_is_set_smaller_but_never_cut_and_text_is_cut() -> None:
    sample = msgspec.structs.replace(
        claim("TEST-0123456789-0123"), billing_provider=msgspec.structs.replace(BILLING, name="LONG NAME " * 6)
    )
    (page,) = typed(render_cms1500([sample]))
    texts = {text: size for text, size in page.values()}
    assert texts["TEST-0123456789-0123"] < 12
    assert "LONG NAME LONG NAME LONG NAME" in texts
    with pytest.raises(X12Error, match=r"paper\.long"):
        render_cms1500([claim("X" * 38)])


def test_what_a_form_has_no_place_for_is_refused() -> None:
    with pytest.raises(X12Error, match=r"paper\.payers"):
        render_ub04([msgspec.structs.replace(institutional(), other_payers=(OTHER, OTHER, OTHER))])
    many = tuple(HealthInformation("BG", f"{n + 10}") for n in range(12))
    with pytest.raises(X12Error, match=r"paper\.codes"):
        render_ub04([msgspec.structs.replace(institutional(), information=many)])


@pytest.mark.parametrize("pointer", [0, 3, 13])
def test_a_pointer_to_no_diagnosis_of_the_claim_is_refused(pointer: int) -> None:
    """0 was printed as L, the twelfth diagnosis; 13 ended in an exception of another kind."""
    sample = msgspec.structs.replace(claim(), lines=(line(pointers=(1, pointer)),))
    with pytest.raises(X12Error, match=r"paper\.pointer"):
        render_cms1500([sample])


def test_an_amount_that_was_sent_empty_is_not_printed() -> None:
    """PS1 and AMT*F3 without their amount ended in an IndexError: no claim of the file could be printed."""
    bare = msgspec.structs.replace(line(), extra_segments=(("PS1", "X"),))
    (page,) = cms1500_pages(msgspec.structs.replace(claim(), lines=(bare,)))
    assert "20.charge" not in page
    (stay,) = ub04_pages(msgspec.structs.replace(institutional(), extra_segments=(("AMT", "F3"),)))
    assert not stay["55A"]


@pytest.mark.parametrize("responsibility", ["A", "U"])
def test_a_payer_of_a_later_or_unknown_rank_stands_behind_those_who_come_first(responsibility: str) -> None:
    sample = institutional()
    later = msgspec.structs.replace(sample.subscriber, responsibility=responsibility)
    (page,) = ub04_pages(msgspec.structs.replace(sample, subscriber=later, other_payers=(OTHER,)))
    assert (page["50A"], page["50B"]) == ("FIRST PAYER", "TEST PAYER")


def test_condition_codes_of_the_cms1500_are_never_cut() -> None:
    """Half a code is another code."""
    codes = tuple(f"W{n}" for n in range(9))
    pdf = render_cms1500([msgspec.structs.replace(claim(), condition_codes=codes)])
    assert " ".join(codes) in [text for text, _ in typed(pdf)[0].values()]


def test_the_same_claim_gives_the_same_bytes_and_the_electronic_claim_the_same_form() -> None:
    from edi_samples import ENVELOPE, HEADER

    sample, hospital = claim(), institutional()
    assert render_cms1500([sample]) == render_cms1500([sample])
    (read,) = parse_837p(build_837p(ENVELOPE, HEADER, [sample]))[0].claims
    assert isinstance(read, ProfessionalClaim) and cms1500_pages(read) == cms1500_pages(sample)
    (stay,) = parse_837i(build_837i(ENVELOPE, HEADER, [hospital]))[0].claims
    assert isinstance(stay, InstitutionalClaim) and ub04_pages(stay) == ub04_pages(hospital)
