"""Promises of the answers: every file gets one, it is valid, and no two levels of it contradict each other."""

from collections.abc import Iterator

import pytest
from edi_bases import BASES, clean_837p, clean_999
from edi_writing import TODAY, answers
from revcycle_edi import x12
from revcycle_edi.x12 import validate

HOSTILE = (b"A*B", b"A~B", b"*", b"A:B", b"^", b"~SE*2*1", b"some text here", b"")
REPEATED = {"AK101", "AK103", "AK201", "AK202"}
"""What a 999 repeats of the input may be as wrong there as here; so may the NPI that a 277CA repeats."""


def test_a_clean_batch_is_accepted_at_every_level() -> None:
    told = answers(clean_837p())
    assert [a.code for a in told.interchanges] == ["A"]
    assert [a.code for a in told.groups] == ["A"]
    (report,) = told.claims
    assert (report.accepted_count, report.rejected_count, report.batch_reference) == (3, 0, "B000017")
    for built in (x12.build_ta1(told.interchanges), x12.build_999(told.groups), x12.build_277ca(told.claims)):
        assert validate(built) == []


def test_a_syntax_error_is_answered_by_the_999_with_place_and_code_and_no_277ca() -> None:
    told = answers(clean_837p().replace(b"SV1*HC:G0463*150*UN", b"SV1*HC:G0463*150*XX", 1))
    (group,) = told.groups
    assert (group.code, group.accepted_count) == ("R", 0)
    error = group.transactions[0].segment_errors[0]
    assert (error.segment, error.loop, error.code) == ("SV1", "2400", "8")
    assert [(e.element, e.code, e.bad_value) for e in error.element_errors] == [(3, "7", "")]
    assert told.claims == ()
    assert x12.parse_999(x12.build_999(told.groups)) == list(told.groups)


def test_a_bad_claim_is_rejected_alone_and_a_bad_provider_with_all_its_claims() -> None:
    (report,) = answers(clean_837p().replace(b"CLM*TEST-2*175.5", b"CLM*TEST-2*175.6")).claims
    assert [c.outcome for c in report.claims] == ["accepted", "rejected", "accepted"]
    assert [code.text for code in report.claims[1].statuses[0].codes] == ["A7:400"]
    assert report.accepted_cents is not None and report.rejected_cents == 17560
    (report,) = answers(clean_837p().replace(b"N3*1 TEST STREET", b"N3*PO BOX 1", 1)).claims
    assert {c.outcome for c in report.claims} == {"rejected"}


def test_a_broken_interchange_is_answered_by_a_ta1_alone_and_acknowledgments_by_nothing() -> None:
    told = answers(clean_837p()[:-20])
    assert [(a.code, a.note_code) for a in told.interchanges] == [("R", "023")]
    assert told.groups == () and told.claims == ()
    assert answers(clean_999()).groups == ()


def _built(told: x12.Answers) -> Iterator[bytes]:
    if told.interchanges:
        yield x12.build_ta1(told.interchanges)
    if told.groups:
        yield x12.build_999(told.groups)
    if told.claims:
        yield x12.build_277ca(told.claims)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BASES))
def test_whatever_stands_in_an_element_is_answered_validly(name: str) -> None:
    """In a file with other delimiters every one of ours is an ordinary character, and none may become structure."""
    segments = [one.split(b"|") for one in BASES[name]().translate(bytes.maketrans(b"*:^~", b"|>!'")).split(b"'")]
    for segment in segments[1:]:
        for index in range(len(segment)):
            kept = segment[index]
            for value in HOSTILE:
                segment[index] = value
                for built in _built(answers(b"'".join(map(b"|".join, segments)))):
                    found = {(f.rule, f.segment + f.element) for f in validate(built, context=TODAY)}
                    assert {place for rule, place in found if rule != "x12.npi"} <= REPEATED, (segment, found)
            segment[index] = kept


@pytest.mark.parametrize("text", [b"~BHT*", b"HELLO*", b"some text here~BHT*", b"B*"])
def test_a_segment_of_no_name_is_answered_by_a_999_and_not_by_an_error(text: bytes) -> None:
    told = answers(clean_837p().replace(b"BHT*", text, 1))
    assert [group.code for group in told.groups] == ["R"]
    assert told.claims == ()
    assert validate(x12.build_999(told.groups), context=TODAY) == []


@pytest.mark.parametrize("trailer", [b"GE*1*18", b"GE*2*17"])
def test_claims_of_a_rejected_group_are_not_acknowledged(trailer: bytes) -> None:
    """Else a sender is told both to send the group again and that its claims were taken: they would come twice."""
    told = answers(clean_837p().replace(b"GE*1*17", trailer))
    assert [(group.code, group.accepted_count) for group in told.groups] == [("R", 0)]
    assert told.claims == ()
    (read,) = x12.parse_999(x12.build_999(told.groups))
    assert not read.accepts("0001")


def test_a_set_that_is_accepted_in_a_rejected_group_is_not_taken_for_accepted() -> None:
    (read,) = x12.parse_999(clean_999().replace(b"AK9*P*2*2*1", b"AK9*R*2*2*0*4"))
    assert not read.accepts("0001")


@pytest.mark.parametrize("kind", [b"838", b"A", b"", b"8*7"])
def test_a_transaction_that_nobody_here_can_read_is_rejected(kind: bytes) -> None:
    told = answers(clean_837p().replace(b"ST*837*", b"ST*" + kind + b"*"))
    assert [group.code for group in told.groups] == ["R"]
    assert all("1" in one.error_codes for one in told.groups[0].transactions)
