"""Ties the lines of a remitted claim to the lines that were submitted; a submitted line is never used twice."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from revcycle_edi.x12.records import RemittanceLine
from revcycle_events import ClaimLine

from revcycle_adjudication_gateway.domain.references import plain

LINE_CONTROL_NUMBER = "line_control_number"
CODE_AND_MODIFIERS = "code_and_modifiers"
CODE_AND_CHARGE = "code_and_charge"
UNMATCHED = "unmatched"

_Test = Callable[[RemittanceLine, ClaimLine], bool]


def match_lines(remitted: Sequence[RemittanceLine], submitted: Sequence[ClaimLine]) -> list[tuple[int | None, str]]:
    """For each remitted line the number of its submitted line (None: no rule ties it) and the name of the rule.

    The rules run from the exact to the loose over all lines, so that no loose match takes what another line names.
    """
    found: list[tuple[int | None, str]] = [(None, UNMATCHED)] * len(remitted)
    free = {line.line_number: line for line in submitted}
    for rule, test in _RULES:
        for position, line in enumerate(remitted):
            if found[position][0] is not None:
                continue
            number = next((candidate for candidate, claim_line in free.items() if test(line, claim_line)), None)
            if number is not None:
                found[position] = (number, rule)
                del free[number]
    return found


def _submitted_code(line: RemittanceLine) -> tuple[str, tuple[str, ...]]:
    """Code and modifiers as we sent them: SVC06 where the payer decided on another code, else SVC01."""
    if len(line.submitted) > 1:
        return line.submitted[1], tuple(line.submitted[2:6])
    return line.procedure_code, line.modifiers


def _same_control_number(line: RemittanceLine, claim_line: ClaimLine) -> bool:
    return line.control_number != "" and plain(line.control_number) == plain(claim_line.line_control_number)


def _same_code(line: RemittanceLine, claim_line: ClaimLine) -> bool:
    return _submitted_code(line)[0] == claim_line.code


def _same_code_and_modifiers(line: RemittanceLine, claim_line: ClaimLine) -> bool:
    return _submitted_code(line) == (claim_line.code, tuple(claim_line.modifiers))


def _same_units(line: RemittanceLine, claim_line: ClaimLine) -> bool:
    units = line.submitted_units if line.submitted_units is not None else line.units_paid
    return (Decimal(1) if units is None else abs(units)) == claim_line.units


def _same_charge(line: RemittanceLine, claim_line: ClaimLine) -> bool:
    return abs(line.charge_cents) == claim_line.charge_cents


def _all(*tests: _Test) -> _Test:
    return lambda line, claim_line: all(test(line, claim_line) for test in tests)


_RULES: tuple[tuple[str, _Test], ...] = (
    (LINE_CONTROL_NUMBER, _same_control_number),
    (CODE_AND_MODIFIERS, _all(_same_code_and_modifiers, _same_units, _same_charge)),
    (CODE_AND_MODIFIERS, _all(_same_code_and_modifiers, _same_units)),
    (CODE_AND_MODIFIERS, _all(_same_code_and_modifiers, _same_charge)),
    (CODE_AND_MODIFIERS, _same_code_and_modifiers),
    (CODE_AND_CHARGE, _all(_same_code, _same_charge)),
)
