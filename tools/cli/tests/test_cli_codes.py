"""`revcycle codes` as a person runs it: claims are checked, an index is imported and used, suggestions are scored."""

import json
from pathlib import Path

import pytest
from revcycle_cli.main import build_app
from typer.testing import CliRunner

CLAIM = {
    "encounter_number": "E1",
    "date_of_service": "2026-08-15",
    "place_of_service": "11",
    "diagnoses": ["I10"],
    "lines": [{"code": "J1030", "units": 1, "diagnosis_pointers": [1]}],
}
INDEX = "RowID,Letter,Level,Term,See,SeeAlso,NonEssModif,Code\n1,T,0,Testers' knee,,,,M70.40\n"


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(build_app(), ["codes", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.stdout


def test_a_claim_is_checked_and_every_finding_names_its_rule_and_release(tmp_path: Path) -> None:
    """A line with `lines` is a claim; one JSON object a finding; exit status 1 when billing is blocked."""
    file = tmp_path / "claims.jsonl"
    file.write_text(json.dumps(CLAIM) + "\n")
    [finding] = map(json.loads, run("check", file, "--json", "--releases", tmp_path, status=1).splitlines())
    assert (finding["encounter_number"], finding["rule"], finding["release"]) == ("E1", "PX-01", "demo-2026")
    assert finding["lines"] == [1] and "J1010" in finding["expected"]
    wanted = "encounter_number rule rule_version severity lines codes release row message expected carc overridable"
    assert {*wanted.split(), "override_needs"} <= finding.keys()
    assert "1 encounters, 1 with an error" in run("check", file, "--releases", tmp_path, status=1)


def test_a_line_that_cannot_be_read_is_named_and_keeps_no_other_from_being_checked(tmp_path: Path) -> None:
    """By its place in the file, blank lines counted; what the other lines have wrong is shown all the same."""
    file = tmp_path / "claims.jsonl"
    file.write_text("\n".join([json.dumps(CLAIM), "", "[]", json.dumps(CLAIM | {"encounter_number": "E2"})]))
    told = CliRunner().invoke(build_app(), ["codes", "check", str(file), "--json", "--releases", str(tmp_path)])
    assert told.exit_code == 2 and "line 3: " in told.stderr
    assert [json.loads(line)["encounter_number"] for line in told.stdout.splitlines()] == ["E1", "E2"]
    table = run("check", file, "--releases", tmp_path, status=2)
    assert "2 encounters, 2 with an error" in table


@pytest.mark.parametrize("what", ["missing", "folder", "binary"])
def test_a_file_that_cannot_be_read_is_named_with_status_two(what: str, tmp_path: Path) -> None:
    """A note and the codes in use; never a traceback."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for arguments in (["suggest", tmp_path / what], ["diff", "FY2024", "FY2026-04", "--in-use", tmp_path / what]):
        told = CliRunner().invoke(build_app(), ["codes", *map(str, arguments), "--releases", str(tmp_path)])
        assert told.exit_code == 2 and told.stderr.startswith(f"revcycle codes: {tmp_path / what}: ")


def test_codes_in_use_are_found_with_or_without_their_dot(tmp_path: Path) -> None:
    """A list without dots said that a new release touches nothing of it."""
    releases = ("FY2024", "FY2026-04", "--releases", tmp_path)
    deleted = next(line[2:].split()[0] for line in run("diff", *releases).splitlines() if line.startswith("- "))
    in_use = tmp_path / "in-use.txt"
    in_use.write_text(f"{deleted}\n{deleted.replace('.', '')}\n{deleted.lower()}\n")
    [touched] = [line for line in run("diff", *releases, "--in-use", in_use).splitlines() if line.startswith("! ")]
    assert touched.startswith(f"! {deleted} used 3 times: ")


def test_suggestions_that_cannot_be_written_are_refused_with_status_two(tmp_path: Path) -> None:
    notes, out = tmp_path / "notes.jsonl", tmp_path / "notes.jsonl" / "out"
    notes.write_text("")
    told = CliRunner().invoke(build_app(), ["codes", "suggest", "--in", str(notes), "--out", str(out)])
    assert told.exit_code == 2 and told.stderr.endswith(f"revcycle codes: {out}: Not a directory\n")


def test_piped_tables_cut_nothing(tmp_path: Path) -> None:
    told = run("status", "--releases", tmp_path)
    assert "2026-04-01" in told and "\u2026" not in told


@pytest.mark.parametrize("number", ["[/b]E3", "[red]E3"])
def test_square_brackets_of_a_claim_are_shown_as_they_are(number: str, tmp_path: Path) -> None:
    """They were taken for markup: the table ended in a traceback, or without the words between them."""
    file = tmp_path / "claims.jsonl"
    file.write_text(json.dumps(CLAIM | {"encounter_number": number}))
    assert number in run("check", file, "--releases", tmp_path, status=1)


def test_the_sites_settings_and_the_notes_elements_reach_the_rules(tmp_path: Path) -> None:
    """A visit code of the site, the elements of its note, and a payer's switch: EM-01 and PX-15 speak."""
    claims, site = tmp_path / "claims.jsonl", tmp_path / "site.json"
    line = {"code": "J1010", "units": 1, "diagnosis_pointers": [1]}
    visit = {"code": "T0003", "units": 1, "diagnosis_pointers": [1]}
    told = {"evaluation": {"self_limited_problems": 1}, "payer_id": "P1", "lines": [line, visit]}
    claims.write_text(json.dumps(CLAIM | told) + "\n")
    settings = {
        "switches": [{"name": "drug-codes-required", "value": "error", "payer_id": "P1"}],
        "visits": [{"code": "T0003", "family": "office", "level": 4, "new_patient": False, "minutes": 30}],
    }
    site.write_text(json.dumps(settings))
    told_lines = run("check", claims, "--json", "--site", site, "--releases", tmp_path, status=1).splitlines()
    assert {"EM-01", "PX-15"} <= {json.loads(one)["rule"] for one in told_lines}
    site.write_text('{"switches": [{"name": 5}]}')
    refused = CliRunner().invoke(build_app(), ["codes", "check", str(claims), "--site", str(site)])
    assert refused.exit_code == 2 and "$.switches[0].name" in refused.stderr


@pytest.mark.slow
def test_an_imported_index_adds_names_to_suggestions_and_they_are_scored(tmp_path: Path) -> None:
    index, notes, out, gold = (tmp_path / name for name in ("index.csv", "notes.jsonl", "out.jsonl", "gold.jsonl"))
    index.write_text(INDEX)
    notes.write_text(json.dumps({"id": "n1", "text": "ASSESSMENT\n\nTesters' knee.\n", "codes": ["M70.40"]}) + "\n")
    gold.write_text(json.dumps({"id": "n1", "codes": ["M70.40"]}) + "\n")
    releases = ("--releases", tmp_path / "releases")
    told = run("import", index, "--release", "2025", "--from", "2024-10-01", *releases)
    assert told.startswith("icd10cm-index 2025: 1 rows")
    assert run("suggest", "--in", notes, "--out", out, *releases) == f"1 notes in {out}\n"
    [first, *_] = json.loads(out.read_text())["suggestions"]
    assert (first["code"], first["highlight"], first["path"][0]) == ("M70.40", True, "alphabetic index")
    assert "exact micro-F1" in run("score", "--gold", gold, "--pred", out)


def test_a_note_without_a_text_is_refused_with_its_line(tmp_path: Path) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "n1", "text": "Cough."}\n{"id": 2, "text": "Cough."}\n')
    arguments = ["codes", "suggest", "--in", str(notes), "--out", str(tmp_path / "out.jsonl")]
    refused = CliRunner().invoke(build_app(), arguments)
    assert refused.exit_code == 2
    assert "notes.jsonl: line 2: " in refused.stderr and "$.id" in refused.stderr


def test_an_unknown_layout_is_refused_with_the_kinds_there_are(tmp_path: Path) -> None:
    file = tmp_path / "what.txt"
    file.write_text("nothing known\n")
    result = CliRunner().invoke(build_app(), ["codes", "import", str(file), "--release", "x", "--from", "2026-01-01"])
    assert result.exit_code == 2
    assert "icd10cm-index" in result.stderr and "gpci" in result.stderr
