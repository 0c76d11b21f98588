"""What validators from outside say of this library: `make oracles`, or run me with the Python of the workspace.

    python libs/edi/tests/oracles/edi_witnesses.py [--mutations 2000] [--seed 1] [--claims 300]

Three questions, each answered in an environment of its own (scripts/oracle_env.py):

1. Does pyx12 accept every professional and institutional claim and every remittance this library writes?
2. Does linuxforhealth-x12 read back every value of 837, 270, 271, 276 and 277 as it was written (amounts as numbers)?
3. Do pyx12 and this library agree on mutated interchanges? What they disagree on must stand in exceptions.json.

The last line of standard output holds the figures; exit status 1 when something is refused, differs or is unexplained.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(ROOT / "tests" / "performance")]

import edi_corpus  # noqa: E402 - they lie beside tests, not in a package
from edi_bases import BASES  # noqa: E402
from revcycle_edi import x12  # noqa: E402

EXCEPTIONS = json.loads((HERE / "exceptions.json").read_text())
TODAY = x12.ValidationContext(today=date(2026, 6, 30))
_FILE_CLAIMS = 50
_CONTROL = frozenset(("ISA", "GS", "GE", "IEA"))
_MUTATED = ("837P", "837I", "835")


class CannotBeMadeError(Exception):
    """The environment of a witness cannot be made here."""


def witness(name: str, script: str, documents: Sequence[str]) -> list[dict[str, Any]]:
    """What a script says about each document in the environment of its own. CannotBeMadeError without one."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle_env.py", name], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise CannotBeMadeError(made.stderr.strip())
    said = subprocess.run(
        [made.stdout.strip(), HERE / script],
        input="".join(json.dumps(document) + "\n" for document in documents),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


# 1. Everything written is accepted ------------------------------------------------------------------------------------


def written(claims: int) -> list[tuple[str, int, str]]:
    """(kind, claims in it, interchange) of everything the generator of the benches and the samples give."""
    professional, institutional = edi_corpus.professional_claims(claims), edi_corpus.institutional_claims(claims)
    found = [(kind, 1, BASES[kind]().decode()) for kind in _MUTATED]
    for at in range(0, claims, _FILE_CLAIMS):
        few, others = professional[at : at + _FILE_CLAIMS], institutional[at : at + _FILE_CLAIMS]
        found.append(("837P", len(few), x12.build_837p(edi_corpus.ENVELOPE, edi_corpus.HEADER, few).decode()))
        found.append(("837I", len(others), x12.build_837i(edi_corpus.ENVELOPE, edi_corpus.HEADER, others).decode()))
        advice = edi_corpus.remittance(len(few), seed=at + 1)
        found.append(("835", len(few), x12.build_835([advice]).decode()))
    return found


def accepted_by_pyx12(documents: Sequence[tuple[str, int, str]]) -> tuple[str, bool]:
    """Figures, and whether all were accepted."""
    said = witness("pyx12", "judge_pyx12.py", [text for _, _, text in documents])
    total, taken = Counter[str](), Counter[str]()
    for (kind, count, _), one in zip(documents, said, strict=True):
        total[kind] += count
        if one["accepted"] and not one["errors"]:
            taken[kind] += count
        else:
            sys.stdout.write(f"pyx12 refuses a {kind}: {one['errors'][:3]}\n")
    return " ".join(f"{kind}={taken[kind]}/{total[kind]}" for kind in sorted(total)), total == taken


# 2. Every value is read back ------------------------------------------------------------------------------------------


def for_linuxforhealth(claims: int) -> list[tuple[str, str]]:
    """(kind, interchange) of what this library writes, under the errata the other library names its guides by."""
    claims_837 = [
        ("837P", BASES["837P"]()),
        ("837I", BASES["837I"]()),
        ("837P", x12.build_837p(edi_corpus.ENVELOPE, edi_corpus.HEADER, edi_corpus.professional_claims(claims))),
        ("837I", x12.build_837i(edi_corpus.ENVELOPE, edi_corpus.HEADER, edi_corpus.institutional_claims(claims))),
    ]
    found = [(k, d.decode().replace("X222A1", "X222A2").replace("X223A2", "X223A3")) for k, d in claims_837]
    (inquiry,), (answer,) = x12.parse_270(BASES["270"]()), x12.parse_271(BASES["271"]())
    (asked,), (told,) = x12.parse_276(BASES["276"]()), x12.parse_277(BASES["277"]())
    others = [
        ("270", x12.build_270(inquiry.envelope, inquiry.reference, inquiry.inquiries)),
        ("271", x12.build_271(answer.envelope, answer.reference, answer.answers)),
        ("276", x12.build_276(asked.envelope, asked.reference, asked.inquiries)),
        ("277", x12.build_277(told.envelope, told.reference, told.answers)),
    ]
    for kind, data in others:
        text = data.decode()
        for entry in EXCEPTIONS["linuxforhealth"]:
            if entry["where"] == kind:  # Sent with what it wants and the guide does not ask for.
                text = _recounted(text.replace(entry["sent"], entry["instead"]))
        found.append((kind, text))
    return found


def _same(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return False


def read_back(documents: Sequence[tuple[str, str]]) -> tuple[str, bool]:
    """Figures, and whether every value came back."""
    said = witness("linuxforhealth", "judge_linuxforhealth.py", [text for _, text in documents])
    values, equal = Counter[str](), Counter[str]()
    for (kind, text), one in zip(documents, said, strict=True):
        sent = [segment.split("*") for segment in text.split("~") if segment]
        sent = [elements for elements in sent if elements[0] not in _CONTROL]
        pairs = list(zip(sent, one["segments"], strict=False))
        values[kind] += sum(map(len, sent))
        if not one["accepted"]:
            sys.stdout.write(f"linuxforhealth refuses a {kind}: {one['error'][:300]}\n")
        for ours, theirs in pairs if len(sent) == len(one["segments"]) else ():
            same = sum(map(_same, ours, theirs)) if len(ours) == len(theirs) else 0
            equal[kind] += same
            if same < len(ours):
                sys.stdout.write(f"linuxforhealth reads a {kind} otherwise: {ours[0]} {ours[1:2]}\n")
    return " ".join(f"{kind}={equal[kind]}/{values[kind]}" for kind in sorted(values)), values == equal


# 3. Mutations ---------------------------------------------------------------------------------------------------------


def _recounted(text: str) -> str:
    """The interchange with the segment count of its transaction put right."""
    segments = text.split("~")
    first = next(i for i, segment in enumerate(segments) if segment.startswith("ST*"))
    last = next(i for i, segment in enumerate(segments) if segment.startswith("SE*"))
    segments[last] = f"SE*{last - first + 1}*{segments[last].split('*')[2]}"
    return "~".join(segments)


def _damaged(draw: Random, segment: str, kind: str) -> str:
    elements = segment.split("*")
    at = draw.randrange(1, len(elements))
    value = elements[at]
    if kind == "extra":
        return "*".join(elements + ["1"] * draw.randrange(1, 12))
    elements[at] = {
        "blank": "",
        "code": draw.choice(("ZZ", "QQQ", "9")),
        "long": (value or "A") + "X" * 90,
        "letter": f"{value[:1]}A{value[2:]}",
    }[kind]
    return "*".join(elements)


def mutations(count: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """(guide, kind of damage, interchange): one segment dropped, doubled, swapped, or one element of it damaged."""
    draw = Random(seed)
    for number in range(count):
        guide = _MUTATED[number % len(_MUTATED)]
        segments = BASES[guide]().decode().split("~")
        at = draw.randrange(3, len(segments) - 4)
        kind = draw.choice(("drop", "double", "swap", "blank", "code", "long", "letter", "extra"))
        if kind == "drop":
            del segments[at]
        elif kind == "double":
            segments.insert(at, segments[at])
        elif kind == "swap":
            segments[at], segments[at + 1] = segments[at + 1], segments[at]
        else:
            segments[at] = _damaged(draw, segments[at], kind)
        yield guide, kind, _recounted("~".join(segments))


def _explained(side: str, guide: str, kind: str, told: str, used: Counter[str]) -> bool:
    key = "error" if side == "pyx12_refuses" else "finding"
    for entry in EXCEPTIONS[side]:
        if (
            re.fullmatch(entry["where"], guide)
            and re.fullmatch(entry[key], told)
            and re.fullmatch(entry.get("after", ".*"), kind)
        ):
            used[entry["why"]] += 1
            return True
    return False


def compared(count: int, seed: int) -> tuple[str, bool]:
    """Figures of the mutations, and whether all disagreement is explained."""
    documents = list(mutations(count, seed))
    said = witness("pyx12", "judge_pyx12.py", [text for _, _, text in documents])
    agreed, explained, used = 0, 0, Counter[str]()
    for (guide, kind, text), one in zip(documents, said, strict=True):
        findings = [f for f in x12.validate(text.encode(), context=TODAY) if f.severity == "error"]
        if bool(findings) != bool(one["accepted"]):
            agreed += 1
            continue
        side = "we_refuse" if findings else "pyx12_refuses"
        told = [f"{f.answer} {f.rule} {f.segment}" for f in findings] if findings else one["errors"]
        if told and all(_explained(side, guide, kind, each, used) for each in told):
            explained += 1
        else:
            sys.stdout.write(f"unexplained, {side}, {guide} {kind}: {told[:4]}\n")
    for why, times in used.most_common():
        sys.stdout.write(f"exception used {times} times: {why}\n")
    figures = f"mutations={count} agreed={agreed} explained={agreed + explained} exceptions={len(used)}"
    return figures, agreed + explained == count


def main() -> int:
    """Ask all three questions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--claims", type=int, default=300, help="of each kind written for pyx12")
    chosen = parser.parse_args()
    try:
        accepted, first = accepted_by_pyx12(written(chosen.claims))
        equal, second = read_back(for_linuxforhealth(chosen.claims))
        agreement, third = compared(chosen.mutations, chosen.seed)
    except CannotBeMadeError as error:
        sys.stderr.write(f"no witness: {error}\n")
        return 3
    sys.stdout.write(f"oracles: pyx12 {accepted} accepted; linuxforhealth values {equal} equal; {agreement}\n")
    return 0 if first and second and third else 1


if __name__ == "__main__":
    sys.exit(main())
