"""Witnesses from outside: what the library writes is accepted by a validator that knows nothing of it."""

import pytest
from edi_bases import BASES
from edi_witnesses import CannotBeMadeError, compared, for_linuxforhealth, read_back, witness
from revcycle_edi.x12 import split_837


def test_professional_and_institutional_claims_and_remittances_pass_pyx12_and_damage_does_not() -> None:
    parts = [data for _, data in split_837(BASES["837P"](), first_control_number=1)]
    clean = [data.decode() for data in (BASES["837P"](), *parts, BASES["837I"](), BASES["835"]())]
    broken = clean[1].replace("HI*ABK", "HI*ABX", 1)
    try:
        said = witness("pyx12", "judge_pyx12.py", [*clean, broken])
    except CannotBeMadeError as error:
        pytest.skip(f"no witness: {error}")
    assert [one["errors"] for one in said[:-1]] == [[]] * len(clean)
    assert all(one["accepted"] for one in said[:-1]) and not said[-1]["accepted"]


@pytest.mark.long
def test_every_value_is_read_back_equal_and_every_disagreement_stands_in_the_list_of_exceptions() -> None:
    try:
        figures, equal = read_back(for_linuxforhealth(20))
        agreement, explained = compared(300, seed=2)
    except CannotBeMadeError as error:
        pytest.skip(f"no witness: {error}")
    assert equal, figures
    assert explained, agreement
