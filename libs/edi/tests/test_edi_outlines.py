"""Compiled writing: the bytes and refusals of the loop writers, whatever stands in a record; no wrong memory."""

import gc
import shutil
import subprocess
import sys
import sysconfig
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from edi_samples import PATIENT, claim
from edi_writing import BUILDERS, both_ways
from revcycle_edi.x12 import X12Error, outlines
from revcycle_edi.x12.outlines import Outline, code, each, only, segment
from revcycle_edi.x12.outlines837 import levels
from revcycle_edi.x12.records import Address, ProfessionalClaim

FUZZ = Path(__file__).parents[1] / "fuzz" / "outlines.py"
COMPILER = shutil.which((sysconfig.get_config_var("LDSHARED") or "cc").split()[0])
HEADER = Path(sysconfig.get_path("include")) / "Python.h"
compiled = pytest.mark.skipif(not outlines.COMPILED, reason="the compiled writer is not installed; see revcycle doctor")


@pytest.mark.skipif(COMPILER is None or not HEADER.exists(), reason="this machine has no C compiler, or no Python.h")
def test_the_compiled_module_is_there_where_it_can_be_compiled() -> None:
    assert outlines.COMPILED, "make setup compiles it; `pip install -v --no-deps -e libs/edi` says why it does not"


@compiled
@pytest.mark.parametrize("record", BUILDERS, ids=lambda record: record.__name__)
def test_random_records_are_written_as_by_the_loops(monkeypatch: pytest.MonkeyPatch, record: type) -> None:
    random = Random(f"outlines {record.__name__}")
    seen: Counter[str] = Counter()
    run = Outline.run

    def counted(self: Outline, records: Sequence[object], at: int, levels: int, parent: int) -> Any:
        answer = run(self, records, at, levels, parent)
        seen["outlined"] += answer[3] - at
        return answer

    monkeypatch.setattr(Outline, "run", counted)
    for _ in range(1200):
        quick, slow = both_ways(random, record)
        assert quick == slow
        seen["written"] += isinstance(quick, bytes)
    # The comparison says nothing where all is refused, or all left to the loops.
    assert seen["outlined"] > 300, seen
    assert 200 < seen["written"] < 1100, seen


@compiled
def test_clean_claims_are_written_in_one_run_with_numbered_levels() -> None:
    claims = [claim(f"TEST-{n}", patient=PATIENT if n % 4 == 3 else None) for n in range(6)]
    text, count, written, stopped = levels(ProfessionalClaim).alone.run(claims, 0, 3, 1)
    assert stopped == 6
    assert count == text.count("~") + 1
    assert [s for s in text.split("~") if s.startswith("HL")][-3:] == ["HL*8*7*23*0", "HL*9*1*22*0", "HL*10*1*22*0"]
    assert written == 10


@compiled
def test_a_record_of_another_type_or_shape_stops_the_run_where_it_stands() -> None:
    outline = levels(ProfessionalClaim).claim
    clean = claim()
    for other in (None, 7, "text", (), BUILDERS, object(), PATIENT):
        text, _, _, stopped = outline.run([clean, other, clean], 0, 0, 0)
        assert stopped == 1
        assert text.startswith("CLM*TEST-1*")
        assert outline.run([clean, other, clean], 2, 0, 0)[3] == 3
    assert outline.run([], 0, 5, 0) == ("", 0, 5, 0)
    assert outline.run([clean], 9, 5, 0) == ("", 0, 5, 9)


@compiled
def test_a_run_keeps_no_memory_and_no_record_and_forgets_none() -> None:
    claims = [claim(f"TEST-{n}") for n in range(50)]
    watched = [claims[0], claims[0].lines, claims[0].lines[0], claims[0].lines[0].units, claims[0].claim_id]

    def work() -> None:
        levels(ProfessionalClaim).alone.run(claims, 0, 0, 1)
        levels(ProfessionalClaim).claim.run([*claims, None], 0, 0, 1)
        Outline(Address, segment("N3", code("line1", 9)))

    work()
    before = [sys.getrefcount(value) for value in watched]
    tracemalloc.start()
    try:
        work()
        held = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            work()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - held < 10_000
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(value) for value in watched] == before


@compiled
@pytest.mark.parametrize(
    ("node", "error"),
    [
        (code("line3", 9), KeyError),
        (code("line1.city", 9), (AttributeError, KeyError, TypeError)),
        (code("line1", 9, without="ab"), TypeError),
        (each("line1", "A"), IndexError),
        (code("^line1", 9), IndexError),
        (lambda _: [(99, None, None, "", 0, 0, None, 0, False)], TypeError),
        (lambda _: [(0, None, None, "", 0, 0, None, 0, False)], TypeError),
        (lambda _: [(3, (0, ((Address, "line1"),), 0), None, "", 0, 0, None, 3, False)], TypeError),
        (lambda _: [(5, (1, ((Address, "line1"),), 0), None, "", 0, 9, None, 0, False)], TypeError),
        (lambda _: [(5, (0, ((Address, "__doc__"),), 0), None, "", 0, 9, None, 0, False)], TypeError),
        (lambda _: [(5, (0, ((Address, "line1"),) * 9, 0), None, "", 0, 9, None, 0, False)], TypeError),
        (lambda _: [(5, (0, (), 7), None, "", 0, 9, None, 0, False)], TypeError),
        (lambda _: [(4, None, None, "X" * 17, 0, 0, None, 0, False)], TypeError),
        (lambda _: [(7, (0, ((Address, "line1"),), 0), None, "", 0, 10**18, None, 0, False)], TypeError),
    ],
)
def test_an_outline_that_leads_nowhere_is_refused_when_it_is_made(node: Any, error: Any) -> None:
    with pytest.raises(error):
        Outline(Address, node)


@compiled
def test_tables_of_characters_cannot_let_a_separator_through() -> None:
    """Even where Python's policy were wrong."""
    steps = tuple(segment("N3", code("line1", 9))((Address,)))
    made = outlines._outline.Outline(steps, bytes([1]) * 256, bytes([42]) * 256, X12Error)
    for character in "*:^~\n\x00é":
        assert made.run([Address(line1=f"A{character}B")], 0, 0, 0)[3] == 0
    assert made.run([Address(line1="A B")], 0, 0, 0)[0] == "N3*A B"


@compiled
def test_a_condition_on_the_whole_record_leaves_nothing_of_it_behind() -> None:
    """What was written of a record before its fault is taken back, levels included."""
    outline = Outline(Address, outlines.level("22", 0, "0"), segment("N3", code("line1", 9)), only("state", "TX"))
    fine, other = Address(line1="A", state="TX"), Address(line1="B", state="OH")
    assert outline.run([fine, other, fine], 0, 0, 0) == ("HL*1**22*0~N3*A", 2, 1, 1)


@pytest.mark.slow
@compiled
def test_the_compiled_module_touches_no_memory_that_is_not_its_own() -> None:
    """A thousand rounds of random records under the sanitizers; libs/edi/fuzz/outlines.py runs more."""
    ran = subprocess.run(
        [sys.executable, str(FUZZ), "--rounds", "300", "--seed", "11"], capture_output=True, text=True, check=False
    )
    if "libasan" in ran.stderr and ran.returncode and "ERROR" not in ran.stderr:
        pytest.skip(f"this compiler has no sanitizers: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "differences=0 sanitized=yes" in ran.stdout
