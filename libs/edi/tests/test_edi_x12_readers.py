"""Promises of the readers: typed values, exact positions, nothing lost, nothing but X12Error."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from edi_bases import clean_271
from edi_samples import clean_835, interchange
from hypothesis import given, settings
from hypothesis import strategies as st
from revcycle_edi.npi import is_valid_npi, npi_check_digit
from revcycle_edi.x12 import (
    X12Error,
    balance_835,
    emit,
    emit_stream,
    inspect_interchanges,
    parse_271,
    parse_276,
    parse_277,
    parse_277ca,
    parse_835,
    parse_837p,
    parse_999,
    parse_document,
    parse_ta1,
    validate,
)
from revcycle_edi.x12.values import format_cents, parse_cents, parse_quantity


def test_npi_golden_vectors() -> None:
    assert is_valid_npi("1234567893")
    assert not is_valid_npi("1234567890")
    assert not is_valid_npi("3234567893")
    assert npi_check_digit("123456789") == "3"


@given(st.integers(-(10**12), 10**12))
def test_money_survives_the_wire_to_the_cent(cents: int) -> None:
    text = format_cents(cents)
    assert parse_cents(text) == cents
    assert not text.endswith(".") and "e" not in text


@pytest.mark.parametrize("text", ["", "1e3", "1,000", "+5", "1.005", "--1", "١", "1.2.3", "1 "])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(X12Error):
        parse_cents(text)


@pytest.mark.parametrize("text", ["9" * 17, "9" * 18, "-" + "9" * 17 + ".5"])
def test_an_amount_beyond_64_bits_of_cents_is_refused(text: str) -> None:
    """Promise: what is read as an amount can be stored and written as JSON."""
    with pytest.raises(X12Error):
        parse_cents(text)
    assert msgspec.json.encode(parse_cents("9" * 16 + ".99")) == b"9" * 18


@pytest.mark.parametrize("text", [".-5", "-", "--1", ".", "1e3", "5-"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """Promise: a quantity that is none is an X12Error, never an error of the decimal module."""
    with pytest.raises(X12Error):
        parse_quantity(text)


def test_835_is_read_with_cents_dates_and_line_keys() -> None:
    remittance = parse_835(clean_835())[0]
    assert remittance.paid_cents == 15000
    assert (remittance.trace_number, remittance.payment_method) == ("EFT0001", "ACH")
    assert remittance.payment_date == date(2026, 6, 10)
    assert remittance.payee.tax_id == "123456789"
    paid, denied = remittance.claims
    assert (paid.charge_cents, paid.paid_cents, paid.patient_responsibility_cents) == (20000, 16400, 1600)
    assert paid.remark_codes == ("MA01",)
    assert [line.control_number for line in paid.lines] == ["1", "2"]
    assert paid.lines[0].allowed_cents == 14000 and paid.lines[1].allowed_cents is None
    assert paid.lines[0].units_paid == Decimal(1)
    assert denied.patient_responsibility_cents is None
    assert denied.lines[0].remark_codes == ("N706",)
    assert remittance.provider_adjustments[0].reason_code == "WO"
    assert remittance.provider_adjustments[0].reference == "PAYER0009"


def test_a_clean_835_balances_on_every_level_and_validates() -> None:
    equations = balance_835(parse_835(clean_835())[0])
    assert {e.level for e in equations} == {"line", "claim", "patient_responsibility", "transaction"}
    assert [e for e in equations if not e.balanced] == []
    assert validate(clean_835()) == []


@pytest.mark.parametrize(
    ("old", "new", "level"),
    [
        (b"SVC*HC:G0463*150*130", b"SVC*HC:G0463*150*131", "line"),
        (b"CLP*TEST-1*1*200*164", b"CLP*TEST-1*1*200*163", "claim"),
        (b"*164*16*12*", b"*164*17*12*", "patient_responsibility"),
        (b"BPR*I*150*", b"BPR*I*151*", "transaction"),
    ],
)
def test_an_unbalanced_835_names_the_failing_equation(old: bytes, new: bytes, level: str) -> None:
    data = clean_835().replace(old, new)
    assert level in {e.level for e in balance_835(parse_835(data)[0]) if not e.balanced}


def test_forward_balance_chain_of_three_remittances_balances() -> None:
    """Golden vector: money owed moves by PLB*FB through three remittances."""
    template = (
        "BPR*I*{bpr}*C*CHK************20260610\nTRN*1*{trace}*1999999999\nN1*PR*P\nN1*PE*C*XX*1234567893\nLX*1\n{rest}"
    )
    claims = "CLP*A*{status}*{amount}*{amount}**12*P1\nCAS*CO*45*0.01\nCAS*OA*45*-0.01\n"
    parts = [
        ("0", "A", claims.format(status=22, amount=-100) + "PLB*1234567893*20261231*FB:A*-100"),
        ("0", "B", claims.format(status=1, amount=60) + "PLB*1234567893*20261231*FB:A*100*FB:B*-40"),
        ("460", "C", claims.format(status=1, amount=500) + "PLB*1234567893*20261231*FB:B*40"),
    ]
    cash = 0
    for bpr, trace, rest in parts:
        data = interchange(
            "835", "005010X221A1", "HP", template.format(bpr=bpr, trace=trace, rest=rest), with_version=False
        )
        remittance = parse_835(data)[0]
        assert [e for e in balance_835(remittance) if not e.balanced] == []
        cash += remittance.paid_cents
    assert cash == 46000


def test_content_hash_ignores_control_numbers_and_line_breaks_but_not_a_cent() -> None:
    data = clean_835()
    same = (
        data.replace(b"ST*835*0001", b"ST*835*7777")
        .replace(b"SE*39*0001", b"SE*39*7777")
        .replace(b"*000000009", b"*000000010")
    )
    first = parse_835(data)[0].content_sha256
    assert parse_835(same)[0].content_sha256 == first
    assert parse_835(data.replace(b"~", b"~\r\n"))[0].content_sha256 == first
    assert parse_835(data.replace(b"BPR*I*150*", b"BPR*I*150.01*"))[0].content_sha256 != first


def test_ta1_says_which_interchange_and_why() -> None:
    data = (
        b"ISA*00*          *00*          *ZZ*TESTPAYER      *ZZ*REVCYCLE       *260601*1230*^*00501*000000009*0*T*:~"
        b"TA1*000000017*260601*1200*R*025~IEA*0*000000009~"
    )
    (found,) = parse_ta1(data)
    assert (found.control_number, found.code, found.note_code, found.accepted) == (17, "R", "025", False)


def test_999_says_which_sets_were_rejected_and_where() -> None:
    data = interchange(
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
IK4*5:3*1325*7*X
IK5*R*5
AK9*P*2*2*1
""",
    )
    (ack,) = parse_999(data)
    assert not ack.accepted and ack.code == "P"
    assert ack.accepts("0001") and not ack.accepts("0002")
    # A payer that keeps its numbers as numbers drops the zeros, another fills them up to nine digits.
    for one, two in ((b"1", b"2"), (b"000000001", b"000000002"), (b"0001 ", b"0002 ")):
        (echoed,) = parse_999(data.replace(b"837*0001", b"837*" + one).replace(b"837*0002", b"837*" + two))
        assert echoed.accepts("0001") and not echoed.accepts("0002")
    # Without IK5 for the set, the verdict on the group is the only one there is.
    (silent,) = parse_999(data.replace(b"IK5*A~", b"").replace(b"AK9*P*2*2*1", b"AK9*E*2*2*2"))
    assert silent.accepts("0001") and not silent.accepts("0002")
    error = ack.transactions[1].segment_errors[0]
    assert (error.segment, error.position, error.loop, error.code) == ("CLM", 22, "2300", "8")
    assert error.contexts == (("CLM01:TEST-1",),)
    assert (error.element_errors[0].element, error.element_errors[0].component, error.element_errors[0].code) == (
        5,
        3,
        "7",
    )


