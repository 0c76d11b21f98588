"""The quick readers, writers and checks give exactly what the slow ones give: records, bytes, errors and findings."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from edi_bases import BASES
from edi_samples import BILLING, ENVELOPE, HEADER, PATIENT, SUBSCRIBER, claim, clean_835, line
from edi_writing import by_loops
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from revcycle_edi.x12 import (
    ValidationContext,
    X12Error,
    balance_835,
    build_837p,
    iter_835_unbalanced,
    parse_835,
    parse_837i,
    parse_837p,
    quick835,
    quick837,
    t835,
    t837_parse,
    unbalanced,
    validate,
)
from revcycle_edi.x12.cursor import Excerpt
from revcycle_edi.x12.memo import Memo
from revcycle_edi.x12.outlines import Outline
from revcycle_edi.x12.records import Note, ProfessionalClaim, Reference
from revcycle_edi.x12.validation import rules_835, rules_837, run, walker

TODAY = ValidationContext(today=date(2026, 6, 30))


def _several() -> bytes:
    """Claims of plain and of other shapes under shared and own subscribers."""
    plain = [claim(f"TEST-{n}", patient=PATIENT if n % 4 == 3 else None) for n in range(6)]
    others = [
        msgspec.structs.replace(plain[0], claim_id="TEST-A", prior_authorization_number="AUTH1"),
        msgspec.structs.replace(plain[1], claim_id="TEST-B", notes=(Note("ADD", "A NOTE"),)),
        msgspec.structs.replace(
            plain[2],
            claim_id="TEST-C",
            lines=(msgspec.structs.replace(line(17550), references=(Reference("G1", "X1"),), modifiers=("25", "59")),),
        ),
    ]
    return build_837p(ENVELOPE, HEADER, [*plain, *others])


SOURCES: dict[str, tuple[bytes, Callable[[bytes], list[Any]]]] = {
    "837P": (BASES["837P"](), parse_837p),
    "837P-many": (_several(), parse_837p),
    "837I": (BASES["837I"](), parse_837i),
    "835": (clean_835(), parse_835),
}
JUDGED_VALUES = ["0", "-5", "99", "9", "1:1", "45", "16", "HC:G0463:25:25", "HC:00001", "ABK:E119", "ABF:X", "BF:2500"]
VALUES = ["", "X" * 90, "A1", "-5", "1.5", "20261301", "D8", ":", "a b", "^", "  x", "0", "1", "12:3", "22", "6R", "QC"]


def _damage(data: st.DataObject, source: bytes) -> bytes:
    """Segments dropped, doubled, exchanged, strayed; elements replaced, added; line breaks and other delimiters."""
    segments = source.decode().split("~")
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(1, len(segments) - 2))
        kind = data.draw(st.integers(0, 8))
        if kind == 0:
            del segments[at]
        elif kind == 1:
            segments.insert(at, segments[at])
        elif kind == 2:
            other = data.draw(st.integers(1, len(segments) - 2))
            segments[at], segments[other] = segments[other], segments[at]
        elif kind == 3:
            segments.insert(data.draw(st.integers(1, len(segments) - 2)), segments[at])
        elif kind == 4:
            segments[at] = "\n" + segments[at]
        else:
            elements = segments[at].split("*")
            elements[data.draw(st.integers(0, len(elements) - 1))] = data.draw(st.sampled_from(VALUES))
            segments[at] = "*".join(elements)
    damaged = data.draw(st.sampled_from(["~", "~", "~\n", "~ "])).join(segments).encode()
    return damaged.translate(bytes.maketrans(b"*:^~", b"|>!'")) if data.draw(st.booleans()) else damaged


def _outcome(parse: Callable[[bytes], list[Any]], data: bytes) -> object:
    try:
        return parse(data)
    except X12Error as error:
        return error.rule, error.segment_number, error.byte_offset, error.segment, error.element


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], object]]:
    """Runs something with every quick path closed."""

    def run_slowly(work: Callable[[], object]) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(quick835.ClaimReader, "claims", lambda *_: iter(()))
            patch.setattr(quick837.ClaimReader, "claims", lambda *_: iter(()))
            patch.setattr(Outline, "run", by_loops)
            return work()

    yield run_slowly


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_quick_and_slow_reading_give_the_same_records_and_errors(
    slow: Callable[[Callable[[], object]], object], data: st.DataObject
) -> None:
    source, parse = SOURCES[data.draw(st.sampled_from(sorted(SOURCES)))]
    damaged = _damage(data, source)
    assert _outcome(parse, damaged) == slow(lambda: _outcome(parse, damaged))


def test_the_plain_shapes_are_really_read_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the comparison above against comparing the slow way with itself."""

    def never(*_: object, **__: object) -> Any:
        raise AssertionError("the loop reader or writer was asked")

    def templates_only(read: Callable[..., Any]) -> Callable[..., Any]:
        return lambda cursor, *rest: read(cursor, *rest) if isinstance(cursor, Excerpt) else never()

    plain = [claim(f"TEST-{n}", patient=PATIENT if n % 4 == 3 else None) for n in range(6)]
    data = build_837p(ENVELOPE, HEADER, plain)
    monkeypatch.setattr(t837_parse, "_read_professional", templates_only(t837_parse._read_professional))
    monkeypatch.setattr(t837_parse, "_read_institutional", templates_only(t837_parse._read_institutional))
    monkeypatch.setattr(t835, "_claim", templates_only(t835._claim))
    assert {c.claim_id for c in parse_837p(data)[0].claims} == {c.claim_id for c in plain}
    assert len(parse_837i(BASES["837I"]())[0].claims) == 1
    assert len(parse_835(clean_835())[0].claims) == 2


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=50) | st.sampled_from(["", "ANN", " A  B "]), min_size=9),
    st.integers(0, 10**9),
    st.decimals(0, 999, places=2, allow_nan=False),
)
def test_quick_and_slow_writing_give_the_same_bytes_and_refusals(
    slow: Callable[[Callable[[], object]], object], texts: list[str], cents: int, units: Decimal
) -> None:
    subscriber = msgspec.structs.replace(
        SUBSCRIBER,
        last_name=texts[0],
        first_name=texts[1],
        middle_name=texts[2],
        suffix=texts[3],
        group_name=texts[4],
        address=msgspec.structs.replace(BILLING.address, line1=texts[5], line2=texts[6], city=texts[7]),
    )
    written = msgspec.structs.replace(
        claim(),
        subscriber=subscriber,
        charge_cents=cents,
        claim_id=texts[8] or "TEST-1",
        lines=(msgspec.structs.replace(line(cents), description=texts[2], units=units, control_number=texts[3]),),
    )

    def build() -> object:
        try:
            return build_837p(ENVELOPE, HEADER, [written, claim("TEST-2")])
        except X12Error as error:
            return error.rule

    assert build() == slow(build)


