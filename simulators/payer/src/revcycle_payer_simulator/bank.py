"""The bank: money that arrives for a remittance, now and then late or short.

Writes `deposits.csv` and, beside it, `planted_exceptions.jsonl` with every deviation it planted. What it plants is
decided by seed, payer and trace number alone.
"""

import csv
import json
from datetime import date
from pathlib import Path

from revcycle_payer_simulator.benefit_plan import draw
from revcycle_payer_simulator.files import AppendFile

DEPOSITS = "deposits.csv"
EXCEPTIONS = "planted_exceptions.jsonl"
_HEADER = "deposit_id,date,payer_id,trace_number,amount_cents"
_PERCENT_LATE = 2
_PERCENT_SHORT = 2
_SMALLEST_SHORTENED_CENTS = 400


class Bank:
    """Deposits once per trace number, across restarts."""

    def __init__(self, directory: Path, seed: int, *, steady: bool) -> None:
        self.seed = seed
        self.steady = steady
        self._deposits = AppendFile(directory / DEPOSITS, _HEADER)
        self._exceptions = AppendFile(directory / EXCEPTIONS)
        rows = csv.DictReader(self._deposits.lines())
        self._deposited = {(row["payer_id"], row["trace_number"]) for row in rows}
        planted = [json.loads(line) for line in self._exceptions.lines()]
        self._planted = {(each["payer_id"], each["trace_number"]): int(each["deposited_cents"]) for each in planted}

    def deposit(self, payer_id: str, trace_number: str, amount_cents: int, on: date) -> None:
        """Book the money of one remittance, or plant a deviation. A second call for a trace does nothing."""
        key = (payer_id, trace_number)
        if amount_cents <= 0 or key in self._deposited:
            return
        if key not in self._planted:
            kind, deposited_cents = self._deviation(payer_id, trace_number, amount_cents)
            if kind:
                self._plant(payer_id, trace_number, kind, amount_cents, deposited_cents)
        arriving_cents = self._planted.get(key, amount_cents)
        if arriving_cents > 0:
            row = f"{payer_id}-D{trace_number},{on.isoformat()},{payer_id},{trace_number},{arriving_cents}"
            self._deposits.append([row])
            self._deposited.add(key)

    def _deviation(self, payer_id: str, trace_number: str, amount_cents: int) -> tuple[str, int]:
        lot = draw("deposit", self.seed, payer_id, trace_number)
        if self.steady or lot % 100 >= _PERCENT_LATE + _PERCENT_SHORT:
            return "", amount_cents
        if lot % 100 < _PERCENT_LATE or amount_cents < _SMALLEST_SHORTENED_CENTS:
            return "late", 0
        return "short", amount_cents - (lot // 100 % (amount_cents // 4) + 1)

    def _plant(self, payer_id: str, trace_number: str, kind: str, expected_cents: int, deposited_cents: int) -> None:
        line = {
            "payer_id": payer_id,
            "trace_number": trace_number,
            "kind": kind,
            "expected_cents": expected_cents,
            "deposited_cents": deposited_cents,
        }
        self._exceptions.append([json.dumps(line)])
        self._planted[(payer_id, trace_number)] = deposited_cents

    def close(self) -> None:
        """Close the files."""
        self._deposits.close()
        self._exceptions.close()