CA_BODY = """
BHT*0085*08*REF1*20260601*1230*TH
HL*1**20*1
NM1*PR*2*TEST PAYER*****PI*TESTPAYER
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
NM1*85*2*SYNTHETIC CLINIC*****XX*1234567893
TRN*1*0
STC*A1:19:PR**WQ*376
HL*4*3*PT*0
NM1*QC*1*TESTER*ANN****MI*TEST0001
TRN*2*TEST-1
STC*A2:20:PR*20260601*WQ*175.5
REF*1K*PAYER0001
DTP*472*D8*20260501
HL*5*3*PT*0
NM1*QC*1*TESTER*BO****MI*TEST0002
TRN*2*TEST-2
STC*A7:562:85*20260601*U*200.5******A8:400
DTP*472*D8*20260501
SVC*HC:G0463*200.5*****1
STC*A7:507**U
REF*FJ*1
"""


def test_277ca_gives_each_claim_its_verdict() -> None:
    (report,) = parse_277ca(interchange("277", "005010X214", "HN", CA_BODY))
    assert report.batch_reference == "B000017"
    assert (report.accepted_count, report.rejected_count, report.rejected_cents) == (1, 1, 20050)
    accepted, rejected = report.claims
    assert (accepted.claim_id, accepted.outcome, accepted.payer_claim_control_number) == (
        "TEST-1",
        "accepted",
        "PAYER0001",
    )
    assert (rejected.claim_id, rejected.outcome) == ("TEST-2", "rejected")
    assert [code.text for code in rejected.statuses[0].codes] == ["A7:562:85", "A8:400"]
    assert rejected.lines[0].control_number == "1"


