"""X12: read and balance, validate, write; against splitting the same file, and against pyx12 and linuxforhealth-x12.

The floor decodes a file, splits it into segments and every segment into elements, and keeps nothing. Figures are claims
per second of processor time: the machine may be busy with other things. The two libraries take minutes for a whole
file, so they get one of few claims of the same kind; their figures are per claim and therefore compare.
"""

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import edi_corpus
from ground import Ground
from harness import Bench, Line, Measure, OneRound, Round, tell
from revcycle_edi.x12 import (
    balance_837,
    build_835,
    build_837i,
    build_837p,
    iter_835_unbalanced,
    iter_837i_claims,
    iter_837p_claims,
    unbalanced,
    validate,
)

CLAIMS = 10_000
WITNESSED_CLAIMS = 100
MEGABYTES = 100
ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@cache
def professional(count: int = CLAIMS) -> bytes:
    """An 837P file."""
    return build_837p(edi_corpus.ENVELOPE, edi_corpus.HEADER, edi_corpus.professional_claims(count))


@cache
def institutional() -> bytes:
    """An 837I file."""
    return build_837i(edi_corpus.ENVELOPE, edi_corpus.HEADER, edi_corpus.institutional_claims(CLAIMS))


@cache
def advice(count: int = CLAIMS) -> bytes:
    """An 835 file."""
    return build_835([edi_corpus.remittance(count)])


def split_stream(data: bytes) -> int:
    """The floor: segments, then elements, nothing kept."""
    elements = 0
    for segment in data.decode("latin-1").split("~"):
        elements += len(segment.split("*"))
    return elements


def _balance_837p(data: bytes) -> int:
    return sum(len(unbalanced(balance_837(claim))) for claim in iter_837p_claims(data))


def _balance_837i(data: bytes) -> int:
    return sum(len(unbalanced(balance_837(claim))) for claim in iter_837i_claims(data))


def _balance_835(data: bytes) -> int:
    return sum(1 for _ in iter_835_unbalanced(data))


def _findings(data: bytes) -> int:
    return len(validate(data))


def _clean(count: int) -> None:
    if count:
        raise ValueError(f"the generated file is not clean: {count} findings")


def in_processor_time(work: Callable[[], object], pieces: int = CLAIMS) -> Measure:
    """Pieces per second of processor time, the garbage before it collected."""
    gc.collect()
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    return Measure(pieces / seconds, seconds / pieces * 1e6)


def _against_split(name: str, work: Callable[[bytes], int], data: Callable[[], bytes], least: float | None) -> Bench:
    @asynccontextmanager
    async def prepare(_: Ground) -> AsyncIterator[OneRound]:
        content = data()
        gc.collect()
        gc.freeze()

        async def one_round() -> Mapping[str, Round]:
            value = in_processor_time(lambda: _clean(work(content)))
            return {name: Round(value, in_processor_time(lambda: split_stream(content)))}

        yield one_round

    return Bench(name, (Line(name, "claims/cpu-s", least),), prepare)


def _generate(name: str, build: Callable[[], Callable[[], bytes]], least: float | None) -> Bench:
    @asynccontextmanager
    async def prepare(_: Ground) -> AsyncIterator[OneRound]:
        write = build()
        content = write()
        gc.collect()
        gc.freeze()

        async def one_round() -> Mapping[str, Round]:
            value = in_processor_time(write)
            return {name: Round(value, in_processor_time(lambda: split_stream(content)))}

        yield one_round

    return Bench(name, (Line(name, "claims/cpu-s", least),), prepare)


def _build_professional() -> Callable[[], bytes]:
    claims = edi_corpus.professional_claims(CLAIMS)
    return lambda: build_837p(edi_corpus.ENVELOPE, edi_corpus.HEADER, claims)


def _build_institutional() -> Callable[[], bytes]:
    claims = edi_corpus.institutional_claims(CLAIMS)
    return lambda: build_837i(edi_corpus.ENVELOPE, edi_corpus.HEADER, claims)


