"""A decision is a pure function of its stored input; errors hold a coding, warnings do not."""

from dataclasses import replace
from datetime import date

import orjson
import pytest
from revcycle_coding.domain.decision import (
    AUTO_FINALISE,
    OtherReleases,
    Service,
    Subject,
    check,
    decide,
    errors,
    redecide,
)
from revcycle_coding.domain.rulebook import Rulebook

VISIT = Service("G0463", (), 1, (1,))
CLEAN = Subject("professional", date(2026, 8, 15), "11", True, ("I10",), (VISIT,))


def rules(subject: Subject, rulebook: Rulebook) -> set[str]:
    return {str(finding["rule"]) for finding in errors(check(subject, rulebook))}


def test_signed_with_live_codes_and_valid_pointers_finalises_itself(rulebook: Rulebook) -> None:
    decision = decide(AUTO_FINALISE, CLEAN, rulebook)
    assert decision.finalise and not errors(decision.findings)
    assert {"icd-10-cm", "hcpcs-2"} <= decision.releases.keys()


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        (replace(CLEAN, signed=False), "DOC-01"),
        (replace(CLEAN, diagnoses=()), "DX-00"),
        (replace(CLEAN, diagnoses=("A99.99",)), "DX-01"),
        (replace(CLEAN, services=()), "PX-00"),
        (replace(CLEAN, services=(replace(VISIT, diagnosis_pointers=(2,)),)), "PT-01"),
        (replace(CLEAN, services=(replace(VISIT, diagnosis_pointers=()),)), "PT-01"),
        (replace(CLEAN, services=(replace(VISIT, code="J1030"),)), "PX-01"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_holds_the_coding_and_names_its_rule(subject: Subject, rule: str, rulebook: Rulebook) -> None:
    assert rule in rules(subject, rulebook)
    assert not decide(AUTO_FINALISE, subject, rulebook).finalise


def test_a_date_beyond_the_newest_release_is_a_warning_and_holds_nothing(rulebook: Rulebook) -> None:
    subject = replace(CLEAN, date_of_service=date(2031, 1, 15))
    findings = check(subject, rulebook)
    assert "DX-01U" in {finding["rule"] for finding in findings}
    assert "DX-01U" not in rules(subject, rulebook)


def test_all_errors_are_found_at_once(rulebook: Rulebook) -> None:
    subject = replace(CLEAN, signed=False, diagnoses=("A99.99",), services=(replace(VISIT, code="J1030"),))
    assert {"DOC-01", "DX-01", "PX-01"} <= rules(subject, rulebook)


@pytest.mark.parametrize("signed", [True, False])
def test_a_stored_decision_runs_again_to_the_same_bytes(signed: bool, rulebook: Rulebook) -> None:
    decision = decide(AUTO_FINALISE, replace(CLEAN, signed=signed), rulebook)
    assert redecide(decision.input, rulebook) == decision.output


def test_a_decision_taken_with_other_code_sets_is_not_run_again_silently(rulebook: Rulebook) -> None:
    stored = orjson.loads(decide(AUTO_FINALISE, CLEAN, rulebook).input)
    stored["code_set_releases"]["icd-10-cm"] = "0" * 64
    with pytest.raises(OtherReleases, match="icd-10-cm"):
        redecide(orjson.dumps(stored), rulebook)
