"""The coded charts of the shared data through the edit engine: the tables of CHARTS.md.

    python libs/codes/charts/run.py [--draw 10] [--seed 1] [--check libs/codes/CHARTS.md]

Prints how often each rule spoke, in findings and charts, and with `--draw` so many findings of each kind by a seeded
draw (chart, note and diagnosis codes, ready to be judged). `--check` compares the first table with a page and ends with
1 where they differ. Every chart is a claim of 2024-08-15 with the full tables of July 2024; the charts have no order,
dates, modifiers, units, age or sex. Needs the shared data (`REVCYCLE_SHARED_DATA`).
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from revcycle_codes import CodeSets, EncounterFacts, Finding, LineFacts, Setting, check_encounter
from revcycle_codes.edit_tables import EditTables
from revcycle_codes.importer import ImportRequest, compile_import, store
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("REVCYCLE_SHARED_DATA") or ROOT.parent / "shared" / "data")
DAY, VALID_FROM, VALID_TO = date(2024, 8, 15), date(2024, 7, 1), date(2024, 10, 1)
HOSPITAL_PLACE = "21"
STAY = "i"
TABLES: tuple[tuple[str, Setting | None], ...] = (
    ("ncci_ptp_practitioner_2024-07.csv.gz", Setting.PRACTITIONER),
    ("ncci_mue_practitioner_2024-07.csv.gz", Setting.PRACTITIONER),
    ("ncci_addon_2024-06.csv.gz", None),
    ("mpfs_2024-07.csv.gz", None),
    ("mce_simple_edits_v37.tsv.gz", None),
    ("poa_exempt_icd10cm_2020.tsv.gz", None),
)
Told = tuple[str, str, Finding]  # chart, note (i: the stay), finding


def edit_tables(folder: Path) -> EditTables:
    """The tables of July 2024, compiled into a folder."""
    console = Console(stderr=True)
    for name, setting in track(TABLES, "compiling tables", console=console, transient=True):
        request = ImportRequest(
            files={name: (SHARED / "codes" / name).read_bytes()},
            release="2024-07",
            valid_from=VALID_FROM,
            valid_to=VALID_TO,
            setting=setting,
        )
        store(compile_import(request), folder)
    return EditTables.open(folder)


def claims(chart: dict[str, object]) -> Iterator[tuple[str, EncounterFacts]]:
    """A stay as one claim, a professional chart as one claim a note; the note's name with each."""
    stay = chart["setting"] == "inpatient"
    by_note: dict[int, tuple[list[str], list[str]]] = {}
    codes = chart["codes"]
    assert isinstance(codes, list)
    for entry in codes:
        diagnoses, procedures = by_note.setdefault(0 if stay else entry["note"], ([], []))
        if entry["system"] == "ICD-10-CM" and entry["code"] not in diagnoses:
            diagnoses.append(entry["code"])
        elif entry["system"] == "CPT":
            procedures.append(entry["code"])
    for note, (diagnoses, procedures) in by_note.items():
        lines = (
            LineFacts(line_number=number, code=code, diagnosis_pointers=(1,))
            for number, code in enumerate(procedures, start=1)
        )
        facts = EncounterFacts(
            date_of_service=DAY,
            diagnoses=tuple(diagnoses),
            lines=() if stay else tuple(lines),
            place_of_service=HOSPITAL_PLACE,
            setting=Setting.INPATIENT if stay else Setting.PRACTITIONER,
        )
        if diagnoses:
            yield STAY if stay else f"p{note}", facts


def findings(tables: EditTables) -> list[Told]:
    """Every finding on every chart, in the order of the file."""
    code_sets = CodeSets.open()
    charts = (SHARED / "notes" / "mdace" / "mdace_codes.jsonl").read_text().splitlines()
    told = []
    for text in track(charts, "checking charts", console=Console(stderr=True), transient=True):
        chart = json.loads(text)
        for note, facts in claims(chart):
            told += [(str(chart["chart_id"]), note, one) for one in check_encounter(facts, code_sets, tables)]
    return told


def counts(told: list[Told]) -> str:
    """How often each rule spoke, as a Markdown table."""
    kinds: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    for chart, note, one in told:
        kinds[(one.rule, one.severity.value)].append(
            (chart, note == STAY)
        )  # an admission may have a chart of each kind
    rows = [f"| {rule} | {severity} | {len(of)} | {len(set(of))} |" for (rule, severity), of in sorted(kinds.items())]
    return "\n".join(["| rule | severity | findings | charts |", "|---|---|---|---|", *rows])


def drawn(told: list[Told], size: int, seed: int) -> str:
    """So many findings of each kind by a seeded draw, to be judged; procedure codes are left out."""
    kinds: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for chart, note, one in told:
        kinds[(one.rule, one.severity.value)].append((chart, note, one))
    rows = []
    for (rule, severity), of in sorted(kinds.items()):
        for chart, note, one in random.Random(f"{seed} {rule} {severity}").sample(of, min(size, len(of))):
            shown = " ".join(code for code in one.codes if code[:1].isalpha()) if rule.startswith("DX") else ""
            rows.append(f"| {rule} {severity} | {chart} | {note} | {shown} |  |")
    return "\n".join(["| rule | chart | note | codes | judged |", "|---|---|---|---|---|", *rows])


def main() -> int:
    """Print the tables; 1 when `--check` finds another first table on the page, 2 without the shared data."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--draw", type=int, default=0, help="findings of each kind to draw (default: none)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--check", type=Path, help="a page whose first table must be this one")
    options = parser.parse_args()
    if not SHARED.exists():
        sys.stderr.write("the shared data is absent: set REVCYCLE_SHARED_DATA\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        told = findings(edit_tables(Path(folder)))
    table = counts(told)
    sys.stdout.write(table + "\n")
    if options.draw:
        sys.stdout.write("\n" + drawn(told, options.draw, options.seed) + "\n")
    exclusions = [one for _, _, one in told if one.rule == "DX-07"]
    free = sum(one.overridable and one.severity == "warning" for one in exclusions)
    sys.stdout.write(f"charts: findings={len(told)} excludes1={len(exclusions)} overridable_warnings={free}\n")
    if options.check and table not in options.check.read_text():
        sys.stderr.write(f"{options.check} shows another table: put this one in its place and judge what is new\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
