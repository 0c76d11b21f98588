"""Promises of the answers: every file gets one, it is valid, and no two levels of it contradict each other."""

import pytest
from edi_bases import BASES, clean_837p, clean_999
from edi_writing import TODAY, answers, written_answers
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
                for built in written_answers(b"'".join(map(b"|".join, segments))):
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


def _outcomes(told: x12.Answers) -> list[list[str]]:
    return [[claim.outcome for claim in report.claims] for report in told.claims]


def test_a_control_number_with_leading_zeros_hides_no_error() -> None:
    """As most senders write GS06: what is wrong is found by its place, not by its number."""
    zeros = clean_837p().replace(b"*17*X*", b"*000000017*X*").replace(b"GE*1*17", b"GE*1*000000017")
    assert _outcomes(answers(zeros)) == [["accepted"] * 3]
    told = answers(zeros.replace(b"CLM*TEST-2*175.5", b"CLM*TEST-2*175.6"))
    assert _outcomes(told) == [["accepted", "rejected", "accepted"]]
    told = answers(zeros.replace(b"SV1*HC:G0463*150*UN", b"SV1*HC:G0463*150*XX", 1))
    assert [group.code for group in told.groups] == ["R"]


def test_of_two_with_one_number_the_second_is_rejected_and_the_first_taken() -> None:
    twice = answers(clean_837p() + clean_837p().replace(b"CLM*TEST-1*175.5", b"CLM*TEST-1*175.6"))
    assert [(one.code, one.note_code) for one in twice.interchanges] == [("A", "000"), ("R", "025")]
    assert _outcomes(twice) == [["accepted"] * 3]
    same = answers(clean_837p().replace(b"CLM*TEST-2*", b"CLM*TEST-1*"))
    assert _outcomes(same) == [["accepted", "rejected", "accepted"]]


@pytest.mark.parametrize("cut", [b"IEA*", b"GE*", b"SE*", b"SV1*"])
def test_an_interchange_broken_off_by_the_next_is_rejected_and_the_next_one_taken(cut: bytes) -> None:
    other = clean_837p().replace(b"000000017", b"000000018").replace(b"CLM*TEST", b"CLM*OTHER")
    told = answers(clean_837p()[: clean_837p().index(cut)] + other)
    assert [(one.control_number, one.code, one.note_code) for one in told.interchanges] == [
        (17, "R", "023"),
        (18, "A", "000"),
    ]
    assert _outcomes(told) == [["accepted"] * 3]


def test_a_transaction_that_cannot_be_read_keeps_no_other_from_being_acknowledged() -> None:
    other = clean_837p().replace(b"000000017", b"000000018").replace(b"CLM*TEST", b"CLM*OTHER")
    for broken in (clean_837p().replace(b"SE*", b"XX*"), clean_837p().replace(b"*175.5*", b"*A*")):
        told = answers(broken + other)
        assert [one.code for one in told.interchanges] == ["A", "A"]
        assert [group.code for group in told.groups] == ["R", "A"]
        assert _outcomes(told) == [["accepted"] * 3]


def test_line_breaks_and_other_delimiters_change_no_answer() -> None:
    odd = clean_837p().replace(b"CLM*TEST-2*175.5", b"CLM*TEST-2*175.6").replace(b"~", b"~\r\n")
    told = answers(odd.translate(bytes.maketrans(b"*:^~", b"|>!'")))
    assert _outcomes(told) == [["accepted", "rejected", "accepted"]]
