"""Code edits over the full public tables, and suggestions from notes.

Needs the real tables and notes of the shared data folder (`REVCYCLE_SHARED_DATA`); without them there is nothing to
measure and no line. Tables are compiled once into `.revcycle/bench/codes`. Floors are the least anything could do: a
dictionary look-up for every pair, code and pair of diagnoses; the words of a note; a bisection; a bare memory map.
"""

import gzip
import json
import mmap
import os
import random
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from functools import cache
from itertools import combinations, permutations
from pathlib import Path

from ground import Ground
from harness import Bench, Line, Measure, OneRound, Round, pure
from revcycle_codes import CodeSets, CodeSystem, EncounterFacts, LineFacts, Setting
from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditTables, MueTable, PtpTable, open_table
from revcycle_codes.findings import RULES
from revcycle_codes.importer import ImportRequest, compile_import, store
from revcycle_codes.suggest import Suggester
from revcycle_codes.suggestion.terms import words
from revcycle_codes.switches import Switches

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("REVCYCLE_SHARED_DATA") or ROOT.parent / "shared" / "data")
PTP_FILE = SHARED / "codes" / "ncci_ptp_practitioner_2024-07.csv.gz"
COMPILED = ROOT / ".revcycle" / "bench" / "codes"
FILES = (
    ("ncci-ptp-practitioner", "ncci_ptp_practitioner_2024-07.csv.gz"),
    ("ncci-mue-practitioner", "ncci_mue_practitioner_2024-07.csv.gz"),
    ("ncci-add-on", "ncci_addon_2024-06.csv.gz"),
)
DAY, END = date(2024, 7, 1), date(2024, 10, 1)
CHECKED = ("PX-02", "PX-04", "PX-05", "DX-07")
CLAIMS, LINES, DIAGNOSES = 5_000, 6, 4
TYPED = (
    *("hypertens", "type 2 diab", "pain in right kn", "fract rad", "major dep", "chronic kid", "asth", "gout", "z00"),
    "mi",
)


def _import(name: str) -> None:
    request = ImportRequest(
        files={name: (SHARED / "codes" / name).read_bytes()},
        release="2024-07",
        valid_from=DAY,
        valid_to=END,
        setting=Setting.PRACTITIONER,
    )
    store(compile_import(request), COMPILED)


@cache
def tables() -> EditTables:
    """The practitioner's tables of July 2024, compiled on first use."""
    for kind, name in FILES:
        if not (COMPILED / f"{kind}--2024-07.rvt").exists():
            _import(name)
    return EditTables.open(COMPILED)


@cache
def code_sets() -> CodeSets:
    """The bundled code sets."""
    return CodeSets.open()


@cache
def claims() -> list[EncounterFacts]:
    """Seeded claims of six lines and four diagnoses over codes of the tables and billable diagnoses."""
    chance = random.Random(20_240_701)
    pairs = tables().on(PtpTable, DAY, Setting.PRACTITIONER)
    assert pairs is not None, "compiled above"
    codes = chance.sample(pairs.codes, 400)
    leaves = [row.code for row in code_sets().table(CodeSystem.ICD10CM, "FY2024") if row.billable]
    diagnoses = chance.sample(leaves, 2_000)
    return [
        EncounterFacts(
            date_of_service=DAY,
            diagnoses=tuple(chance.sample(diagnoses, DIAGNOSES)),
            lines=tuple(
                LineFacts(
                    line_number=number, code=chance.choice(codes), units=chance.randint(1, 4), diagnosis_pointers=(1,)
                )
                for number in range(1, LINES + 1)
            ),
            place_of_service="11",
        )
        for _ in range(CLAIMS)
    ]


def check_claims() -> int:
    """PTP, MUE, add-on and Excludes1 over every claim, findings built."""
    sets, edits, switches = code_sets(), tables(), Switches()
    checks = [RULES[rule].check for rule in CHECKED]
    for facts in claims():
        context = Context(facts, sets, edits, switches)
        for check in checks:
            for _ in check(context):
                pass
    return CLAIMS


@cache
def dictionaries() -> tuple[dict[tuple[str, str], int], dict[str, int], set[tuple[str, str]]]:
    """The answers for the drawn codes as plain dictionaries: pairs, units, excluded diagnoses."""
    pairs, limits = tables().on(PtpTable, DAY, Setting.PRACTITIONER), tables().on(MueTable, DAY, Setting.PRACTITIONER)
    notes = code_sets().instructions_on(DAY)
    assert pairs is not None and limits is not None and notes is not None, "compiled above"
    codes = sorted({line.code for facts in claims() for line in facts.lines})
    edits = {(a, b): edit.indicator for a, b in permutations(codes, 2) if (edit := pairs.edit(a, b, DAY))}
    units = {code: limit.units for code in codes if (limit := limits.limit(code))}
    together = {pair for facts in claims() for pair in combinations(facts.diagnoses, 2)}
    return edits, units, {pair for pair in together if notes.excludes(*pair)}


