"""Promises of the other writers: what is read is written back, what is written reads back equal and validates clean."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from edi_bases import (
    BASES,
    clean_270,
    clean_271,
    clean_275,
    clean_276,
    clean_277,
    clean_277ca,
    clean_277rfai,
    clean_278,
    clean_837d,
    clean_837i,
    clean_837p,
    clean_999,
)
from edi_samples import clean_835
from edi_writing import TODAY, written_answers
from hypothesis import given, settings
from hypothesis import strategies as st
from revcycle_edi import x12
from revcycle_edi.x12 import X12Error, validate

# Any: each pair is of one transaction type, which the list cannot say.
ROUND_TRIPS: dict[str, tuple[bytes, Callable[[bytes], list[Any]], Callable[[Any], bytes]]] = {
    "270": (clean_270(), x12.parse_270, lambda t: x12.build_270(t.envelope, t.reference, t.inquiries)),
    "271": (clean_271(), x12.parse_271, lambda t: x12.build_271(t.envelope, t.reference, t.answers)),
    "276": (clean_276(), x12.parse_276, lambda t: x12.build_276(t.envelope, t.reference, t.inquiries)),
    "277": (clean_277(), x12.parse_277, lambda t: x12.build_277(t.envelope, t.reference, t.answers)),
    "277CA": (clean_277ca(), x12.parse_277ca, lambda t: x12.build_277ca([t])),
    "277RFAI": (clean_277rfai(), x12.parse_277rfai, lambda t: x12.build_277rfai(t.envelope, t.reference, t.requests)),
    "278": (clean_278(), x12.parse_278, lambda t: x12.build_278(t.envelope, t.reference, t.reviews, purpose=t.purpose)),
    "275": (clean_275(), x12.parse_275, lambda t: x12.build_275([t])),
    "999": (clean_999(), x12.parse_999, lambda t: x12.build_999([t])),
    "835": (clean_835(), x12.parse_835, lambda t: x12.build_835([t])),
    "837I": (clean_837i(), x12.parse_837i, lambda t: x12.build_837i(t.envelope, t.header, t.claims)),
    "837D": (clean_837d(), x12.parse_837d, lambda t: x12.build_837d(t.envelope, t.header, t.claims)),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_what_is_read_is_written_and_reads_back_equal(name: str) -> None:
    data, parse, build = ROUND_TRIPS[name]
    if name == "275":
        data = clean_275().replace(b"BDS*B64*9*QUJD~RA==", b"BDS*B64*8*QUJDREVG")
    (record,) = parse(data)
    again = build(record)
    assert validate(again, context=TODAY) == []
    (back,) = parse(again)
    if name == "835":
        assert back.content_sha256 != "" and record.content_sha256 != ""
        record = msgspec.structs.replace(record, content_sha256=back.content_sha256)
    assert back == record


def test_every_question_of_an_inquiry_is_read_and_written_back() -> None:
    """Promise: who asks about two procedures beside the service types is answered on all three."""
    data = clean_270().replace(b"EQ*30~", b"EQ*30^98~EQ**HC:G0463~EQ**HC:J1030~", 1)
    (transaction,) = x12.parse_270(data)
    asked = [(each.service_type_codes, each.procedure) for each in transaction.inquiries]
    assert asked == [(("30", "98"), ()), ((), ("HC", "G0463")), ((), ("HC", "J1030"))]
    (back,) = x12.parse_270(x12.build_270(transaction.envelope, transaction.reference, transaction.inquiries))
    assert back.inquiries == transaction.inquiries


def test_what_cannot_be_written_is_refused_and_not_left_out() -> None:
    """Promise: a thirteenth diagnosis, or the rejection of a provider without its trace, is not dropped in silence."""
    (reviewed,) = x12.parse_278(clean_278())
    review = msgspec.structs.replace(reviewed.reviews[0], diagnoses=(("ABF", "E119"),) * 13)
    with pytest.raises(X12Error, match=r"278\.write\.diagnoses"):
        x12.build_278(reviewed.envelope, reviewed.reference, [review])
    (report,) = x12.parse_277ca(clean_277ca())
    provider = msgspec.structs.replace(report.providers[0], statuses=report.batch_statuses)
    with pytest.raises(X12Error, match="provider trace"):
        x12.build_277ca([msgspec.structs.replace(report, providers=(provider,))])


def test_a_provider_summary_without_claims_is_written_back() -> None:
    """Promise: nothing that was read is lost in writing; payers send a TS3 for a day without claims."""
    data = clean_835().replace(b"LX*1~", b"LX*1~TS3*1234567893*11*20261231*2*275~")
    data = data.replace(b"~PLB*", b"~LX*2~TS3*1234567893*11*20261231*0*0~PLB*").replace(b"SE*40*", b"SE*43*")
    (record,) = x12.parse_835(data)
    (back,) = x12.parse_835(x12.build_835([record]))
    assert [number for number, _ in record.provider_summaries] == ["1", "2"]
    assert back == record


@pytest.mark.parametrize("name", BASES)
def test_explain_names_every_segment_and_hides_persons(name: str) -> None:
    data = BASES[name]()
    lines = list(x12.explain(data))
    assert len(lines) == data.count(b"~") - (name == "275")
    assert not any("TESTER" in line or "TEST0001" in line for line in lines)
    assert name == "999" or any("TESTER" in line for line in x12.explain(data, mask=False))


@pytest.mark.parametrize(
    "segment",
    [
        "PAT*****D8*HIDDEN",
        "INS*Y*18*001*25*******D8*HIDDEN",
        "NM1*IL*1****HIDDEN**MI",
        "REF*SY**HIDDEN*D9:HIDDEN",
        "PWK*OZ*EL***AC*HIDDEN",
        "HCR*A1*HIDDEN",
        "N2*HIDDEN",
        "MEA*TR*R1*HIDDEN",
        "ZZZ*HIDDEN",
        "nm1*IL*1*HIDDEN",
        "HIDDEN PERSON|1*2",
    ],
)
def test_explain_hides_what_may_be_a_person_wherever_it_stands(segment: str) -> None:
    """Promise: a date of death, an attachment number, a segment nobody knows: the masked account shows none."""
    data = clean_837p().replace(b"~CLM*", f"~{segment}~CLM*".encode(), 1)
    assert not any("HIDDEN" in line for line in x12.explain(data))
    assert any("HIDDEN" in line for line in x12.explain(data, mask=False))


@pytest.mark.parametrize("name", BASES)
def test_json_and_back_gives_the_same_bytes(name: str) -> None:
    data = BASES[name]().replace(b"~GE", b"~\r\nGE")
    assert x12.from_json(x12.to_json(data)) == data


@pytest.mark.parametrize("text", [b"", b"[]", b'{"interchanges": 1}', b'{"interchanges": [], "trailer": "\\u4e2d"}'])
def test_json_of_another_shape_is_refused(text: bytes) -> None:
    with pytest.raises(X12Error):
        x12.from_json(text)


def test_split_and_merge_keep_every_claim_and_validate() -> None:
    data = clean_837p()
    parts = list(x12.split_837(data, first_control_number=17))
    assert [claim_id for claim_id, _ in parts] == ["TEST-1", "TEST-2", "TEST-3"]
    assert all(validate(part, context=TODAY) == [] for _, part in parts)
    assert x12.merge_837([part for _, part in parts], control_number=17) == data


def _ask_everything(payload: bytes) -> None:
    findings = validate(payload, context=TODAY)
    assert all(f.message and f.rule for f in findings)
    for written in written_answers(payload):
        assert written.startswith(b"ISA")
    for read in (
        *(parse for _, parse, _ in ROUND_TRIPS.values()),
        x12.parse_837p,
        lambda d: list(x12.explain(d)),
    ):
        try:
            read(payload)
        except X12Error:
            pass


@pytest.mark.parametrize("name", sorted(BASES))
def test_an_element_that_only_looks_like_a_number_raises_nothing_but_x12error(name: str) -> None:
    """Promise: a digit that is none to int, such as a superscript, is a finding wherever it stands."""
    segments = [segment.split(b"*") for segment in BASES[name]().split(b"~")]
    for segment in segments[1:]:
        for index in range(1, len(segment)):
            kept, segment[index] = segment[index], b"\xb2"
            _ask_everything(b"~".join(map(b"*".join, segments)))
            segment[index] = kept


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_never_raise_anything_but_x12error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(BASES)))
    damaged = bytearray(BASES[name]())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        replacement = data.draw(st.sampled_from([b"", b"*", b"~", b":", b"^", b"\xff", b"-", b"0", b"~LX*1~", b"\n"]))
        damaged[at : at + data.draw(st.integers(0, 12))] = replacement
    payload = bytes(damaged)
    _ask_everything(payload)
    try:
        assert b"".join(x12.emit_stream(payload)) == payload
    except X12Error:
        pass
