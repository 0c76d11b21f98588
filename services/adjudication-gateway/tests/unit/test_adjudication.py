"""Denial, patient share and contract are told apart by group, CARC and RARC; lines are tied by named rules."""

from decimal import Decimal
from uuid import UUID

import pytest
from revcycle_adjudication_gateway.domain.adjudication import announce, choose_submission, outcome_of, remit
from revcycle_adjudication_gateway.domain.line_matching import match_lines
from revcycle_adjudication_gateway.domain.submission import Answer, Sending, Submission
from revcycle_edi.x12.records import Adjustment, RemittanceClaim, RemittanceLine
from revcycle_events import ClaimLine


def make_submission(number: int = 1, **changes: object) -> Submission:
    values: dict[str, object] = {
        "submission_id": UUID(int=number),
        "claim_id": UUID(int=1000),
        "encounter_id": UUID(int=2000),
        "payer_id": "REVPAY1",
        "patient_control_number": "RC000001",
        "frequency": "1",
        "submitted_sequence": 3,
        "sending": Sending.SENT,
        "interchange_id": UUID(int=3000),
    }
    return Submission(**(values | changes))  # type: ignore[arg-type]  # keyword fields of the dataclass


def make_line(number: int, code: str = "G0463", charge: int = 10000, **changes: object) -> ClaimLine:
    values: dict[str, object] = {
        "line_number": number,
        "line_control_number": f"L{number}",
        "code": code,
        "modifiers": [],
        "units": 1,
        "charge_cents": charge,
        "diagnosis_pointers": [1],
    }
    return ClaimLine.model_validate(values | changes)


def paid_line(paid: int, *adjustments: Adjustment, charge: int = 10000, **changes: object) -> RemittanceLine:
    values: dict[str, object] = {
        "procedure_code": "G0463",
        "charge_cents": charge,
        "paid_cents": paid,
        "adjustments": adjustments,
        "control_number": "L1",
    }
    return RemittanceLine(**(values | changes))  # type: ignore[arg-type]  # keyword fields of the struct


def claim_of(
    *lines: RemittanceLine, status: str = "1", remarks: tuple[str, ...] = (), **changes: object
) -> RemittanceClaim:
    values: dict[str, object] = {
        "claim_id": "RC000001",
        "status_code": status,
        "charge_cents": sum(line.charge_cents for line in lines),
        "paid_cents": sum(line.paid_cents for line in lines),
        "payer_claim_control_number": "ICN1",
        "outpatient_remarks": ("MOA", "", "", *remarks) if remarks else (),
        "lines": lines,
    }
    return RemittanceClaim(**(values | changes))  # type: ignore[arg-type]  # keyword fields of the struct


def outcome(line: RemittanceLine, *, status: str = "1", remarks: tuple[str, ...] = ()) -> str:
    claim = remit(claim_of(line, status=status, remarks=remarks), make_submission(), [make_line(1)])
    return outcome_of(claim.lines[0], claim)


@pytest.mark.parametrize(
    ("line", "status", "remarks", "expected"),
    [
        (paid_line(8000, Adjustment("CO", "45", 2000)), "1", (), "paid"),
        (paid_line(0, Adjustment("CO", "45", 2000), Adjustment("PR", "1", 8000)), "1", (), "zero_pay_to_patient"),
        (paid_line(0, Adjustment("PR", "1", 10000)), "4", (), "zero_pay_to_patient"),
        (paid_line(0, Adjustment("CO", "197", 10000)), "1", (), "denied"),
        (paid_line(0, Adjustment("PR", "96", 10000)), "1", (), "denied"),
        (paid_line(0, Adjustment("CO", "9999", 10000)), "1", (), "denied"),
        (paid_line(4000, Adjustment("CO", "45", 1000), Adjustment("CO", "119", 5000)), "1", (), "partly_paid"),
        (paid_line(0, Adjustment("CO", "16", 10000)), "4", ("MA130",), "unprocessable"),
        (paid_line(0, Adjustment("CO", "16", 10000)), "4", ("N265",), "denied"),
        (paid_line(0, Adjustment("CO", "45", 10000)), "4", (), "paid"),
        (paid_line(0, Adjustment("OA", "23", 10000)), "2", (), "paid"),
        (paid_line(-8000, Adjustment("CO", "45", -2000), charge=-10000), "22", (), "reversed"),
    ],
)
def test_outcome_follows_from_the_adjustments(
    line: RemittanceLine, status: str, remarks: tuple[str, ...], expected: str
) -> None:
    """Golden vectors: all deductible is no denial, CLP02 4 alone is none either, MA130 has no appeal."""
    assert outcome(line, status=status, remarks=remarks) == expected