def look_up_claims() -> int:
    """The same questions to plain dictionaries, answers thrown away."""
    edits, units, excluded = dictionaries()
    for facts in claims():
        codes = [line.code for line in facts.lines]
        for pair in permutations(codes, 2):
            edits.get(pair)
        for code in codes:
            units.get(code)
        for two in combinations(facts.diagnoses, 2):
            two in excluded  # noqa: B015  # the look-up itself is what is measured
    return CLAIMS


@cache
def notes() -> list[str]:
    """The visit notes of the shared data."""
    files = [SHARED / "notes" / f"aci_bench_{split}.jsonl" for split in ("train", "valid")]
    return [json.loads(line)["note"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@cache
def suggester() -> Suggester:
    """A suggester over the newest release; its caches are warm after the first round, as a service's are."""
    return Suggester.open(code_sets())


def suggest_notes() -> int:
    """Suggestions for every note."""
    for text in notes():
        suggester().suggest(text)
    return len(notes())


def words_of_notes() -> int:
    """The words of every note."""
    for text in notes():
        words(text)
    return len(notes())


def _ninety_ninth(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def _search_waits() -> tuple[float, float]:
    """99th percentile in milliseconds of a search after every key stroke, and of a bisection of as many words."""
    vocabulary = sorted({word for text in notes() for word in words(text)})
    ours, floor = [], []
    for text in TYPED * 5:
        for end in range(1, len(text) + 1):
            started = time.perf_counter()
            suggester().search(text[:end], 10)
            ours.append((time.perf_counter() - started) * 1e3)
            started = time.perf_counter()
            bisect_left(vocabulary, text[:end])
            floor.append((time.perf_counter() - started) * 1e3)
    return _ninety_ninth(ours), _ninety_ninth(floor)


def _opening() -> tuple[float, float]:
    """Milliseconds to open the PTP table and answer once; to map the file and read one byte of it."""
    path = COMPILED / "ncci-ptp-practitioner--2024-07.rvt"
    started = time.perf_counter()
    table = open_table(path)
    assert isinstance(table, PtpTable), "the file was written as one"
    table.edit(claims()[0].lines[0].code, claims()[0].lines[1].code, DAY)
    ours = (time.perf_counter() - started) * 1e3
    started = time.perf_counter()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped[len(mapped) // 2]
    return ours, (time.perf_counter() - started) * 1e3


def _loading() -> tuple[float, float]:
    """Seconds to read, check and compile the full PTP table; to unpack the file and split its lines."""
    content = PTP_FILE.read_bytes()
    started = time.perf_counter()
    compile_import(
        ImportRequest(
            files={PTP_FILE.name: content}, release="x", valid_from=DAY, valid_to=END, setting=Setting.PRACTITIONER
        )
    )
    ours = time.perf_counter() - started
    started = time.perf_counter()
    for line in gzip.decompress(content).decode("latin-1").splitlines():
        line.split(",")
    return ours, time.perf_counter() - started


# Private pages of a process that has opened everything and checked claims: what is mapped from files is shared.
_RESIDENT = """
import sys
sys.path.insert(0, sys.argv[1])
import bench_codes
if sys.argv[2] == "ours":
    bench_codes.tables(), bench_codes.code_sets()
    bench_codes.CLAIMS = 500
    bench_codes.check_claims()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("RssAnon")))
"""


def _resident() -> tuple[float, float]:
    """MiB of private memory of a process with all tables open and claims checked; of one that only imports."""
    here = str(Path(__file__).resolve().parent)
    ours, floor = (
        int(subprocess.run([sys.executable, "-c", _RESIDENT, here, which], capture_output=True, check=True).stdout)
        / 1024
        for which in ("ours", "floor")
    )
    return ours, floor


_WAITS = (
    (Line("codes-search-p99", "ms", value_max=10), _search_waits),
    (Line("codes-ptp-open", "ms", value_max=50), _opening),
    (Line("codes-resident", "MiB", value_max=150), _resident),
)
_SLOW = ((Line("codes-ptp-load", "s", value_max=10), _loading),)


@asynccontextmanager
async def waits(_: Ground) -> AsyncIterator[OneRound]:
    """Search, opening and memory."""
    tables()

    async def one_round() -> Mapping[str, Round]:
        return {line.name: Round(*map(Measure, work())) for line, work in _WAITS}

    yield one_round


@asynccontextmanager
async def loading(_: Ground) -> AsyncIterator[OneRound]:
    """The full PTP table from its file."""

    async def one_round() -> Mapping[str, Round]:
        return {line.name: Round(*map(Measure, work())) for line, work in _SLOW}

    yield one_round


BENCHES = (
    (
        # At least 10,000 a second: the floor answers some 150,000.
        pure("codes-edits", "claims/s", check_claims, look_up_claims),
        # At least 100 a second.
        pure("codes-suggest", "notes/s", suggest_notes, words_of_notes),
        Bench("codes-waits", tuple(line for line, _ in _WAITS), waits),
        Bench("codes-ptp-load", tuple(line for line, _ in _SLOW), loading, rounds=2, warm_up=0),
    )
    if PTP_FILE.exists()
    else ()
)
