"""`revcycle edi`: X12 and HL7 v2 files: check, explain, balance, acknowledge, convert, split, merge, print as forms."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from revcycle_cli.edi_files import (
    STDIN,
    UNREADABLE,
    chunks,
    each,
    expand,
    folder,
    not_empty,
    plain,
    read,
    refuse,
    table,
    write,
)

if TYPE_CHECKING:
    from revcycle_edi.x12 import BalanceEquation, Finding

_Claim = TypeVar("_Claim")


Files = Annotated[
    list[Path], typer.Argument(help="Files or folders (searched for X12 files); `-` reads standard input.")
]
OneFile = Annotated[Path, typer.Argument(help="A file; `-` reads standard input.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]
ControlNumber = Annotated[int, typer.Option(help="Interchange control number of the first interchange written.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="X12 and HL7 v2 files: check, explain, balance, acknowledge, convert, split, merge, print."
    )
    for name, command in (
        ("check", check),
        ("explain", explain),
        ("balance", balance),
        ("roundtrip", roundtrip),
        ("ack", ack),
        ("json", to_json),
        ("from-json", from_json),
        ("split", split),
        ("merge", merge),
        ("form", form),
    ):
        group.command(name)(command)
    hl7 = typer.Typer(help="HL7 v2 messages, one a file.")
    hl7.command("check")(hl7_check)
    hl7.command("explain")(hl7_explain)
    group.add_typer(hl7, name="hl7")
    app.add_typer(group, name="edi")


# X12 -----------------------------------------------------------------------------------------------------------------


def check(
    files: Files,
    as_json: AsJson = False,
    today: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Business date for rules about the future. [today]")
    ] = None,
) -> None:
    """Validate X12 files: envelope, guide, balancing, situations. Exit 1 on errors, 2 when a file cannot be read.

    Each finding says where it stands, what is wrong, what would be right, and which acknowledgment answers it.
    """
    from revcycle_edi.x12 import ValidationContext, validate
    from revcycle_edi.x12.findings import READER_RULES

    context = ValidationContext(today=today.date() if today else _today())

    def one(path: Path) -> int:
        findings = validate(not_empty(chunks(path)), context=context)
        _show_findings(path, findings, as_json=as_json)
        if any(finding.rule in READER_RULES and finding.answer == "ta1" for finding in findings):
            return UNREADABLE
        return int(any(finding.severity == "error" for finding in findings))

    each(files, one)


def _today() -> date:
    return datetime.now(UTC).date()


def _show_findings(path: Path, findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        for finding in findings:
            print(json.dumps({"file": str(path)} | _finding_fields(finding)))
        return
    if not findings:
        print(f"{path}: clean")
        return
    print(f"{path}: {len(findings)} findings")
    columns = ("segment", "place", "severity", "rule", "answer", "what is wrong", "what would be right")
    rows = (
        (
            str(f.segment_number),
            " ".join(part for part in (f.loop, f.segment + f.element) if part),
            f.severity,
            f.rule,
            " ".join((f.answer, *f.answer_codes)),
            f.message,
            f.expected,
        )
        for f in findings
    )
    table(columns, rows)


_FIELDS: Final = (
    "interchange", "group", "transaction", "segment_number", "byte_offset", "loop", "segment", "element", "rule",
    "severity", "answer", "answer_codes", "message", "expected",
)  # fmt: skip


def _finding_fields(finding: Finding) -> dict[str, object]:
    return {name: getattr(finding, name) for name in _FIELDS}


def explain(
    files: Files,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Show names, identifiers and dates too.")
    ] = False,
) -> None:
    """Print X12 files as an indented account, one line a segment; personal values are masked unless asked for."""
    from revcycle_edi.x12.explain import explain as account

    def one(path: Path) -> int:
        for line in account(not_empty(chunks(path)), mask=not show_personal):
            print(plain(line))
        return 0

    each(files, one)


def balance(files: Files, as_json: AsJson = False) -> None:
    """Show every money equation of 835 and 837 files with both sides. Exit 1 when one does not hold."""
    from revcycle_edi.x12 import unbalanced

    def one(path: Path) -> int:
        equations = list(_equations(path))
        broken = len(unbalanced(equations))
        if as_json:
            for item in equations:
                print(json.dumps({"file": str(path)} | _equation_fields(item)))
        else:
            print(f"{path}: {len(equations)} equations, {broken} do not hold")
            columns = ("level", "id", "equation", "left", "right", "difference")
            table(columns, ((e.level, e.id, e.equation, *map(_dollars, _sides(e))) for e in equations))
        return int(bool(broken))

    each(files, one)


def _sides(equation: BalanceEquation) -> tuple[int, int, int]:
    return equation.left_cents, equation.right_cents, equation.difference_cents


def _equation_fields(equation: BalanceEquation) -> dict[str, object]:
    left, right, difference = _sides(equation)
    return {
        "level": equation.level,
        "id": equation.id,
        "equation": equation.equation,
        "left_cents": left,
        "right_cents": right,
        "difference_cents": difference,
    }


def _dollars(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _equations(path: Path) -> Iterator[BalanceEquation]:
    from revcycle_edi.x12 import (
        balance_835,
        balance_837,
        inspect_interchanges,
        iter_837d_claims,
        iter_837i_claims,
        iter_837p_claims,
        parse_835,
    )

    # A file is read once to learn what it holds and once per kind; standard input and pipes can be read only once.
    held = read(path) if str(path) == STDIN or not path.is_file() else None

    def source() -> Iterator[bytes]:
        return not_empty(chunks(path) if held is None else iter((held,)))

    versions = {group.version for interchange in inspect_interchanges(source()) for group in interchange.groups}
    if any("X221" in version for version in versions):
        for remittance in parse_835(source()):
            yield from balance_835(remittance)
    for guide, claims in (("X222", iter_837p_claims), ("X223", iter_837i_claims), ("X224", iter_837d_claims)):
        if any(guide in version for version in versions):
            for claim in claims(source()):
                yield from balance_837(claim)


def roundtrip(files: Files) -> None:
    """Read files and write them back: prints `lossless`, or the first byte that differs. Exit 1 when one differs."""

    def one(path: Path) -> int:
        at = _first_difference(path)
        print(f"{path}: lossless" if at is None else f"{path}: differs from byte {at}")
        return int(at is not None)

    each(files, one)


def _first_difference(path: Path) -> int | None:
    """Where a file written back first differs from what it was, None when nowhere."""
    from revcycle_edi.x12 import emit_stream

    ahead, at = bytearray(), 0

    def watched() -> Iterator[bytes]:
        for chunk in not_empty(chunks(path)):
            ahead.extend(chunk)
            yield chunk

    for piece in emit_stream(watched()):
        if not ahead.startswith(piece):
            return at + next((i for i, (a, b) in enumerate(zip(ahead, piece, strict=False)) if a != b), len(ahead))
        del ahead[: len(piece)]
        at += len(piece)
    return at if ahead else None


def ack(
    file: OneFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for ta1.x12, 999.x12, 277ca.x12; else standard output."),
    ] = None,
    control_number: ControlNumber = 1,
) -> None:
    """Write what a receiver answers to a file: TA1, 999 per group and, for claims, 277CA; control numbers count up."""
    from revcycle_edi.x12 import X12Error

    from revcycle_cli.edi_answers import answers

    data = read(file)
    try:
        parts = answers(data, control_number, datetime.now(UTC).replace(microsecond=0))
    except X12Error as error:
        raise refuse(f"{file}: {error}") from None
    if not parts:
        raise refuse(f"{file}: not an X12 interchange, so there is nobody to answer")
    for name, answer in parts.items():
        if output is not None:
            write(answer, folder(output) / f"{name}.x12")
            sys.stderr.write(f"wrote {output / f'{name}.x12'}\n")
        else:
            write(answer + b"\n", None)


Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")]


def to_json(file: OneFile, output: Output = None) -> None:
    """Write an X12 file as JSON, without loss."""
    from revcycle_edi.x12 import X12Error
    from revcycle_edi.x12.jsondoc import to_json as convert

    try:
        write(convert(read(file)) + b"\n", output)
    except X12Error as error:
        raise refuse(f"{file}: {error}") from None


def from_json(file: OneFile, output: Output = None) -> None:
    """Write the X12 file of such JSON."""
    from revcycle_edi.x12 import X12Error
    from revcycle_edi.x12.jsondoc import from_json as convert

    try:
        write(convert(read(file)), output)
    except X12Error as error:
        raise refuse(f"{file}: {error}") from None


def split(
    file: OneFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for one file a claim.")],
    control_number: ControlNumber = 1,
) -> None:
    """Write every claim of an 837 into an interchange of its own, envelopes and counts right."""
    from revcycle_edi.x12 import X12Error
    from revcycle_edi.x12.split import split_837

    try:
        # Before anything is written: a folder with the first few claims of a file looks like one with all of them.
        parts = [data for _, data in split_837(read(file), first_control_number=control_number)]
    except X12Error as error:
        raise refuse(f"{file}: {error}") from None
    if not parts:
        raise refuse(f"{file}: no claims (837) to split")
    if any(folder(output).glob("*.837")):
        raise refuse(f"{output}: there are claims in it already; name an empty folder")
    for number, data in enumerate(parts, 1):
        write(data, output / f"{number:06d}.837")
    print(f"{len(parts)} claims written to {output}")


def merge(
    files: Files,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    control_number: ControlNumber = 1,
) -> None:
    """Put the claims of several 837 files into one interchange."""
    from revcycle_edi.x12 import X12Error
    from revcycle_edi.x12.split import merge_837, split_837

    sources: list[bytes] = []
    total = 0
    for path in expand(files, (b"ISA",)):
        if output.exists() and path.exists() and path.samefile(output):
            raise refuse(f"{path}: the output is one of the files to merge, its claims would be in it twice")
        source = read(path)
        try:
            count = sum(1 for _ in split_837(source, first_control_number=1))
        except X12Error as error:
            raise refuse(f"{path}: {error}") from None
        if count:
            sources.append(source)
            total += count
        else:
            sys.stderr.write(f"revcycle edi: {path}: no claims (837) to merge, left out\n")
    try:
        data = merge_837(sources, control_number=control_number)
    except X12Error as error:
        raise refuse(str(error)) from None
    write(data, output)
    print(f"{total} claims of {len(sources)} files merged into {output}")


class FormType(StrEnum):
    """The paper forms there are."""

    cms1500 = "cms1500"
    ub04 = "ub04"


def form(
    file: OneFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="PDF to write.")],
    form_type: Annotated[
        FormType, typer.Option("--type", help="cms1500 for professional claims, ub04 for institutional ones.")
    ],
) -> None:
    """Print the claims of an 837 on CMS-1500 or UB-04 pages; long claims continue on further pages.

    Exit 1 when the form has no place for what a claim holds (it is left out and named), 2 when a file cannot be read.
    """
    from revcycle_edi.paper import render_cms1500, render_ub04
    from revcycle_edi.x12 import X12Error, iter_837i_claims, iter_837p_claims

    data = read(file)
    try:
        if form_type is FormType.cms1500:
            professional = list(iter_837p_claims(data))
            total, (count, pdf) = len(professional), _printed(file, professional, render_cms1500)
        else:
            institutional = list(iter_837i_claims(data))
            total, (count, pdf) = len(institutional), _printed(file, institutional, render_ub04)
    except X12Error as error:
        raise refuse(f"{file}: {error}") from None
    if not total:
        wanted = "professional (837P)" if form_type is FormType.cms1500 else "institutional (837I)"
        raise refuse(f"{file}: no {wanted} claims, which is what {form_type.value} shows; see --type")
    if count:
        write(pdf, output)
    print(f"{count} claims written to {output}" + (f", {total - count} not" if count < total else ""))
    if count < total:
        raise typer.Exit(1)


def _printed(file: Path, claims: list[_Claim], render: Callable[[list[_Claim]], bytes]) -> tuple[int, bytes]:
    """How many claims stand on the form, and the form; a claim it has no place for is named and keeps none back."""
    from revcycle_edi.x12 import X12Error

    try:
        return len(claims), render(claims)  # One by one takes twice as long: only to find out which.
    except X12Error:
        fitting: list[_Claim] = []
    for number, claim in enumerate(claims, 1):
        try:
            render([claim])
        except X12Error as error:
            sys.stderr.write(f"revcycle edi: {file}: claim {number} of {len(claims)}: {error}\n")
        else:
            fitting.append(claim)
    return len(fitting), render(fitting) if fitting else b""


# HL7 -----------------------------------------------------------------------------------------------------------------


def hl7_check(files: Files, as_json: AsJson = False) -> None:
    """Say for each HL7 v2 message how it would be acknowledged and why.

    Exit 1 when one would be refused, 2 when a file cannot be read.
    """
    from revcycle_edi.hl7 import HL7Error, check_message, parse_message

    def one(path: Path) -> int:
        try:
            message = parse_message(read(path))
        except HL7Error as error:
            _show_message(path, "AR", [str(error)], as_json=as_json)
            return 1
        problems = check_message(message)
        code = "AR" if any(p.reject for p in problems) else "AE" if problems else "AA"
        _show_message(path, code, [f"{p.text} at {p.location}" for p in problems], as_json=as_json)
        return int(bool(problems))

    each(files, one, (b"MSH", b"\x0bMSH"))


def _show_message(path: Path, code: str, problems: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(path), "answer": code, "problems": problems}))
    else:
        print(f"{path}: {code}" + (f" ({'; '.join(problems)})" if problems else ""))


def hl7_explain(file: OneFile) -> None:
    """List the fields of an HL7 v2 message that were sent; outside MSH only their lengths are shown."""
    from revcycle_edi.hl7 import HL7Error, parse_message

    try:
        message = parse_message(read(file))
    except HL7Error as error:
        raise refuse(f"{file}: {error}") from None
    print(plain(f"{message.type}^{message.event} version {message.version}, read as {message.charset}"))
    for segment in message.segments:
        print(segment[0])
        for number, field in enumerate(segment[1:], 1):
            if field:
                shown = plain(field) if segment[0] == "MSH" else f"{len(field)} characters"
                print(f"  {segment[0]}-{number}: {shown}")
