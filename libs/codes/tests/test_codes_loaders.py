"""Loaders: every official layout, the row counts of the real files, and refusals by the name of the column."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from revcycle_codes import CodeSets, CodeState, CodeSystem, Setting
from revcycle_codes.edit_tables import EditTables, MueTable, PtpTable, TableKind
from revcycle_codes.importer import ImportRequest, compile_import, recognise, store
from revcycle_codes.loaders import coverage, cpt, hcpcs, icd, lists, mpfs, ncci, pcs
from revcycle_codes.loaders.icd import IndexEntry
from revcycle_codes.loaders.layout import LayoutError, day
from revcycle_codes.loaders.tabular import code_ranges, read_tabular
from revcycle_codes.model import CodesError

Reader = Callable[[bytes], object]
ORIGINAL = "original-layout"


def _pairs(content: bytes) -> range:
    return range(ncci.read_ptp([content]).read)


@pytest.mark.parametrize(
    ("name", "reader", "rows"),
    [
        ("hcpcs_level2_2024-07.csv.gz", hcpcs.read_hcpcs_table, 8033),
        ("hcpcs_level2_modifiers.csv", hcpcs.read_modifier_table, 383),
        ("hcpcs_noc_2024-07.csv", lambda file: lists.read_plain("noc", file, lists.NOC_HEADER), 161),
        ("icd10cm_2025_index.csv.gz", icd.read_index_csv, 81024),
        ("icd10cm_2025_drugs.csv.gz", icd.read_index_csv, 7428),
        ("icd10cm_2025_external_causes.csv.gz", icd.read_index_csv, 8064),
        ("icd10cm_2025_neoplasms.csv.gz", icd.read_index_csv, 1939),
        ("mce_simple_edits_v37.tsv.gz", lists.read_mce, 14153),
        ("mpfs_2024-07.csv.gz", mpfs.read_fee_table, 18664),
        ("mpfs_gpci_2024-07.csv", mpfs.read_gpci, 109),
        ("mpfs_anesthesia_cf_2024-07.csv", lambda file: lists.read_plain("cf", file, lists.ANESTHESIA_HEADER), 109),
        ("mpfs_locality_counties_2024-07.csv", lambda file: lists.read_plain("c", file, lists.COUNTIES_HEADER), 110),
        ("ncci_addon_2024-06.csv.gz", ncci.read_add_on, 7465),
        ("ncci_mue_dme_2024-07.csv", ncci.read_mue, 2928),
        ("ncci_mue_hospital_2024-07.csv.gz", ncci.read_mue, 14628),
        ("ncci_mue_practitioner_2024-07.csv.gz", ncci.read_mue, 14677),
        pytest.param("ncci_ptp_hospital_2024-07.csv.gz", _pairs, 1_775_818, marks=pytest.mark.slow),
        pytest.param("ncci_ptp_practitioner_2024-07.csv.gz", _pairs, 2_546_017, marks=pytest.mark.slow),
        ("ncci_ptp_rationale.csv", lambda file: lists.read_plain("r", file, lists.RATIONALE_HEADER), 12),
        ("poa_exempt_icd10cm_2020.tsv.gz", lists.read_poa_exempt, 37075),
        ("pos_codes_2024.csv", lists.read_places, 52),
        ("carc_rarc_2024-06.csv", lists.read_reasons, 1581),
        ("rbcs_2024.csv.gz", lambda file: lists.read_plain("rbcs", file, lists.RBCS_HEADER), 17033),
        (f"{ORIGINAL}/icd10cm_order_2026.excerpt.txt", icd.read_order_file, 100),
        (f"{ORIGINAL}/icd-10-cm-drug-2025.xml.gz", icd.read_index_xml, 7428),
        (f"{ORIGINAL}/icd-10-cm-eindex-2025.xml.gz", icd.read_index_xml, 8064),
        (f"{ORIGINAL}/icd-10-cm-neoplasm-2025.xml.gz", icd.read_index_xml, 1939),
        (f"{ORIGINAL}/GPCI2026.csv", mpfs.read_gpci, 109),
        (f"{ORIGINAL}/PPRRVU2026_Jul_nonQPP.excerpt.redacted.csv", mpfs.read_pprrvu, 61),
        (f"{ORIGINAL}/MCR_MUE_PractitionerServices_Eff_07-01-2026.excerpt.csv", ncci.read_mue, 44),
        (f"{ORIGINAL}/HCPC2026_OCT_ANWEB.excerpt.csv", lambda file: hcpcs.read_anweb(file)[1], 35),
        (f"{ORIGINAL}/ccipra-v322r0-f1.excerpt.txt", _pairs, 155),
    ],
)
def test_a_real_file_loads_with_its_row_count(
    shared_codes: Path, name: str, reader: Callable[[bytes], list[object]], rows: int
) -> None:
    assert len(reader((shared_codes / name).read_bytes())) == rows


def test_the_alphanumeric_file_joins_continuations(shared_codes: Path) -> None:
    procedures, modifiers = hcpcs.read_anweb((shared_codes / "hcpcs_anweb_2020-10.csv.gz").read_bytes())
    assert (len(procedures), len(modifiers)) == (6825, 371)
    assert {row.code for row in modifiers} >= {"A1", "J5"}, "modifiers lose their padding"
    ended = next(row for row in modifiers if row.code == "CP")
    assert ended.valid_to == date(2018, 1, 1), "TERM DT counts although ACT EFF DT lies after it"


def test_a_torn_last_row_is_rejected_by_its_number(shared_codes: Path) -> None:
    read = ncci.read_ptp([(shared_codes / ORIGINAL / "ccipra-v322r0-f1.excerpt.txt").read_bytes()])
    assert len(read.rejected) == 1
    assert "row 161" in read.rejected[0]


SPOILT: list[tuple[str, Reader, bytes, bytes, str]] = [
    ("mpfs_2024-07.csv.gz", mpfs.read_fee_table, b"global_days", b"globe_days", "globe_days"),
    (f"{ORIGINAL}/PPRRVU2026_Jul_nonQPP.excerpt.redacted.csv", mpfs.read_pprrvu, b"GLOB", b"GLOBE", "GLOBE DAYS"),
    (f"{ORIGINAL}/GPCI2026.csv", mpfs.read_gpci, b"MP GPCI", b"XP GPCI", "2026 XP GPCI"),
    (f"{ORIGINAL}/HCPC2026_OCT_ANWEB.excerpt.csv", hcpcs.read_anweb, b"TERM DT", b"END DT", "END DT"),
    (f"{ORIGINAL}/ccipra-v322r0-f1.excerpt.txt", _pairs, b"Deletion", b"Deleted", "Deleted"),
    (
        f"{ORIGINAL}/MCR_MUE_PractitionerServices_Eff_07-01-2026.excerpt.csv",
        ncci.read_mue,
        b"MUE Values",
        b"MUE Numbers",
        "Practitioner Services MUE Numbers",
    ),
    (
        "ncci_ptp_rationale.csv",
        lambda f: lists.read_plain("r", f, lists.RATIONALE_HEADER),
        b"_text",
        b"_words",
        "rationale_words",
    ),
    ("poa_exempt_icd10cm_2020.tsv.gz", lists.read_poa_exempt, b"POAexemptCode", b"Code", "Code"),
    (f"{ORIGINAL}/icd10cm_order_2026.excerpt.txt", icd.read_order_file, b"A000    1", b"A000    x", "header flag"),
]


@pytest.mark.parametrize(("name", "reader", "right", "wrong", "column"), SPOILT)
def test_a_spoilt_header_is_refused_by_the_name_of_its_column(
    shared_codes: Path, name: str, reader: Reader, right: bytes, wrong: bytes, column: str
) -> None:
    import gzip

    content = (shared_codes / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    assert right in content
    with pytest.raises(LayoutError) as refused:
        reader(content.replace(right, wrong, 1))
    assert refused.value.column == column
    assert column in str(refused.value)


def test_no_description_of_the_fee_schedule_survives(shared_codes: Path) -> None:
    content = (shared_codes / ORIGINAL / "PPRRVU2026_Jul_nonQPP.excerpt.redacted.csv").read_bytes()
    rows = mpfs.read_pprrvu(content.replace(b"REDACTED", b"SECRET WORDS"))
    assert rows[0].global_days == "XXX"
    assert "SECRET" not in repr(rows)


def test_cpt_texts_are_dropped_without_a_licence() -> None:
    banner = b"Copyright banner\nmore of it\n"
    long = banner + b"0000X01 first words of the text\n0000X02 and more\n0001X01 other words\n"
    assert [(row.code, row.description) for row in cpt.read_cpt(long, licensed=False)] == [("0000X", ""), ("0001X", "")]
    assert cpt.read_cpt(long, licensed=True)[0].description == "first words of the text and more"
    tabbed = banner + b"0000X\tthe text\n"
    assert cpt.read_cpt(tabbed, licensed=True)[0].description == "the text"
    assert cpt.read_cpt(banner + b"0000X the short text\n", licensed=True)[0].description == "the short text"
    with pytest.raises(LayoutError, match="no line begins"):
        cpt.read_cpt(banner, licensed=True)


def test_coverage_exports_keep_codes_and_drop_descriptions() -> None:
    key = b"article_id,article_version,"
    files = {
        "article_x_hcpc_code.csv": key + b"hcpc_code_id,hcpc_code_group,long_description\n1,2,G0001,1,words\n",
        "article_x_icd10_covered.csv": key + b"icd10_code_id,icd10_covered_group,description\n1,2,I10,1,words\n",
        "article_x_icd10_covered_group.csv": key
        + b"icd10_covered_group,paragraph,icd10_covered_ast\n1,2,1,<p>Group <b>one</b></p>,*\n",
    }
    [article] = coverage.read_coverage(files)
    assert article.procedures == {"G0001": "1"}
    assert article.covered["1"] == {"I10"}
    assert article.companions == {"1"}
    assert article.paragraphs["1"] == "Group one"
    assert "words" not in repr(article)
    with pytest.raises(LayoutError, match="hcpc_code_id"):
        coverage.read_coverage({"article_x_hcpc_code.csv": b"article_id,article_version,code\n"})
    with pytest.raises(LayoutError, match="no known export"):
        coverage.read_coverage({"article_x_colour.csv": b"a\n"})


def test_add_on_sheets_count_days_of_the_year() -> None:
    head = b"banner,,,,,\nAOC_Edit_Type,Add-On_Code,AOC_DelDT,Primary_Code,Primary_Code_DelDT,AOC_Edit_EffDT\n"
    sheet = head + b"1,A0001,2026060,G0001,,2020001\n"
    [row] = ncci.read_add_on(sheet)
    assert (row.valid_from, row.last_day) == (date(2020, 1, 1), date(2026, 3, 1))
    assert day("x", "c", "2024366") == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("note", "covered", "free"),
    [
        ("(E10.-)", ["E109"], ["E119"]),
        ("(A00-A09, B20)", ["A051", "B20"], ["A10"]),
        ("(T36-T50 with fifth or sixth character 1-4)", ["T360X1A", "T400X4A"], ["T360X5A", "T510X1A"]),
        ("(E08-E13 with .36)", ["E1136"], ["E1137", "E119"]),
        ("(see above)", [], ["A00"]),
    ],
)
def test_code_references_of_a_note(note: str, covered: list[str], free: list[str]) -> None:
    ranges = code_ranges(note)
    assert all(any(one.covers(code) for one in ranges) for code in covered)
    assert not any(one.covers(code) for one in ranges for code in free)


def test_a_tabular_list_of_another_shape_is_refused() -> None:
    with pytest.raises(CodesError, match="root element is 'x'"):
        read_tabular(b"<x/>")
    with pytest.raises(CodesError, match="well-formed"):
        read_tabular(b"<x>")


ORDER = (
    "00001 A00     0 Cholera                                                      Cholera\n"
    "00002 A009    1 Cholera, unspecified                                         Cholera, unspecified\n"
)


def _request(name: str, content: bytes, **changes: object) -> ImportRequest:
    values: dict[str, object] = {
        "files": {name: content},
        "release": "FY2027",
        "valid_from": date(2026, 10, 1),
        "valid_to": date(2027, 10, 1),
    }
    return ImportRequest(**(values | changes))  # type: ignore[arg-type]  # built from keyword arguments


def test_an_imported_release_answers_for_its_dates(tmp_path: Path) -> None:
    imported = compile_import(_request("icd10cm_order_2027.txt", ORDER.encode()))
    store(imported, tmp_path)
    code_sets = CodeSets.open(release_dirs=[tmp_path])
    cm = CodeSystem.ICD10CM
    assert code_sets.resolve(cm, "A00.9", date(2026, 10, 1)).valid_for_billing
    assert code_sets.resolve(cm, "I10", date(2026, 9, 30)).valid_for_billing
    gone = code_sets.resolve(cm, "I10", date(2026, 10, 1))
    assert (gone.state, gone.last_day) == (CodeState.DELETED, date(2026, 9, 30))


def test_a_release_is_never_changed(tmp_path: Path) -> None:
    store(compile_import(_request("a.txt", ORDER.encode())), tmp_path)
    store(compile_import(_request("a.txt", ORDER.encode())), tmp_path)
    with pytest.raises(CodesError, match="never changed"):
        store(compile_import(_request("a.txt", ORDER.replace("A009", "A008").encode())), tmp_path)


def test_an_unknown_layout_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(CodesError, match="icd10cm-order"):
        recognise("x.csv", b"what,is,this\n")
    with pytest.raises(CodesError, match="setting is needed"):
        compile_import(_request("m.csv", b"code,mue_value,mai,rationale\nG0001,1,2,r\n"))


@pytest.mark.slow
def test_the_full_pair_table_compiles_and_opens(shared_codes: Path, tmp_path: Path) -> None:
    content = (shared_codes / "ncci_ptp_practitioner_2024-07.csv.gz").read_bytes()
    request = _request(
        "ptp.csv.gz",
        content,
        release="2024-07",
        valid_from=date(2024, 7, 1),
        valid_to=date(2024, 10, 1),
        setting=Setting.PRACTITIONER,
    )
    imported = compile_import(request)
    assert imported.rows == 2_546_017
    store(imported, tmp_path)
    tables = EditTables.open(tmp_path)
    table = tables.on(PtpTable, date(2024, 7, 1), Setting.PRACTITIONER)
    assert table is not None
    assert len(table) == 2_546_017 - 98_853, "rows with indicator 9 are no edits"
    edit = table.edit("G0438", "G0439", date(2024, 7, 1)) or table.edit("G0439", "G0438", date(2024, 7, 1))
    assert edit is not None
    known = {("29881", "29877"): 0, ("80053", "80048"): 0, ("45385", "45380"): 1, ("80048", "80053"): None}
    for (column1, column2), indicator in known.items():
        pair = table.edit(column1, column2, date(2024, 7, 1))
        assert (pair.indicator if pair else None) == indicator, (column1, column2)
    assert tables.on(PtpTable, date(2024, 6, 30), Setting.PRACTITIONER) is None
    assert tables.on(MueTable, date(2024, 7, 1), Setting.PRACTITIONER) is None


def test_known_limits_of_units_hold(shared_codes: Path) -> None:
    """Published facts: most units of a day, and whether they count per line (1) or per day (2, 3)."""
    rows = {
        row.code: row for row in ncci.read_mue((shared_codes / "ncci_mue_practitioner_2024-07.csv.gz").read_bytes())
    }
    assert [(rows[code].units, rows[code].indicator) for code in ("99213", "17003")] == [(2, 3), (13, 2)]


def test_diff_impact_and_staleness(code_sets: CodeSets) -> None:
    from revcycle_codes.releases import diff, impact, staleness

    cm = CodeSystem.ICD10CM
    change = diff(code_sets.table(cm, "FY2024"), code_sets.table(cm, "FY2026-04"))
    assert (len(change.added), len(change.deleted)) == (739, 64)
    assert change.split["G35"][0] == "G35.A"
    assert change.days_between > 0
    touched = impact(change, {"G35": 3, "I10": 9, "C86.1": 5})
    assert [(one.code, one.change) for one in touched] == [("C86.1", "split"), ("G35", "split")]
    alerts = {one.system: one for one in staleness(code_sets.releases(), date(2026, 11, 24))}
    assert alerts[cm].needed_from == date(2026, 10, 1)
    assert not any(one.system is cm for one in staleness(code_sets.releases(), date(2026, 9, 30)))


REFERENCE_FILES = [
    ("icd10cm_2025_index.csv.gz", TableKind.INDEX, IndexEntry, 81024),
    (f"{ORIGINAL}/icd-10-cm-eindex-2025.xml.gz", TableKind.INDEX, IndexEntry, 8064),
    ("mpfs_gpci_2024-07.csv", TableKind.LOCALITIES, mpfs.Locality, 109),
    (f"{ORIGINAL}/GPCI2026.csv", TableKind.LOCALITIES, mpfs.Locality, 109),
    ("carc_rarc_2024-06.csv", TableKind.REASONS, lists.ReasonRow, 1581),
    ("rbcs_2024.csv.gz", TableKind.CLASSIFICATION, dict, 17033),
]


@pytest.mark.parametrize(("name", "kind", "row", "rows"), REFERENCE_FILES)
def test_reference_tables_are_recognised_stored_and_read_back(
    shared_codes: Path, tmp_path: Path, name: str, kind: TableKind, row: type, rows: int
) -> None:
    imported = compile_import(
        ImportRequest(
            files={name: (shared_codes / name).read_bytes()},
            release="2024-07",
            valid_from=date(2024, 7, 1),
            valid_to=None,
        )
    )
    assert (imported.kind, imported.rows) == (kind, rows)
    store(imported, tmp_path)
    [table] = EditTables.open(tmp_path).references(kind)
    assert len(table.rows(row)) == rows


PCS = (
    '<ICD10PCS.tabular><pcsTable><axis pos="1"><label code="0">Surgical</label></axis>'
    '<axis pos="2"><label code="T">Test System</label></axis><axis pos="3"><label code="1">Test Root</label></axis>'
    '<pcsRow><axis pos="4"><label code="0">Part A</label><label code="1">Part B</label></axis>'
    '<axis pos="5"><label code="0">Open</label></axis><axis pos="6"><label code="Z">No Device</label></axis>'
    '<axis pos="7"><label code="Z">No Qualifier</label></axis></pcsRow></pcsTable></ICD10PCS.tabular>'
)


def test_procedure_tables_are_built_axis_by_axis() -> None:
    rows = pcs.read_pcs_tables(PCS.encode())
    assert [row.code for row in rows] == ["0T100ZZ", "0T110ZZ"]
    assert rows[1].description == "Surgical, Test System, Test Root, Part B, Open, No Device, No Qualifier"
    assert recognise("tables.xml", PCS.encode()) == "icd10pcs-tables"
    with pytest.raises(CodesError, match="axis 6 of a pcsRow"):
        pcs.read_pcs_tables(PCS.replace('pos="6"', 'pos="9"').encode())
    with pytest.raises(CodesError, match="root element"):
        pcs.read_pcs_tables(b"<other/>")


def test_taxonomy_and_revenue_codes_of_the_operator() -> None:
    taxonomy = b"Code,Grouping,Classification,Specialization,Definition\n207Q00000X,G,Test Medicine,Sub,d\n"
    assert [(row.code, row.description) for row in lists.read_taxonomy(taxonomy)] == [
        ("207Q00000X", "Test Medicine, Sub")
    ]
    with pytest.raises(LayoutError, match="Klass"):
        lists.read_taxonomy(taxonomy.replace(b"Classification", b"Klass"))
    with pytest.raises(LayoutError, match="row 2"):
        lists.read_taxonomy(taxonomy.replace(b"207Q00000X", b"207Q"))
    revenue = b"revenue_code,description\n510,own words\n"
    assert [(row.code, row.description) for row in lists.read_revenue_codes(revenue, licensed=False)] == [("0510", "")]
    assert lists.read_revenue_codes(revenue, licensed=True)[0].description == "own words"
    with pytest.raises(LayoutError, match="revenue_code"):
        lists.read_revenue_codes(revenue.replace(b"510", b"51x"), licensed=False)
