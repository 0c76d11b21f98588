"""The simulator's own X12 reader and writer."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from revcycle_payer_simulator.claim837 import read_claim_set
from revcycle_payer_simulator.remittance835 import read_remittances
from revcycle_payer_simulator.x12 import (
    Envelope,
    IncompleteInterchangeError,
    format_cents,
    open_set,
    parse_cents,
    parse_date,
    read_interchange,
    segment,
    write_interchange,
)

ENVELOPE = Envelope("REVPAY1", ("ZZ", "SENDER1"), 17, date(2026, 9, 30), datetime(2026, 9, 30, 14, 5, tzinfo=UTC))


def test_a_written_interchange_reads_back_without_fault() -> None:
    body = [open_set("835"), segment("BPR", "I", "10.5"), segment("SVC", ("HC", "T1015"), "1")]
    read = read_interchange(write_interchange(ENVELOPE, "HP", "005010X221A1", [body, body]))
    assert read.fault == ""
    assert read.control_number == "000000017"
    sets = read.groups[0].transactions
    assert [each.control_number for each in sets] == ["0001", "0002"]
    assert sets[0].trailer_codes() == []
    assert sets[0].segments[2] == ("SVC", "HC:T1015", "1")


@given(st.integers(-(10**10), 10**10))
def test_money_survives_writing_and_reading(cents: int) -> None:
    text = format_cents(cents)
    assert parse_cents(text) == cents
    assert not text.endswith(".") and (text == "0" or not text.startswith("0"))


@pytest.mark.parametrize("text", ["", ".", "-", "1.234", "1,00", "1e3", "$5", "--1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    assert parse_cents(text) is None


def test_what_is_no_date_is_refused() -> None:
    assert parse_date("20260230") is None
    assert parse_date("2026090") is None
    assert parse_date("20260901") == date(2026, 9, 1)


def test_delimiters_inside_data_never_reach_the_wire() -> None:
    assert segment("NM1", "A*B~C:D^E", "", "") == "NM1*A B C D E"


def test_delimiters_are_read_from_the_isa(claim_file) -> None:
    plain = claim_file()
    other = plain.replace(b"*", b"|").replace(b":", b">").replace(b"~", b"'\r\n")
    read, expected = read_interchange(other), read_interchange(plain)
    assert read.fault == ""
    assert read.groups[0].transactions[0].segments == expected.groups[0].transactions[0].segments


@pytest.mark.parametrize("cut", [1, 12, 200])
def test_an_interchange_without_its_end_is_incomplete(claim_file, cut: int) -> None:
    with pytest.raises(IncompleteInterchangeError):
        read_interchange(claim_file()[:-cut])


def test_two_interchanges_in_one_body_are_refused(claim_file) -> None:
    with pytest.raises(IncompleteInterchangeError, match="one interchange"):
        read_interchange(claim_file() + claim_file(control=2))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"IEA*1*000000001", b"IEA*1*000000002", "001"),
        (b"IEA*1*", b"IEA*2*", "021"),
        (b"GE*1*1~", b"", "022"),
        (b"*00501*", b"*00401*", "017"),
    ],
)
def test_a_bad_envelope_names_its_fault(claim_file, old: bytes, new: bytes, fault: str) -> None:
    assert read_interchange(claim_file().replace(old, new)).fault == fault


@pytest.mark.parametrize(
    ("old", "new", "segment_id", "code"),
    [
        (b"~HL*2*1*22", b"~HL*3*1*22", "HL", "8"),
        (b"~HL*2*1*22", b"~HL*2*9*22", "HL", "8"),
        (b"~DTP*472*D8*20260901", b"", "DTP", "3"),
        (b"D8*20260901", b"D8*20260231", "DTP", "8"),
        (b"CLM*CLAIM0001*250", b"CLM*CLAIM0001*25x", "CLM", "8"),
        (b"~LX*1", b"~LX*7", "LX", "8"),
        (b"~PER*", b"~QQQ*", "QQQ", "1"),
        (b"~NM1*40*", b"~NM1*4X*", "NM1", "3"),
    ],
)
def test_a_fault_of_syntax_is_found_and_named(claim_file, old: bytes, new: bytes, segment_id: str, code: str) -> None:
    broken = claim_file().replace(old, new)
    claim_set = read_claim_set(read_interchange(broken).groups[0].transactions[0])
    assert (segment_id, code) in [(fault.segment_id, fault.code) for fault in claim_set.faults]
    assert not claim_set.accepted


def test_a_claim_is_read_with_everything_a_plan_looks_at(claim_file, sample_claim, sample_line) -> None:
    line = sample_line("G0444", "19.5".replace(".5", ""), "2", "20260902", "X9", ":GZ", "2:1")
    data = claim_file([sample_claim("C7", "W77777", "7", "1000", "", ("I10", "F320"), [line])])
    claim_set = read_claim_set(read_interchange(data).groups[0].transactions[0])
    assert claim_set.accepted and claim_set.reference == "BATCH1"
    claim = claim_set.claims[0]
    plan = claim.plan_claim(date(2026, 9, 30))
    assert (claim.frequency, claim.original_reference) == ("7", "1000")
    assert (plan.member_id, plan.billing_npi, plan.rendering_npi) == ("W77777", "1900000005", "1700000411")
    assert plan.diagnosis_codes == ("I10", "F320")
    found = plan.lines[0]
    assert (found.code, found.modifiers, found.units, found.charge_cents) == ("G0444", ("GZ",), 2, 1900)
    assert (found.diagnosis_pointers, found.date_of_service) == ((2, 1), date(2026, 9, 2))


def test_published_remittances_balance_except_the_one_known_not_to() -> None:
    """The reader's idea of balance against examples it did not write."""
    root = Path(os.environ.get("REVCYCLE_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
    folder = root / "edi" / "x12-5010" / "835_005010X221A1"
    if not folder.is_dir():
        pytest.skip(f"shared data absent: {folder.name}")
    unbalanced = {
        path.stem
        for path in sorted(folder.glob("*.835"))
        for remittance in read_remittances(read_interchange(path.read_bytes()))
        if not remittance.balanced
    }
    assert unbalanced == {"tertiary-payment"}