def test_a_denied_line_is_announced_with_its_cause_beside_the_decision() -> None:
    claim = claim_of(
        paid_line(8000, Adjustment("CO", "45", 2000)),
        paid_line(0, Adjustment("CO", "50", 10000), control_number="L2", remark_codes=("N115",)),
    )
    submission = make_submission()
    remitted = remit(claim, submission, [make_line(1), make_line(2)])
    adjudicated, denied = announce(remitted, submission, UUID(int=9))
    assert [line.outcome for line in adjudicated.lines] == ["paid", "denied"]
    assert denied is not None
    assert not denied.unprocessable
    assert [(cause.line_number, cause.carc, cause.rarcs) for cause in denied.causes] == [(2, "50", ["N115"])]


def test_patient_share_and_contract_alone_announce_no_denial() -> None:
    submission = make_submission()
    claim = claim_of(paid_line(0, Adjustment("CO", "45", 2000), Adjustment("PR", "2", 8000)))
    adjudicated, denied = announce(remit(claim, submission, [make_line(1)]), submission, UUID(int=9))
    assert denied is None
    assert adjudicated.patient_responsibility_cents == 8000


def test_a_reversal_denies_nothing() -> None:
    submission = make_submission()
    claim = claim_of(paid_line(0, Adjustment("CO", "50", -10000), charge=-10000), status="22")
    adjudicated, denied = announce(remit(claim, submission, [make_line(1)]), submission, UUID(int=9))
    assert adjudicated.is_reversal
    assert denied is None


def test_lines_are_tied_by_control_number_before_anything_else() -> None:
    submitted = [make_line(1), make_line(2)]
    remitted = [paid_line(1, control_number="L2"), paid_line(1, control_number="L1")]
    assert match_lines(remitted, submitted) == [(2, "line_control_number"), (1, "line_control_number")]


def test_without_control_numbers_code_and_modifiers_decide_with_units_and_charge_as_tie_breakers() -> None:
    submitted = [
        make_line(1, modifiers=["25"]),
        make_line(2, units=2, charge=20000),
        make_line(3, charge=9000),
    ]
    remitted = [
        paid_line(1, control_number="", charge=9000),
        paid_line(1, control_number="", modifiers=("25",)),
        paid_line(1, control_number="", charge=20000, units_paid=Decimal(2)),
    ]
    assert match_lines(remitted, submitted) == [
        (3, "code_and_modifiers"),
        (1, "code_and_modifiers"),
        (2, "code_and_modifiers"),
    ]


def test_without_modifiers_code_and_charge_decide() -> None:
    submitted = [make_line(1, modifiers=["25"], charge=5000), make_line(2, modifiers=["59"], charge=7000)]
    remitted = [paid_line(1, control_number="", charge=7000), paid_line(1, control_number="", charge=5000)]
    assert match_lines(remitted, submitted) == [(2, "code_and_charge"), (1, "code_and_charge")]


def test_a_submitted_line_is_never_used_twice_and_what_fits_nothing_says_so() -> None:
    remitted = [paid_line(1), paid_line(1), paid_line(1, control_number="", procedure_code="T1015")]
    assert match_lines(remitted, [make_line(1)]) == [
        (1, "line_control_number"),
        (None, "unmatched"),
        (None, "unmatched"),
    ]


def test_the_code_we_sent_counts_when_the_payer_decided_on_another() -> None:
    remitted = [paid_line(1, control_number="", procedure_code="T1015", submitted=("HC", "G0463"))]
    assert match_lines(remitted, [make_line(1)]) == [(1, "code_and_modifiers")]


def test_the_payers_number_tells_a_reversal_from_its_correction() -> None:
    """A replacement keeps the CLM01, so both claims of the 835 name the same one."""
    original = make_submission(1, payer_claim_control_number="OLD", answer=Answer.ADJUDICATED)
    replacement = make_submission(2, frequency="7", payer_claim_control_number="NEW", answer=Answer.ACCEPTED)
    reversal = claim_of(paid_line(-1), status="22", payer_claim_control_number="OLD")
    correction = claim_of(paid_line(1), payer_claim_control_number="NEW")
    assert choose_submission([original, replacement], reversal) == original
    assert choose_submission([original, replacement], correction) == replacement