def _build_advice() -> Callable[[], bytes]:
    remittance = edi_corpus.remittance(CLAIMS)
    return lambda: build_835([remittance])


def _witness(lock: str, script: str, folder: Path, content: bytes) -> dict[str, float]:
    """Run a library in its own environment over a file; its claims per second of processor time by kind of work."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "oracle_env.py"), lock], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(f"{lock} cannot be made: {made.stderr.strip()}")
    file = folder / f"{lock}.edi"
    file.write_bytes(content)
    told = subprocess.run(
        [made.stdout.strip(), str(HERE / "witnesses" / script), str(file), str(WITNESSED_CLAIMS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    figures: dict[str, float] = json.loads(told.stdout)
    return figures


@asynccontextmanager
async def _beside(_: Ground) -> AsyncIterator[OneRound]:
    """Ours on the whole file, the libraries on one of few claims of the same generator."""
    tell(f"edi-beside: the libraries read {WITNESSED_CLAIMS} claims, ours {CLAIMS}; figures are per claim")
    claims, payments = professional(), advice()
    few, few_payments = professional(WITNESSED_CLAIMS), advice(WITNESSED_CLAIMS)
    write = _build_professional()

    async def one_round() -> Mapping[str, Round]:
        with tempfile.TemporaryDirectory() as folder:
            pyx12 = _witness("pyx12", "pyx12_speed.py", Path(folder), few)["validate"]
            pyx12_835 = _witness("pyx12", "pyx12_speed.py", Path(folder), few_payments)["validate"]
            health = _witness("linuxforhealth", "linuxforhealth_speed.py", Path(folder), few)
        return {
            "edi_validate_837_to_pyx12": _round(lambda: validate(claims), pyx12),
            "edi_validate_835_to_pyx12": _round(lambda: validate(payments), pyx12_835),
            "edi_parse_837_to_linuxforhealth": _round(lambda: _balance_837p(claims), health["parse"]),
            "edi_generate_837_to_linuxforhealth": _round(write, health["generate"]),
        }

    yield one_round


def _round(work: Callable[[], object], theirs: float) -> Round:
    return Round(in_processor_time(work), Measure(theirs))


def _peak() -> tuple[float, float]:
    """Peak memory of a process that reads a long stream, and its memory before, in megabytes."""
    command = [sys.executable, str(HERE / "edi_memory.py"), str(MEGABYTES)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    peak, start = json.loads(told.stdout)["megabytes"]
    return peak, start


@asynccontextmanager
async def _memory(_: Ground) -> AsyncIterator[OneRound]:
    async def one_round() -> Mapping[str, Round]:
        peak, start = await asyncio.to_thread(_peak)
        return {"edi_memory": Round(Measure(peak), Measure(start))}

    yield one_round


BENCHES = (
    _against_split("edi_837_parse_balance", _balance_837p, professional, 0.3),
    _against_split("edi_837i_parse_balance", _balance_837i, institutional, 0.3),
    _against_split("edi_835_parse_balance", _balance_835, advice, 0.3),
    _against_split("edi_validate", _findings, professional, 0.1),
    _against_split("edi_835_validate", _findings, advice, 0.1),
    _generate("edi_generate", _build_professional, 1.0),
    _generate("edi_837i_generate", _build_institutional, 1.0),
    _generate("edi_835_generate", _build_advice, 1.0),
    Bench(
        "edi-beside",
        (
            Line("edi_validate_837_to_pyx12", "claims/cpu-s", 50.0),
            Line("edi_validate_835_to_pyx12", "claims/cpu-s", 50.0),
            Line("edi_parse_837_to_linuxforhealth", "claims/cpu-s", 50.0),
            Line("edi_generate_837_to_linuxforhealth", "claims/cpu-s", 50.0),
        ),
        _beside,
        rounds=3,
        warm_up=0,
    ),
    Bench("edi-memory", (Line("edi_memory", "MB", value_max=150.0),), _memory, rounds=1, warm_up=0),
)