@settings(max_examples=300, deadline=None)
@given(st.data())
@pytest.mark.slow
def test_what_was_learned_from_other_files_changes_no_finding(data: st.DataObject) -> None:
    """Texts known to be clean are known in their place alone; chunks of the input change nothing either."""
    name = data.draw(st.sampled_from(sorted(BASES)))
    damaged = _damage(data, BASES[name]().replace(b"QUJD~RA==", b"QUJD.RA=="))
    run.forget()
    fresh = validate(damaged, context=TODAY)
    for base in BASES.values():
        validate(base(), context=TODAY)
    assert validate(damaged, context=TODAY) == fresh
    assert validate((damaged[i : i + 97] for i in range(0, len(damaged), 97)), context=TODAY) == fresh


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_short_cuts_of_validation_give_the_findings_of_the_long_way(
    monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """Nothing remembered or expected, every line, list and adjustment judged by the rules that name a fault."""
    sources = [source for source, _ in SOURCES.values()]
    segments = data.draw(st.sampled_from(sources)).decode().split("~")
    judged = [at for at, segment in enumerate(segments) if segment[:3] in ("SV1", "HI*", "CAS", "DTP")]
    for at in data.draw(st.lists(st.sampled_from(judged), max_size=3)):
        elements = segments[at].split("*")
        elements[data.draw(st.integers(1, len(elements) - 1))] = data.draw(st.sampled_from(JUDGED_VALUES))
        segments[at] = "*".join(elements)
    damaged = _damage(data, "~".join(segments).encode())
    validate(sources[1], context=TODAY)
    quick = validate(damaged, context=TODAY)
    run.forget()
    with monkeypatch.context() as patch:
        patch.setattr(walker._Spot, "remember", lambda *_: None)
        for rules, name in (
            (rules_837, "SERVICES"),
            (rules_837, "CODE_LISTS"),
            (rules_837, "ADJUSTMENTS"),
            (rules_835, "ADJUSTMENTS"),
        ):
            judge = getattr(rules, name)._read
            patch.setattr(rules, name, Memo(lambda text, judge=judge: judge(text)._replace(faultless=False)))
        slow_way = validate(damaged, context=TODAY)
    assert quick == slow_way


def test_every_finding_points_at_the_first_byte_of_its_segment() -> None:
    data = _several().replace(b"~", b"~\r\n").replace(b"SV1*HC:G0463*150*UN", b"SV1*HC:G0463*150*XX")
    findings = validate(data, context=TODAY)
    assert len(findings) == 8
    starts = [data[f.byte_offset :] for f in findings]
    assert all(start.startswith(b"SV1*HC:G0463*150*XX") for start in starts)
    assert [data[: f.byte_offset].count(b"~") + 1 for f in findings] == [f.segment_number for f in findings]


def test_streamed_balancing_says_what_balancing_of_records_says() -> None:
    data = clean_835().replace(b"SVC*HC:G0463*150*130", b"SVC*HC:G0463*150*131").replace(b"BPR*I*150*", b"BPR*I*151*")
    assert list(iter_835_unbalanced(data)) == unbalanced(balance_835(parse_835(data)[0]))
    assert len(list(iter_835_unbalanced(data))) == 2


@pytest.mark.slow
def test_a_file_of_100_megabytes_is_validated_and_read_in_constant_memory() -> None:
    script = Path(__file__).parents[3] / "tests" / "performance" / "edi_memory.py"
    told = subprocess.run(
        [sys.executable, str(script), "100"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert json.loads(told.stdout)["megabytes"][0] <= 150


def test_a_claim_with_more_than_its_outline_says_is_left_to_the_loop_writers() -> None:
    other: ProfessionalClaim = msgspec.structs.replace(claim(), extra_segments=(("K3", "MORE"),))
    (back,) = parse_837p(build_837p(ENVELOPE, HEADER, [other]))
    assert back.claims == (other,)
