"""How many six-line claims a second pass PTP, MUE, add-on and Excludes1 over the full tables, on one core.

    python libs/codes/benchmarks/edits.py RELEASES_FOLDER [CLAIMS]

The folder holds compiled edit tables (`revcycle codes import`). Codes are drawn from the tables with a fixed seed, half
of the lines from pairs that are edits. The floor is the bare look-up of all ordered pairs in the same table.
"""

import random
import resource
import sys
import time
from datetime import date
from itertools import permutations
from pathlib import Path

from revcycle_codes import CodeSets, CodeSystem, EncounterFacts, LineFacts, Setting
from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditTables, PtpTable
from revcycle_codes.findings import RULES
from revcycle_codes.switches import Switches

_RULES = ("PX-02", "PX-04", "PX-05", "DX-07")
_LINES = 6


def claims(count: int, codes: list[str], diagnoses: list[str], day: date) -> list[EncounterFacts]:
    """Seeded claims of six lines and four diagnoses."""
    chance = random.Random(20_240_701)
    return [
        EncounterFacts(
            date_of_service=day,
            diagnoses=tuple(chance.sample(diagnoses, 4)),
            lines=tuple(
                LineFacts(
                    line_number=number, code=chance.choice(codes), units=chance.randint(1, 4), diagnosis_pointers=(1,)
                )
                for number in range(1, _LINES + 1)
            ),
            place_of_service="11",
        )
        for _ in range(count)
    ]


def main() -> None:
    """Print claims a second, the floor, and resident memory."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    tables, code_sets, switches = EditTables.open(folder), CodeSets.open(), Switches()
    spec = next(spec for spec in tables.specs if spec.kind == "ncci-ptp")
    day = spec.valid_from
    table = tables.on(PtpTable, day, Setting.PRACTITIONER)
    if table is None:
        raise SystemExit("no practitioner PTP table in the folder")
    chance = random.Random(7)
    codes = chance.sample(table.codes, 400)
    leaves = [row.code for row in code_sets.table(CodeSystem.ICD10CM, "FY2024") if row.billable]
    batch = claims(count, codes, chance.sample(leaves, 2_000), day)
    checks = [RULES[rule].check for rule in _RULES]
    for _ in range(2):  # the first round warms the caches
        started, findings = time.perf_counter(), 0
        for facts in batch:
            context = Context(facts, code_sets, tables, switches)
            for check in checks:
                findings += sum(1 for _ in check(context))
        seconds = time.perf_counter() - started
    started = time.perf_counter()
    for facts in batch:
        for one, other in permutations(facts.lines, 2):
            table.edit(one.code, other.code, day)
    floor = time.perf_counter() - started
    resident_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"edits: {count / seconds:,.0f} claims/s, {findings} findings;"
        f" pair look-ups alone {count / floor:,.0f} claims/s; resident {resident_mib:.0f} MiB\n"
    )


if __name__ == "__main__":
    main()
