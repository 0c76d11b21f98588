import os
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from revcycle_codes import CodeSets, EncounterFacts, Finding, LineFacts, Setting, check_encounter
from revcycle_codes.edit_tables import (
    AddOnTable,
    CoverageTable,
    EditorTable,
    EditTables,
    FeeTable,
    MueTable,
    PoaExemptTable,
    TableKind,
    TableSpec,
    compile_ptp,
    open_table,
)
from revcycle_codes.loaders.coverage import Article
from revcycle_codes.loaders.lists import EditorRow
from revcycle_codes.loaders.mpfs import FeeRow
from revcycle_codes.loaders.ncci import AddOnRow, MueRow, read_ptp
from revcycle_codes.switches import CodeList, Switch, Switches, VisitCode

sys.path.insert(0, str(Path(__file__).parent))

START, END = date(2026, 7, 1), date(2026, 10, 1)
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def code_sets(tmp_path_factory: pytest.TempPathFactory) -> CodeSets:
    return CodeSets.open(tmp_path_factory.getbasetemp().parent / "code-sets")


@pytest.fixture(scope="session")
def shared_codes() -> Path:
    folder = shared_data() / "codes"
    if not folder.exists():
        pytest.skip("shared data is absent: set REVCYCLE_SHARED_DATA to read the real code tables")
    return folder


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    if not shared_data().exists():
        pytest.skip("shared data is absent: set REVCYCLE_SHARED_DATA")
    return shared_data()


