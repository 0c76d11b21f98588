"""Official files in, compiled releases out: recognises the layout, refuses what it does not know."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from msgspec import Struct

from revcycle_codes.artefact import write_atomically
from revcycle_codes.edit_tables import SUFFIX, TableKind, TableSpec, compile_ptp, compile_rows, require_setting
from revcycle_codes.facts import Setting
from revcycle_codes.instructions import encode_instructions
from revcycle_codes.loaders import coverage, cpt, hcpcs, icd, lists, mpfs, ncci, pcs
from revcycle_codes.loaders.layout import text_of
from revcycle_codes.loaders.tabular import read_tabular, tabular_rows
from revcycle_codes.model import CodesError, CodeSystem, LicenceClass
from revcycle_codes.table import BILLABLE, CodeRow, ReleaseSpec, compile_table

_SAMPLE = 8192


class ImportRequest(Struct, frozen=True, kw_only=True):
    """What to import: files of one release (several for PTP parts and coverage exports) and what they are.

    `kind` None: recognised from the content. `licensed`: the operator holds a CPT licence, so texts may be kept.
    """

    files: Mapping[str, bytes]
    release: str
    valid_from: date
    valid_to: date | None
    kind: str | None = None
    setting: Setting | None = None
    source: str = ""
    licensed: bool = False


class Imported(Struct, frozen=True, kw_only=True):
    """A compiled release: file name, bytes, rows read, and rows that were rejected with the reason."""

    kind: str
    name: str
    content: bytes
    rows: int
    rejected: tuple[str, ...] = ()


# The beginning of a file (in the first 8 KiB) and the kind it tells of; order matters.
_MARKS: tuple[tuple[str, str], ...] = (
    ("<ICD10CM.tabular", "icd10cm-tabular"),
    ("<ICD10CM.index", TableKind.INDEX),
    ("RowID,Letter,Level,Term", TableKind.INDEX),
    ("RowID,Level,Term", TableKind.INDEX),
    ("<ICD10PCS.tabular", "icd10pcs-tables"),
    ("mac,state,locality", TableKind.LOCALITIES),
    ("Medicare Administrative Contractor (MAC)", TableKind.LOCALITIES),
    ("list,code,start_date", TableKind.REASONS),
    ("code,category,subcategory,family", TableKind.CLASSIFICATION),
    ("Code,Grouping,Classification", TableKind.TAXONOMY),
    ("revenue_code,description", "revenue-codes"),
    ("HCPC,SEQNUM,RECID", "hcpcs-anweb"),
    ("code,short_description,long_description,pricing", "hcpcs-table"),
    ("modifier,description,category", "modifier-table"),
    ("column1,column2,modifier_indicator", TableKind.PTP),
    ("Column1/Column2 Edits", TableKind.PTP),
    ("Services MUE Values", TableKind.MUE),
    ("code,mue_value,mai", TableKind.MUE),
    ("add_on_code,primary_code", TableKind.ADD_ON),
    ("AOC_Edit_Type", TableKind.ADD_ON),
    ("code,modifier,status,not_used_for_medicare", TableKind.FEES),
    ("HCPCS,MOD,DESCRIPTION", TableKind.FEES),
    ("MCE_Version", TableKind.CODE_EDITOR),
    ("POAexemptCode", TableKind.POA_EXEMPT),
    ("code,name,setting_class", "places"),
)


def recognise(name: str, content: bytes) -> str:
    """The kind of a file by what it holds. Raises CodesError naming the kinds there are."""
    head = text_of(content)[:_SAMPLE]
    for mark, kind in _MARKS:
        if mark in head:
            return kind
    first = head.split("\n", 1)[0]
    if first[:5].isdecimal() and first[14:15] in ("0", "1"):
        return "icd10pcs-order" if len(first[6:13].strip()) == 7 or "pcs" in name.lower() else "icd10cm-order"
    if "_x_" in name:
        return TableKind.COVERAGE
    kinds = ", ".join(sorted({*(kind for _, kind in _MARKS), *_CODE_LISTS, TableKind.COVERAGE}))
    raise CodesError(f"{name}: the layout is not recognised; name it with --kind, one of: {kinds}")


def compile_import(request: ImportRequest) -> Imported:
    """Read and compile a release. Raises CodesError (LayoutError with the column) when a file is not what it should be.

    Nothing is written: the caller stores `content` under `name` in the release folder.
    """
    if not request.files:
        raise CodesError("no file to import")
    first_name, first = next(iter(request.files.items()))
    kind = request.kind or recognise(first_name, first)
    if kind in _CODE_LISTS:
        return _import_codes(request, kind, first)
    try:
        table = TableKind(kind)
    except ValueError:
        raise CodesError(f"kind {kind!r} is unknown; expected one of {', '.join([*_CODE_LISTS, *TableKind])}") from None
    return _import_table(request, table, first)


def _tabular(content: bytes, _: bool) -> tuple[list[CodeRow], dict[str, bytes]]:
    tabular = read_tabular(content)
    seventh = {node.code: "".join(node.seventh) for node in tabular.nodes if node.seventh}
    return list(tabular_rows(tabular.nodes)), {"instructions": encode_instructions(tabular.notes, seventh)}


_CODE_LISTS: dict[
    str, tuple[CodeSystem, Callable[[bytes, bool], tuple[Sequence[CodeRow], dict[str, bytes]]], LicenceClass]
] = {
    "icd10cm-tabular": (CodeSystem.ICD10CM, _tabular, LicenceClass.PUBLIC_DOMAIN),
    "icd10cm-order": (CodeSystem.ICD10CM, lambda file, _: (icd.read_order_file(file), {}), LicenceClass.PUBLIC_DOMAIN),
    "icd10pcs-order": (
        CodeSystem.ICD10PCS,
        lambda file, _: (icd.read_order_file(file), {}),
        LicenceClass.PUBLIC_DOMAIN,
    ),
    "hcpcs-anweb": (CodeSystem.HCPCS_II, lambda file, _: (hcpcs.read_anweb(file)[0], {}), LicenceClass.PUBLIC_DOMAIN),
    "hcpcs-modifiers": (
        CodeSystem.MODIFIER,
        lambda file, _: (hcpcs.read_anweb(file)[1], {}),
        LicenceClass.PUBLIC_DOMAIN,
    ),
    "hcpcs-table": (
        CodeSystem.HCPCS_II,
        lambda file, _: (hcpcs.read_hcpcs_table(file), {}),
        LicenceClass.PUBLIC_DOMAIN,
    ),
    "modifier-table": (
        CodeSystem.MODIFIER,
        lambda file, _: (hcpcs.read_modifier_table(file), {}),
        LicenceClass.PUBLIC_DOMAIN,
    ),
    "icd10pcs-tables": (
        CodeSystem.ICD10PCS,
        lambda file, _: (pcs.read_pcs_tables(file), {}),
        LicenceClass.PUBLIC_DOMAIN,
    ),
    "revenue-codes": (
        CodeSystem.REVENUE_CODE,
        lambda file, licensed: (lists.read_revenue_codes(file, licensed=licensed), {}),
        LicenceClass.SITE_LICENSED,
    ),
    "places": (CodeSystem.PLACE_OF_SERVICE, lambda file, _: (lists.read_places(file), {}), LicenceClass.PUBLIC_DOMAIN),
    "cpt": (
        CodeSystem.CPT,
        lambda file, licensed: (cpt.read_cpt(file, licensed=licensed), {}),
        LicenceClass.AMA_LICENSED,
    ),
}


def _import_codes(request: ImportRequest, kind: str, content: bytes) -> Imported:
    system, read, licence = _CODE_LISTS[kind]
    rows, extra = read(content, request.licensed)
    if not any(row.flags & BILLABLE for row in rows):
        raise CodesError(f"{kind}: the file holds no code that is valid for billing")
    starts = request.valid_from
    if any(row.valid_from for row in rows):
        # A file with its own intervals tells the past too, so its release reaches back to its oldest code.
        starts = min([starts, *(row.valid_from for row in rows if row.valid_from)])
    spec = ReleaseSpec(
        system=system,
        release=request.release,
        valid_from=starts,
        valid_to=request.valid_to,
        source=request.source or ", ".join(request.files),
        licence_class=licence,
        notes=bool(extra),
    )
    name = f"{system}--{request.release}.rvc"
    return Imported(kind=kind, name=name, content=compile_table(spec, rows, extra), rows=len(rows))


def _import_table(request: ImportRequest, kind: TableKind, content: bytes) -> Imported:
    require_setting(kind, request.setting)
    spec = TableSpec(
        kind=kind,
        release=request.release,
        valid_from=request.valid_from,
        valid_to=request.valid_to,
        source=request.source or ", ".join(request.files),
        setting=request.setting if kind in (TableKind.PTP, TableKind.MUE) else None,
    )
    part = f"-{spec.setting}" if spec.setting else ""
    name = f"{kind}{part}--{request.release}{SUFFIX}"
    if kind is TableKind.PTP:
        columns = ncci.read_ptp(request.files.values())
        if not columns:
            raise CodesError("ncci-ptp: the files hold no pair that was ever in force")
        compiled = compile_ptp(spec, columns)
        return Imported(kind=kind, name=name, content=compiled, rows=columns.read, rejected=tuple(columns.rejected))
    rows = _ROWS[kind](request, content)
    return Imported(kind=kind, name=name, content=compile_rows(spec, rows), rows=len(rows))


def _fees(_: ImportRequest, content: bytes) -> Sequence[object]:
    published = "HCPCS,MOD,DESCRIPTION" in text_of(content)[:_SAMPLE]
    return mpfs.read_pprrvu(content) if published else mpfs.read_fee_table(content)


_ROWS: dict[TableKind, Callable[[ImportRequest, bytes], Sequence[object]]] = {
    TableKind.MUE: lambda _, file: ncci.read_mue(file),
    TableKind.ADD_ON: lambda _, file: ncci.read_add_on(file),
    TableKind.FEES: _fees,
    TableKind.CODE_EDITOR: lambda _, file: lists.read_mce(file),
    TableKind.POA_EXEMPT: lambda _, file: lists.read_poa_exempt(file),
    TableKind.COVERAGE: lambda request, _: coverage.read_coverage(dict(request.files)),
    TableKind.INDEX: lambda request, _: [entry for file in request.files.values() for entry in icd.read_index(file)],
    TableKind.LOCALITIES: lambda _, file: mpfs.read_gpci(file),
    TableKind.REASONS: lambda _, file: lists.read_reasons(file),
    TableKind.CLASSIFICATION: lambda _, file: lists.read_plain("RBCS table", file, lists.RBCS_HEADER),
    TableKind.TAXONOMY: lambda _, file: lists.read_taxonomy(file),
}
"""How the rows of every kind but the pairs are read."""


def store(imported: Imported, folder: Path) -> Path:
    """Write a compiled release into a folder. Releases are only added: raises CodesError when the same release is there
    with other content.
    """
    path = folder / imported.name
    if path.exists() and path.read_bytes() != imported.content:
        raise CodesError(
            f"{imported.name} is there already with other content; releases are never changed: choose another --release"
        )
    write_atomically(path, imported.content)
    return path
