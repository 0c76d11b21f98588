"""Promise: what later holds a claim by an imported edit table is found while the coder still has the coding."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import orjson
import pytest
from revcycle_coding.domain.decision import (
    AUTO_FINALISE,
    OtherReleases,
    Service,
    Subject,
    decide,
    errors,
    reasons_of,
    redecide,
)
from revcycle_coding.domain.rulebook import Rulebook

FIRST, SECOND = Service("G0442", (), 1, (1,)), Service("G0444", (), 1, (1,))
PAIR = Subject("professional", date(2026, 8, 15), "11", True, ("I10",), (FIRST, SECOND))


@pytest.fixture
def imported(tmp_path: Path, write_tables: Callable[..., Path]) -> Rulebook:
    return Rulebook.open(releases_dir=write_tables(tmp_path))


def test_a_pair_and_too_many_units_hold_the_coding_with_rule_version_and_what_is_right(
    imported: Rulebook, rulebook: Rulebook
) -> None:
    subject = replace(PAIR, services=(replace(FIRST, units=3), SECOND))
    decision = decide(AUTO_FINALISE, subject, imported)
    assert not decision.finalise
    found = {str(one["rule"]): one for one in errors(decision.findings)}
    assert found.keys() == {"PX-02", "PX-04"}
    assert all((one["release"], bool(one["rule_version"])) == ("2026Q3", True) for one in found.values())
    assert f"{FIRST.code} alone" in str(found["PX-02"]["expected"])
    assert {reason.release for reason in reasons_of(decision.findings)} == {"2026Q3"}
    assert decide(AUTO_FINALISE, subject, rulebook).finalise, "without tables nothing is known of it"


def test_a_modifier_that_lifts_the_pair_leaves_a_warning(imported: Rulebook) -> None:
    decision = decide(AUTO_FINALISE, replace(PAIR, services=(FIRST, replace(SECOND, modifiers=("59",)))), imported)
    assert decision.finalise
    assert [one["severity"] for one in decision.findings if one["rule"] == "PX-02"] == ["warning"]


def test_a_decision_names_the_tables_of_its_day_and_setting(imported: Rulebook) -> None:
    named = orjson.loads(decide(AUTO_FINALISE, PAIR, imported).input)["edit_tables"]
    assert named.keys() == {"ncci-ptp", "ncci-mue"}
    assert all(re.fullmatch(r"2026Q3/[0-9a-f]{64}", version) for version in named.values())
    before = replace(PAIR, date_of_service=date(2026, 6, 30))
    assert "edit_tables" not in orjson.loads(decide(AUTO_FINALISE, before, imported).input)


def test_it_runs_again_to_the_same_bytes_with_the_same_tables_and_not_with_others(
    imported: Rulebook, tmp_path: Path, write_tables: Callable[..., Path], rulebook: Rulebook
) -> None:
    decision = decide(AUTO_FINALISE, PAIR, imported)
    assert redecide(decision.input, imported) == decision.output
    with pytest.raises(OtherReleases, match="ncci-mue"):
        redecide(decision.input, Rulebook.open(releases_dir=write_tables(tmp_path / "others", most_units=5)))
    with pytest.raises(OtherReleases, match="ncci-mue, ncci-ptp"):
        redecide(decision.input, rulebook)


def test_a_decision_from_before_the_import_runs_again_as_it_was_taken(imported: Rulebook, rulebook: Rulebook) -> None:
    decision = decide(AUTO_FINALISE, PAIR, rulebook)
    assert decision.finalise
    assert redecide(decision.input, imported) == decision.output