def test_without_the_payers_number_a_reversal_is_of_the_decided_claim() -> None:
    original = make_submission(1, answer=Answer.ADJUDICATED)
    replacement = make_submission(2, frequency="7", answer=Answer.ACCEPTED)
    reversal = claim_of(paid_line(-1), status="22", payer_claim_control_number="")
    correction = claim_of(paid_line(1), payer_claim_control_number="")
    assert choose_submission([original, replacement], reversal) == original
    assert choose_submission([original, replacement], correction) == replacement
    assert choose_submission([], correction) is None


@pytest.mark.parametrize(
    "replacement",
    [
        {"interchange_id": None, "sending": Sending.QUEUED},
        {"interchange_id": None, "sending": Sending.REFUSED, "answer": Answer.REJECTED},
        {"answer": Answer.REJECTED},
    ],
    ids=["queued", "unwritable", "rejected"],
)
def test_what_the_payer_never_took_is_not_what_it_decided(replacement: dict[str, object]) -> None:
    """Promise: a correction under a new payer number is of the claim the payer has, not of a replacement it has not."""
    original = make_submission(1, answer=Answer.ADJUDICATED, payer_claim_control_number="ICN1")
    later = make_submission(2, frequency="7", **replacement)
    correction = claim_of(paid_line(10000), payer_claim_control_number="ICN2")
    assert choose_submission([original, later], correction) == original
    assert choose_submission([later], correction) == later


def test_the_payers_own_number_counts_without_its_leading_zeros() -> None:
    """Promise: a second 835 about the original is not taken for the answer to the replacement that waits."""
    original = make_submission(1, answer=Answer.ADJUDICATED, payer_claim_control_number="000ICN7")
    replacement = make_submission(2, frequency="7", answer=Answer.ACCEPTED)
    again = claim_of(paid_line(10000), payer_claim_control_number="icn7 ")
    assert choose_submission([original, replacement], again) == original


def test_a_line_number_is_found_in_other_case_and_with_spaces() -> None:
    """Promise: two equal lines paid out of order keep their own money."""
    remitted = [paid_line(0, control_number="l2 "), paid_line(10000, control_number="l1")]
    assert match_lines(remitted, [make_line(1), make_line(2)]) == [
        (2, "line_control_number"),
        (1, "line_control_number"),
    ]


def test_a_claim_found_by_the_payers_number_carries_our_own_control_number() -> None:
    """Promise: money for a submission before the present one is posted to it, although the payer changed CLP01."""
    remitted = remit(claim_of(paid_line(10000), claim_id="CHANGED"), make_submission(), [make_line(1)])
    assert remitted.patient_control_number == "RC000001"
    assert remit(claim_of(paid_line(10000), claim_id="CHANGED"), None, ()).patient_control_number == "CHANGED"


@pytest.mark.parametrize(
    ("paid", "adjustment", "expected"),
    [
        (0, Adjustment("CO", "29", 10000), "denied"),
        (4000, Adjustment("CO", "119", 6000), "partly_paid"),
        (8000, Adjustment("CO", "45", 2000), "paid"),
    ],
)
def test_a_claim_decided_without_lines_has_an_outcome_all_the_same(
    paid: int, adjustment: Adjustment, expected: str
) -> None:
    """Promise: a denial at the claim level is not announced as a decision that reads as paid."""
    claim = claim_of(charge_cents=10000, paid_cents=paid, adjustments=(adjustment,))
    submission = make_submission()
    adjudicated, denied = announce(remit(claim, submission, [make_line(1)]), submission, UUID(int=9))
    assert [(line.line_number, line.outcome) for line in adjudicated.lines] == [(0, expected)]
    assert (denied is None) == (expected == "paid")


def test_a_quantity_of_an_adjustment_is_told_exactly_or_not_at_all() -> None:
    """Promise: half a unit is not announced as none."""
    line = paid_line(0, *(Adjustment("CO", "45", 5000, Decimal(text)) for text in ("2", "0.5")))
    (remitted,) = remit(claim_of(line), make_submission(), [make_line(1)]).lines
    assert [each.quantity for each in remitted.adjustments] == [2, None]
