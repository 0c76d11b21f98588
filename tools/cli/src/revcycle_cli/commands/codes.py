"""`revcycle codes`: releases of code sets, checks by the edit rules, suggestions from notes."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from revcycle_codes import CodeSets, Finding
    from revcycle_codes.edit_tables import EditTables
    from revcycle_codes.switches import Switches
    from rich.console import Console

_FINDINGS_SHOWN: Final = 200

CacheOption = Annotated[
    Path | None,
    typer.Option("--releases", help="Folder of imported releases. [default: imported/ in the code-set cache]"),
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Code sets by date of service, the edit rules over them, and code suggestions.")
    for name, command in (
        ("status", status),
        ("import", import_release),
        ("diff", diff),
        ("resolve", resolve),
        ("check", check),
        ("rules", rules),
        ("suggest", suggest),
        ("score", score),
    ):
        group.command(name)(command)
    app.add_typer(group, name="codes", no_args_is_help=True)


def _fail(message: object) -> typer.Exit:
    sys.stderr.write(f"revcycle codes: {message}\n")
    return typer.Exit(2)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _fail(f"{path}: it is not UTF-8 text") from None
    except OSError as error:
        raise _fail(f"{path}: {error.strerror}") from None


def _folder(releases: Path | None) -> Path:
    from revcycle_codes.artefact import default_cache_dir

    return releases or default_cache_dir() / "imported"


def _open(releases: Path | None) -> tuple[CodeSets, EditTables]:
    from revcycle_codes import CodesError, CodeSets
    from revcycle_codes.edit_tables import EditTables

    folder = _folder(releases)
    try:
        return CodeSets.open(release_dirs=[folder]), EditTables.open(folder)
    except CodesError as error:
        raise _fail(error) from None


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    # Piped output has no width of its own: wide enough that no date and no name of a release is cut.
    watched = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(highlight=False, stderr=stderr, width=None if watched else 240)


def status(releases: CacheOption = None) -> None:
    """List the loaded releases and edit tables, and say which are too old for today."""
    from revcycle_codes.releases import staleness
    from rich.table import Table

    code_sets, tables = _open(releases)
    today = datetime.now(UTC).date()
    view = Table(box=None, pad_edge=False)
    for column in ("system", "release", "from", "to (exclusive)", "rows", "licence", "content"):
        view.add_column(column, justify="right" if column == "rows" else "left")
    for one in code_sets.releases():
        rows = f"{one.row_count:,}" + ("" if one.complete else " (subset)")
        end = str(one.valid_to or "open")
        view.add_row(one.system, one.release, str(one.valid_from), end, rows, one.licence_class, one.content_hash[:12])
    for spec in tables.specs:
        name = f"{spec.kind}{' ' + spec.setting if spec.setting else ''}"
        view.add_row(name, spec.release, str(spec.valid_from), str(spec.valid_to or "open"), "", "", "")
    console = _console()
    console.print(view)
    for alert in staleness(code_sets.releases(), today):
        console.print(f"[yellow]too old:[/yellow] {alert.message}")
    for table in tables.unchecked(today):
        console.print(f"[yellow]too old:[/yellow] {table.kind} {table.release} ended before {table.valid_to}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _fail(f"{text!r} is not a date; write it as YYYY-MM-DD") from None


def import_release(
    files: Annotated[list[Path], typer.Argument(help="Files of one release (all parts of a PTP table together).")],
    release: Annotated[str, typer.Option(help="Name of the release, such as FY2027 or 2026-10.")],
    valid_from: Annotated[str, typer.Option("--from", help="First day in force (YYYY-MM-DD).")],
    valid_to: Annotated[str | None, typer.Option("--to", help="First day no longer in force. [default: open]")] = None,
    kind: Annotated[str | None, typer.Option(help="What the file is. [default: recognised by its content]")] = None,
    setting: Annotated[
        str | None, typer.Option(help="practitioner, outpatient_hospital or dme: needed for NCCI pairs and units.")
    ] = None,
    licensed: Annotated[
        bool, typer.Option("--cpt-licensed", help="You hold a CPT licence: keep the texts of CPT files.")
    ] = False,
    releases: CacheOption = None,
) -> None:
    """Read an official release file, compile it, and add it to the releases.

    The layout is recognised; a header that is not the expected one is refused by the name of its column. Releases are
    only ever added. Example:

    revcycle codes import icd10cm_order_2027.txt --release FY2027 --from 2026-10-01 --to 2027-10-01
    """
    from revcycle_codes import CodesError, Setting
    from revcycle_codes.importer import ImportRequest, compile_import, store

    try:
        chosen = Setting(setting) if setting else None
    except ValueError:
        raise _fail(f"setting {setting!r} is unknown; choose {', '.join(Setting)}") from None
    try:
        with _console(stderr=True).status(f"compiling {release}…"):
            imported = compile_import(
                ImportRequest(
                    files={path.name: path.read_bytes() for path in files},
                    release=release,
                    valid_from=_day(valid_from),
                    valid_to=_day(valid_to) if valid_to else None,
                    kind=kind,
                    setting=chosen,
                    licensed=licensed,
                )
            )
            path = store(imported, _folder(releases))
    except (CodesError, OSError) as error:
        raise _fail(error) from None
    sys.stdout.write(f"{imported.kind} {release}: {imported.rows:,} rows in {path}\n")
    for reason in imported.rejected[:10]:
        sys.stderr.write(f"rejected {reason}\n")


def resolve(
    code: Annotated[str, typer.Argument(help="A code, with or without its dot.")],
    on: Annotated[str, typer.Option("--on", help="Date of service (YYYY-MM-DD).")],
    system: Annotated[str, typer.Option(help="Code system.")] = "icd-10-cm",
    releases: CacheOption = None,
) -> None:
    """Say what a code was on a day: active, deleted (since when, what follows), not yet, unknown, or not known here."""
    from revcycle_codes import CodeSystem

    try:
        chosen = CodeSystem(system)
    except ValueError:
        raise _fail(f"code system {system!r} is unknown; choose {', '.join(CodeSystem)}") from None
    code_sets, _ = _open(releases)
    answer = code_sets.resolve(chosen, code, _day(on))
    facts = [
        ("code", answer.code),
        ("state", answer.state + (" (assumed: between two releases that agree)" if answer.assumed else "")),
        ("billable", "yes" if answer.billable else "no"),
        ("since", answer.since),
        ("last day", answer.last_day),
        ("followed by", ", ".join(answer.successors)),
        ("description", answer.description),
        ("release", answer.release),
    ]
    for name, value in facts:
        if value:
            sys.stdout.write(f"{name:12} {value}\n")


def diff(
    older: Annotated[str, typer.Argument(help="Release, such as FY2024.")],
    newer: Annotated[str, typer.Argument(help="Release, such as FY2026-04.")],
    system: Annotated[str, typer.Option(help="Code system.")] = "icd-10-cm",
    in_use: Annotated[
        Path | None,
        typer.Option("--in-use", help="Codes in use, one a line (a code may repeat): show the impact."),
    ] = None,
    releases: CacheOption = None,
) -> None:
    """Compare two releases: codes added, deleted, split and reworded, and what that touches."""
    from revcycle_codes import CodeSystem
    from revcycle_codes.model import display, normalise
    from revcycle_codes.releases import diff as compare
    from revcycle_codes.releases import impact

    used = _text(in_use) if in_use else ""
    code_sets, _ = _open(releases)
    try:
        chosen = CodeSystem(system)
        change = compare(code_sets.table(chosen, older), code_sets.table(chosen, newer))
    except ValueError as error:
        raise _fail(error) from None
    write = sys.stdout.write
    write(f"{system} {older} to {newer}: {len(change.added)} added, {len(change.deleted)} deleted, ")
    write(f"{len(change.split)} of them split, {len(change.revised)} reworded\n")
    if change.days_between:
        write(f"the releases are {change.days_between} days apart: the dates of the changes are not known from them\n")
    for code in change.deleted:
        write(f"- {code}{' -> ' + ', '.join(change.split[code]) if code in change.split else ''}\n")
    for code in change.added:
        write(f"+ {code}\n")
    if used:
        # Written with or without the dot, in capitals or not: the same code.
        keys = (normalise(chosen, line) for line in used.splitlines() if line.strip())
        uses = Counter(display(chosen, key) for key in keys)
        for touched in impact(change, uses):
            write(f"! {touched.code} used {touched.uses} times: {touched.change} {', '.join(touched.successors)}\n")


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Encounter files or claims, one JSON object a line.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding and line.")] = False,
    site: Annotated[
        Path | None, typer.Option(help="Settings of the site: a JSON object with switches, lists and visits.")
    ] = None,
    releases: CacheOption = None,
) -> None:
    """Run the edit rules over encounter files or claims and show every finding.

    A line with `lines` is a claim (the fields of ClaimSubmitted; history, evaluation, drg and peer_measures feed the
    rules that need them), any other an encounter file. Visit codes, code lists and payer switches are the site's.

    Exit status 0 when no finding blocks billing, 1 when one does, 2 when a line cannot be read.
    """
    code_sets, tables = _open(releases)
    if not file.is_file():
        raise _fail(f"{file} is not a file")
    counts: Counter[tuple[str, str]] = Counter()
    blocked = encounters = unreadable = 0
    shown: list[tuple[str, Finding]] = []
    for checked in _checked(file, code_sets, tables, _switches(site)):
        if checked is None:
            unreadable += 1
            continue
        number, findings = checked
        encounters += 1
        blocked += any(one.severity == "error" for one in findings)
        for one in findings:
            counts[(one.rule, one.severity)] += 1
            if as_json:
                _write_finding(number, one)
            elif len(shown) < _FINDINGS_SHOWN:
                shown.append((number, one))
    if not as_json:
        _show_findings(shown, counts)
        sys.stdout.write(f"{encounters} encounters, {blocked} with an error, {sum(counts.values())} findings\n")
    raise typer.Exit(2 if unreadable else 1 if blocked else 0)


def _switches(site: Path | None) -> Switches:
    from revcycle_codes import CodesError
    from revcycle_codes.switches import Switches

    try:
        return Switches.read(site.read_bytes()) if site else Switches()
    except (CodesError, OSError) as error:
        raise _fail(error) from None


def _checked(
    file: Path, code_sets: CodeSets, tables: EditTables, switches: Switches
) -> Iterator[tuple[str, list[Finding]] | None]:
    """The findings of each line; None for one that cannot be read: it is named and keeps no other from being judged."""
    import msgspec
    from revcycle_codes import FactsError, check_encounter, facts_from_record
    from rich.progress import track

    lines = [(place, line) for place, line in enumerate(file.read_bytes().splitlines(), start=1) if line.strip()]
    for place, line in track(lines, "checking", console=_console(stderr=True), transient=True):
        try:
            facts = facts_from_record(msgspec.json.decode(line, type=dict[str, object]))
        except (FactsError, msgspec.DecodeError) as error:
            _fail(f"line {place}: {error}")
            yield None
            continue
        yield facts.encounter_number, check_encounter(facts, code_sets, tables, switches)


def _write_finding(number: str, finding: Finding) -> None:
    import msgspec
    from revcycle_codes import finding_as_dict

    record = {"encounter_number": number} | finding_as_dict(finding)
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")


def _show_findings(shown: list[tuple[str, Finding]], counts: Counter[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from revcycle_cli.edi_files import plain

    colour = {"error": "red", "warning": "yellow", "info": "dim"}
    view = Table(box=None, pad_edge=False)
    for column in ("encounter", "rule", "severity", "finding", "what would be right"):
        view.add_column(column)
    for number, one in shown:
        # As it is: square brackets of a file are no instructions for the terminal.
        encounter, message, expected = (Text(plain(text)) for text in (number, one.message, one.expected))
        view.add_row(encounter, one.rule, Text(one.severity, colour[one.severity]), message, expected)
    console = _console()
    console.print(view)
    if sum(counts.values()) > len(shown):
        console.print(f"… the first {len(shown)} of {sum(counts.values())}; --json shows all")
    for (rule, severity), count in sorted(counts.items()):
        console.print(f"{rule:8} {severity:8} {count:6,}")


def rules() -> None:
    """Print the rule catalogue (Markdown): each rule with its source, severity and the payer's answer."""
    from revcycle_codes.catalogue import catalogue_page

    sys.stdout.write(catalogue_page())