def shared_data() -> Path:
    return Path(os.environ.get("REVCYCLE_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")


@pytest.fixture
def encounter() -> Callable[..., EncounterFacts]:
    """A clean clinic visit; keyword arguments replace fields."""

    def build(**changes: Any) -> EncounterFacts:
        line = LineFacts(line_number=1, code="G0463", diagnosis_pointers=(1,))
        values: dict[str, Any] = {
            "date_of_service": date(2026, 8, 15),
            "diagnoses": ("I10",),
            "lines": (line,),
            "place_of_service": "11",
        }
        return EncounterFacts(**(values | changes))

    return build


PTP_HEAD = (
    "banner\nColumn1/Column2 Edits\n"
    "Column 1\tColumn 2\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale\n\t\n\t\n\t\n"
)


def spec(kind: TableKind, setting: Setting | None = None) -> TableSpec:
    return TableSpec(kind=kind, release="test-3", valid_from=START, valid_to=END, source="test", setting=setting)


def fee(code: str, **changes: str) -> FeeRow:
    values: dict[str, object] = {
        "code": code,
        "modifier": "",
        "status": "A",
        "work_rvu": Decimal(1),
        "nonfacility_total_rvu": Decimal(changes.pop("total", "1")),
        "facility_total_rvu": Decimal(1),
        "pctc": "0",
        "global_days": "XXX",
        "multiple": "0",
        "bilateral": "0",
        "assistant": "0",
        "co_surgeon": "0",
        "team": "0",
        "endoscopic_base": "",
        "conversion_factor": Decimal(33),
    }
    return msgspec.convert(values | changes, FeeRow)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> EditTables:
    pairs = (
        "G0001\tG0002\t\t20200101\t*\t0\tone\n"
        "G0001\tG0003\t\t20200101\t*\t1\ttwo\n"
        "G0001\tG0004\t\t20200101\t20260815\t0\tended\n"
        "G0001\tG0004\t\t20260901\t*\t0\tback\n"
        "G0001\tG0005\t\t20200101\t20200101\t9\tnever\n"
    )
    columns = read_ptp([(PTP_HEAD + pairs).encode()])
    path = tmp_path_factory.mktemp("tables") / "ptp.rvt"
    path.write_bytes(compile_ptp(spec(TableKind.PTP, Setting.PRACTITIONER), columns))
    mue = [
        MueRow("Q0001", 2, 1, "r"),
        MueRow("Q0002", 2, 2, "r"),
        MueRow("Q0003", 2, 3, "r"),
        MueRow("Q0004", 0, 2, "r"),
    ]
    add_on = [
        AddOnRow("A0001", "G0001", 1, None, date(2026, 9, 1)),
        AddOnRow("A0002", "CCCCC", 2),
        AddOnRow("A0003", "G0001", 3),
    ]
    fees = [
        fee("G0010", global_days="010", total="1"),
        fee("G0011", global_days="090", total="9", multiple="2"),
        fee("G0012", bilateral="1", pctc="1", assistant="2", co_surgeon="1", multiple="2"),
        fee("G0013", status="B", bilateral="2", assistant="1", team="2"),
        fee("G0014", global_days="000", bilateral="3"),
        fee("G0463"),
        *(fee(f"G9{status}01", status=status) for status in "BINXCR"),
        *(fee(f"G8{indicator}01", pctc=indicator) for indicator in "0123456789"),
    ]
    editor = [
        EditorRow("4", "A", "Newborn_Only", "D", "P0700"),
        EditorRow("4", "C", "Maternity_Only", "D", "O2441"),
        EditorRow("4", "C", "Maternity_Only", "D", "I10"),
        EditorRow("4", "D", "Adult_Only", "D", "N400"),
        EditorRow("5", "A", "Female_Only", "D", "N8000"),
        EditorRow("5", "C", "Male_Only", "D", "N400"),
        EditorRow("6", "", "Principal_Manifestation", "D", "G3101"),
        EditorRow("8", "A", "Principal_Questionable_Admit", "D", "I10"),
        EditorRow("9", "", "Principal_Unacceptable", "D", "Z9181"),
    ]
    article = Article(number="A1", version="2", procedures={"G0020": "1"}, covered={"1": {"I10"}}, noncovered={"Z0000"})
    star = Article(number="A2", version="1", procedures={"G0021": "1"}, covered={"1": {"I10"}}, companions={"1"})
    local = Article(number="A3", version="1", procedures={"G0022": "1"}, covered={"1": {"I10"}}, contractors={"111"})
    return EditTables(
        [
            open_table(path),
            MueTable(spec(TableKind.MUE, Setting.PRACTITIONER), mue),
            AddOnTable(spec(TableKind.ADD_ON), add_on),
            FeeTable(spec(TableKind.FEES), fees),
            EditorTable(spec(TableKind.CODE_EDITOR), editor),
            PoaExemptTable(spec(TableKind.POA_EXEMPT), ["Z9181"]),
            CoverageTable(spec(TableKind.COVERAGE), [article, star, local]),
        ]
    )


SWITCHES = Switches(
    switches=[
        Switch(name="drug-codes-required", value="error", payer_id="P1"),
        Switch(name="sex-edits", value="off", payer_id="P2"),
        Switch(name="necessity", value="error", payer_id="P1", valid_from=date(2026, 8, 15)),
    ],
    lists=[
        CodeList(name="single-dose-drugs", codes=frozenset({"J0171"}), valid_from=date(2026, 8, 15)),
        CodeList(name="waived-tests", codes=frozenset({"Q0111"})),
        CodeList(name="prolonged-services", codes=frozenset({"G2212"})),
        CodeList(name="inpatient-only", codes=frozenset({"G0030"})),
        CodeList(name="significant-procedures", codes=frozenset({"G0031"})),
    ],
    visits=[
        VisitCode(code="T0001", family="office", level=2, new_patient=False, minutes=10),
        VisitCode(code="T0002", family="office", level=3, new_patient=False, minutes=20),
        VisitCode(code="T0003", family="office", level=4, new_patient=False, minutes=30),
        VisitCode(code="T0004", family="office", level=5, new_patient=False, minutes=40),
        VisitCode(code="T0005", family="office", level=3, new_patient=True, minutes=30),
        VisitCode(code="T0006", family="emergency", level=3),
        VisitCode(code="T0007", family="inpatient", level=3),
    ],
)


@pytest.fixture(scope="session")
def switches() -> Switches:
    return SWITCHES


@pytest.fixture
def run(
    code_sets: CodeSets, tables: EditTables, encounter: Callable[..., EncounterFacts]
) -> Callable[..., list[Finding]]:
    def check(rule: str, **changes: object) -> list[Finding]:
        found = check_encounter(encounter(**changes), code_sets, tables, SWITCHES)
        return [one for one in found if one.rule == rule]

    return check
