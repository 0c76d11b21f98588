"""Promises of the 837 writer: what is built reads back equal, balances, validates clean; text cannot break it."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from edi_samples import BILLING, ENVELOPE, HEADER, PATIENT, PAYER, SUBSCRIBER, claim, line, npi
from hypothesis import given, settings
from hypothesis import strategies as st
from revcycle_edi.x12 import (
    ValidationContext,
    X12Error,
    balance_837,
    build_276,
    build_837p,
    inspect_interchanges,
    iter_837p_claims,
    parse_276,
    parse_837p,
    validate,
)
from revcycle_edi.x12.records import (
    Adjustment,
    Delimiters,
    Demographics,
    LineAdjudication,
    Name,
    Note,
    OtherPayer,
    ProfessionalClaim,
    Provider,
    QualifiedDate,
    Reference,
    StatusInquiry,
)

TODAY = ValidationContext(today=date(2026, 6, 1))


def rich_claim() -> ProfessionalClaim:
    """A secondary claim that uses most of what the records offer."""
    other = OtherPayer(
        responsibility="P",
        relationship_code="18",
        subscriber=Name(last_name="TESTER", first_name="ANN", id_qualifier="MI", id="OTHER0001"),
        payer_name="FIRST PAYER",
        payer_id="FIRST",
        paid_cents=10000,
        filing_code="CI",
        payer_claim_control_number="FIRSTCLAIM1",
    )
    decided = LineAdjudication(
        payer_id="FIRST",
        paid_cents=10000,
        procedure_code="G0463",
        units=Decimal(1),
        adjustments=(Adjustment("CO", "45", 4000), Adjustment("PR", "2", 1000, Decimal(1))),
        adjudication_date=date(2026, 5, 20),
    )
    first = msgspec.structs.replace(
        line(),
        modifiers=("25", "GT"),
        adjudications=(decided,),
        references=(Reference("G1", "LINEAUTH"),),
        rendering_provider=Provider(last_name="OTHER", first_name="DOC", npi=npi("167890123")),
        service_to=date(2026, 5, 2),
    )
    return msgspec.structs.replace(
        claim("TEST-RICH"),
        subscriber=msgspec.structs.replace(SUBSCRIBER, responsibility="S"),
        frequency_code="7",
        payer_claim_control_number="PAYER0001",
        prior_authorization_number="AUTH1",
        dates=(QualifiedDate("431", date(2026, 4, 1)),),
        notes=(Note("ADD", "SECOND OPINION"),),
        related_causes=("AA",),
        accident_state="TX",
        accident_date=date(2026, 3, 31),
        patient_paid_cents=1000,
        other_payers=(other,),
        lines=(first, msgspec.structs.replace(line(2550, "2", (2,)), place_of_service="12")),
    )


@pytest.mark.parametrize("sample", [claim(), claim(patient=PATIENT), rich_claim()])
def test_a_built_claim_reads_back_equal_balances_and_validates_clean(sample: ProfessionalClaim) -> None:
    data = build_837p(ENVELOPE, HEADER, [sample])
    (transaction,) = parse_837p(data)
    assert transaction.claims == (sample,)
    assert transaction.envelope == ENVELOPE
    assert transaction.header == HEADER
    assert [e for e in balance_837(sample) if not e.balanced] == []
    assert validate(data, context=TODAY) == []
    assert b"\n" not in data


def test_claims_share_levels_and_split_into_transactions() -> None:
    claims = [claim(f"TEST-{n}", patient=PATIENT if n % 3 == 0 else None) for n in range(7)]
    data = build_837p(ENVELOPE, HEADER, claims, claims_per_transaction=5)
    (summary,) = inspect_interchanges(data)
    assert [t.control_number for t in summary.groups[0].transactions] == ["0001", "0002"]
    assert {c.claim_id for c in iter_837p_claims(data)} == {c.claim_id for c in claims}
    assert data.count(b"HL*1**20*1") == 2
    assert validate(data, context=TODAY) == []
    assert [t.header.reference for t in parse_837p(data)] == ["B000017", "B000017-2"]


def test_rendering_provider_equal_to_billing_is_left_out() -> None:
    same = msgspec.structs.replace(claim(), rendering_provider=Provider(last_name="SYNTHETIC CLINIC", npi=BILLING.npi))
    assert b"NM1*82" not in build_837p(ENVELOPE, HEADER, [same])


def test_amounts_have_no_trailing_zeros_and_codes_no_points() -> None:
    sample = msgspec.structs.replace(claim(), diagnosis_codes=("E11.9", "I10"))
    data = build_837p(ENVELOPE, HEADER, [sample])
    assert b"CLM*TEST-1*175.5*" in data
    assert b"HI*ABK:E119*ABF:I10~" in data


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"frequency_code": "7"}, "837.write.f8"),
        ({"diagnosis_codes": ()}, "837.write.diagnoses"),
        ({"diagnosis_codes": tuple(f"A0{n}" for n in range(13))}, "837.write.diagnoses"),
        ({"lines": ()}, "837.write.lines"),
        ({"claim_id": "A*B"}, "x12.write.character"),
        ({"claim_id": ""}, "x12.write.missing"),
        ({"claim_id": "X" * 39}, "x12.write.long"),
        ({"charge_cents": -1}, "837.write.amount"),
        ({"lines": (line(pointers=(3,)),)}, "837.write.pointer"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_rule_and_remedy(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(X12Error) as caught:
        build_837p(ENVELOPE, HEADER, [msgspec.structs.replace(claim(), **changes)])
    assert caught.value.rule == rule
    assert caught.value.expected


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=9, max_size=9))
def test_hostile_text_never_changes_the_segment_count(texts: list[str]) -> None:
    """X12 has no escape: names, streets and notes must not be able to add or remove a segment."""
    subscriber = msgspec.structs.replace(
        SUBSCRIBER,
        last_name="T" + texts[0],
        first_name=texts[1],
        middle_name=texts[2],
        suffix=texts[3],
        group_name=texts[4],
        address=msgspec.structs.replace(BILLING.address, line1="1 " + texts[5], line2=texts[6], city="AB" + texts[7]),
    )
    hostile = msgspec.structs.replace(
        claim(),
        subscriber=subscriber,
        billing_provider=msgspec.structs.replace(BILLING, name="C" + texts[8]),
        payer=msgspec.structs.replace(PAYER, name="P" + texts[0]),
        notes=(Note("ADD", "N" + texts[1]),),
        lines=(msgspec.structs.replace(line(17550), description=texts[2]),),
    )
    plain = msgspec.structs.replace(claim(), notes=(Note("ADD", "N"),), lines=(line(17550),))
    data = build_837p(ENVELOPE, HEADER, [hostile])
    assert data.count(b"~") == build_837p(ENVELOPE, HEADER, [plain]).count(b"~")
    assert [f for f in validate(data, context=TODAY) if f.answer != "277ca"] == []
    assert parse_837p(data)[0].claims[0].claim_id == "TEST-1"


def test_chosen_delimiters_are_used_and_read_back() -> None:
    envelope = msgspec.structs.replace(ENVELOPE, delimiters=Delimiters("|", ">", "!", "\n"))
    data = build_837p(envelope, HEADER, [claim()])
    assert b"CLM|TEST-1|" in data and b"~" not in data
    assert parse_837p(data)[0].claims == (claim(),)
    assert validate(data, context=TODAY) == []


def test_status_inquiries_read_back_equal_with_one_trace_each() -> None:
    payer = Name(last_name="TEST PAYER", entity_type="2", id_qualifier="PI", id="TESTPAYER")
    receiver = Name(last_name="REVCYCLE", entity_type="2", id_qualifier="46", id="RC01")
    provider = Name(last_name="SYNTHETIC CLINIC", entity_type="2", id_qualifier="XX", id=BILLING.npi)
    subscriber = Name(last_name="TESTER", first_name="ANN", id_qualifier="MI", id="TEST0001")
    inquiries = tuple(
        StatusInquiry(
            trace_number=f"T{n}",
            payer=payer,
            receiver=receiver,
            provider=provider,
            subscriber=subscriber,
            subscriber_demographics=Demographics(birth_date=date(1980, 1, 2), sex="F"),
            claim_id=f"TEST-{n}",
            charge_cents=17550,
            service_from=date(2026, 5, 1),
        )
        for n in range(3)
    )
    data = build_276(ENVELOPE, "REF1", inquiries)
    assert parse_276(data)[0].inquiries == inquiries
    assert data.count(b"HL*") == 4