def suggest(
    note: Annotated[Path | None, typer.Argument(metavar="NOTE.txt", help="A note: shown with its evidence.")] = None,
    source: Annotated[Path | None, typer.Option("--in", help='Many notes: {"id", "text"} a line.')] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Suggestions, one object a note, best first.")] = None,
    on: Annotated[str | None, typer.Option("--on", help="Date of service. [default: newest release]")] = None,
    releases: CacheOption = None,
) -> None:
    """Suggest ICD-10-CM codes for a note, each with the words that speak for it.

    Negated, family, past and uncertain statements yield no code; uncertain ones may yield a draft query to the
    clinician. An imported Alphabetic Index (kind icd10cm-index) adds its names.
    """
    if (note is None) == (source is None) or (source is None) != (out is None):
        raise _fail("give a NOTE.txt, or --in and --out together")
    day = _day(on) if on else None
    text = _text(note) if note is not None else ""
    notes, file = _notes(source, out) if source is not None and out is not None else ([], None)
    import msgspec
    from revcycle_codes.edit_tables import TableKind
    from revcycle_codes.loaders.icd import IndexEntry
    from revcycle_codes.suggest import Suggester, suggestion_record
    from rich.progress import track

    code_sets, tables = _open(releases)
    entries = [entry for table in tables.references(TableKind.INDEX) for entry in table.rows(IndexEntry)]
    suggester = Suggester.open(code_sets, day, index_entries=entries)
    if file is None:
        _show_note(suggester, text)
        return
    with file:
        for note_id, text in track(notes, "suggesting", console=_console(stderr=True), transient=True):
            file.write(msgspec.json.encode(suggestion_record(note_id, suggester.suggest(text))) + b"\n")
    sys.stdout.write(f"{len(notes)} notes in {out}\n")