def test_277_not_found_is_told_apart_from_pending_and_paid() -> None:
    head = """
BHT*0010*08*R1*20260601*1230*DG
HL*1**20*1
NM1*PR*2*TEST PAYER*****PI*TESTPAYER
HL*2*1*21*1
NM1*41*2*REVCYCLE*****46*RC01
HL*3*2*19*1
NM1*1P*2*SYNTHETIC CLINIC*****XX*1234567893
HL*4*3*22*0
NM1*IL*1*TESTER*ANN****MI*TEST0001
"""
    body = head + "".join(
        f"TRN*2*T{index}\nSTC*{status}*20260601**175.5*{paid}\nREF*EJ*TEST-{index}\n"
        for index, (status, paid) in enumerate(
            [("A4:35", "0"), ("P1:20", "0"), ("F1:65", "164"), ("D0:35", "0"), ("A1:20", "")]
        )
    )
    (transaction,) = parse_277(interchange("277", "005010X212", "HN", body))
    assert [a.state for a in transaction.answers] == ["not_found", "pending", "paid", "not_found", "received"]
    assert [a.claim_id for a in transaction.answers] == [f"TEST-{i}" for i in range(5)]
    assert transaction.answers[2].statuses[0].paid_cents == 16400


def test_inspection_tells_what_to_dispatch() -> None:
    (summary,) = inspect_interchanges(interchange("277", "005010X214", "HN", CA_BODY))
    assert (summary.control_number, summary.sender_id, summary.usage) == (9, "TESTPAYER", "T")
    assert [(g.functional_id, g.version, g.transactions[0].transaction_type) for g in summary.groups] == [
        ("HN", "005010X214", "277")
    ]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\r\n  "])
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_the_reader_is_lossless_whatever_the_line_ends_and_chunks(ending: bytes, chunk: int) -> None:
    data = (clean_835() + interchange("277", "005010X214", "HN", CA_BODY)).replace(b"~", b"~" + ending)
    assert emit(parse_document(data)) == data
    assert b"".join(emit_stream(data[i : i + chunk] for i in range(0, len(data), chunk))) == data


def test_other_delimiters_give_the_same_records() -> None:
    data = clean_835()
    other = data.translate(bytes.maketrans(b"*:^~", b"|>!\n"))
    first, second = parse_835(data)[0], parse_835(other)[0]
    assert first.claims == second.claims
    assert first.content_sha256 == second.content_sha256


def test_counted_binary_data_may_hold_delimiters() -> None:
    payload = "A~B*C:D~IEA*1*X"
    data = interchange("275", "006020X314", "PI", f"BGN*02*1*20260601\nBDS*B64*{len(payload)}*{payload}")
    document = parse_document(data)
    segment = next(s for s in document.interchanges[0].segments if s.elements[0] == "BDS")
    assert segment.elements == ("BDS", "B64", str(len(payload)), payload)
    assert emit(document) == data


def test_an_empty_segment_neither_hides_what_follows_nor_passes_unseen() -> None:
    """Two terminators in a row once ended the reading silently."""
    data = clean_835().replace(b"~LX*1~", b"~~LX*1~")
    assert len(parse_835(data)[0].claims) == 2
    assert "999.segment.1" in {f.rule for f in validate(data)}
    assert [f.rule for f in validate(clean_835()[:106] + b"~" * 50)][-1] == "x12.truncated"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"hello", "x12.isa"),
        (b"ISA*00*short~", "x12.isa"),
        (clean_835()[:-12], "x12.truncated"),
        (clean_835().replace(b"*^*00501", b"***00501"), "x12.isa"),
        (b"\x00" * 500, "x12.isa"),
    ],
)
def test_unreadable_input_is_one_precise_error_and_one_finding(data: bytes, rule: str) -> None:
    with pytest.raises(X12Error) as caught:
        parse_835(data)
    assert caught.value.rule == rule
    assert [f.rule for f in validate(data)][-1] == rule


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_is_named(mark: bytes) -> None:
    """An editor puts it there; the refusal says so and not that the header has the wrong widths."""
    (finding,) = validate(mark + clean_835())
    assert (finding.rule, finding.byte_offset) == ("x12.isa", 0)
    assert "byte order mark" in finding.message and "ISA" in finding.expected


def test_a_bad_value_names_segment_and_byte() -> None:
    data = clean_835().replace(b"CLP*TEST-1*1*200*", b"CLP*TEST-1*1*2O0*")
    with pytest.raises(X12Error) as caught:
        parse_835(data)
    assert caught.value.segment == "CLP"
    assert data[caught.value.byte_offset :].startswith(b"CLP*TEST-1")
    assert "2O0" not in str(caught.value)


PARSERS = (parse_835, parse_837p, parse_ta1, parse_999, parse_277ca, parse_276, parse_277, inspect_interchanges)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_input_never_raises_anything_but_x12error(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([clean_835(), interchange("277", "005010X214", "HN", CA_BODY)]))
    damaged = bytearray(source)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        replacement = data.draw(st.sampled_from([b"", b"*", b"~", b":", b"\xff", b"-", b"9", b"ISA*", b"~HL*1~"]))
        damaged[at : at + data.draw(st.integers(0, 9))] = replacement
    for parse in PARSERS:
        try:
            parse(bytes(damaged))
        except X12Error:
            pass
    validate(bytes(damaged))


def test_what_stands_where_a_name_belongs_is_in_no_message() -> None:
    """Promise: no error and no finding repeats what a broken file says of a patient."""
    broken = clean_835().replace(b"~BPR*", b"~HIDDEN PERSON 19800102~BPR*")
    with pytest.raises(X12Error) as caught:
        parse_835(broken)
    assert caught.value.segment == "?" and "HIDDEN" not in str(caught.value)
    findings = validate(broken)
    assert findings and not any("HIDDEN" in str(finding) for finding in findings)


def test_an_eligibility_answer_carries_the_trace_of_its_question() -> None:
    """Promise: an answer is found by the number we asked under, wherever the payer puts a number of its own."""
    ours, theirs = b"TRN*2*TRACE1*9123456789~", b"TRN*1*PAYERS*1999999999~"
    for traces in (ours + theirs, theirs + ours):
        (answer,) = parse_271(clean_271().replace(ours, traces, 1))[0].answers
        assert (answer.trace_number, answer.trace_company) == ("TRACE1", "9123456789")
        assert answer.extra_segments == (("TRN", "1", "PAYERS", "1999999999"),)