def _notes(source: Path, out: Path) -> tuple[list[tuple[str, str]], BinaryIO]:
    """The notes, and where their suggestions go: both are looked at before the long work begins."""
    from revcycle_codes.score import read_notes

    try:
        notes = read_notes(source.read_bytes())
    except (ValueError, OSError) as error:
        raise _fail(f"{source}: {error}") from None
    try:
        return notes, out.open("wb")
    except OSError as error:
        raise _fail(f"{out}: {error.strerror}") from None


def _show_note(suggester: object, text: str) -> None:
    from revcycle_codes.suggest import Suggester
    from rich.text import Text

    assert isinstance(suggester, Suggester)
    result = suggester.suggest(text)
    view = Text(text)
    for one in result.suggestions:
        if one.highlight:
            view.stylize("bold green", one.start, one.end)
    for query in result.queries:
        view.stylize("yellow", query.start, query.end)
    console = _console()
    console.print(view)
    console.print()
    for one in result.suggestions:
        mark = ("●", "green") if one.highlight else " "
        told = f" {one.code:9} {one.score:.2f}  {one.description}  "
        console.print(Text.assemble(mark, told, (" > ".join(one.path), "dim")))
    for query in result.queries:
        console.print(Text.assemble(("?", "yellow"), f" {query.question}"))


def score(
    gold: Annotated[Path, typer.Option("--gold", help='Right codes: {"id", "codes": […]} a line.')],
    predicted: Annotated[Path, typer.Option("--pred", help="What `suggest --out` wrote.")],
) -> None:
    """Score suggestions: recall at k, precision, recall and micro-F1 of highlighted codes, exact and by category."""
    from revcycle_codes.score import read_gold, read_predictions, score_notes

    try:
        result = score_notes(read_gold(gold.read_bytes()), read_predictions(predicted.read_bytes()))
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    for name, measure in result.items():
        sys.stdout.write(f"{name:28} {measure.value:.3f}  95% {measure.low:.3f} to {measure.high:.3f}\n")
