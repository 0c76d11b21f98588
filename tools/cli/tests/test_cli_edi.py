"""`revcycle edi`: every verb does what its help says, with the exit status and the fields that scripts rely on."""

import errno
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from revcycle_cli import edi_files
from revcycle_cli.main import build_app
from typer.testing import CliRunner

# The clean synthetic interchanges of the library's own tests.
sys.path.insert(0, str(Path(__file__).parents[3] / "libs/edi/tests"))
from edi_bases import BASES

FIELDS = [
    "file", "interchange", "group", "transaction", "segment_number", "byte_offset", "loop", "segment", "element",
    "rule", "severity", "answer", "answer_codes", "message", "expected",
]  # fmt: skip
TODAY = ("--today", "2026-06-30")
APP = build_app()
HL7 = b"MSH|^~\\&|A|B|C|D|20260601||ADT^A04|C1|P|2.5\rPID|1||T1||TESTER^ANN\r"


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(APP, ["edi", *map(str, arguments)], input=stdin)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def written(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return written


Write = Callable[[str, bytes], Path]


def test_check_prints_the_promised_fields_one_object_a_line_and_nothing_for_a_clean_file(write: Write) -> None:
    clean = run("check", "--json", *TODAY, write("a.837", BASES["837P"]()))
    assert (clean.exit_code, clean.stdout) == (0, "")
    bad = run(
        "check", "--json", *TODAY, write("b.837", BASES["837P"]().replace(b"CLM*TEST-2*175.5", b"CLM*TEST-2*175.6"))
    )
    assert bad.exit_code == 1
    (finding,) = [json.loads(line) for line in bad.stdout.splitlines()]
    assert list(finding) == FIELDS
    assert (finding["rule"], finding["severity"], finding["answer"]) == ("837.clm02.balance", "error", "277ca")
    assert finding["answer_codes"] and finding["message"] and finding["expected"] and finding["byte_offset"] > 0
    assert (finding["interchange"], finding["transaction"], finding["segment"]) == ("000000017", "0001", "CLM")


def test_check_says_two_when_a_file_cannot_be_read_even_when_another_has_errors(write: Write) -> None:
    broken = write("broken.837", BASES["837P"]()[:-30])
    wrong = write("wrong.837", BASES["837P"]().replace(b"IEA*1*", b"IEA*2*"))
    assert run("check", *TODAY, wrong).exit_code == 1
    assert run("check", *TODAY, broken, wrong).exit_code == 2
    assert run("check", write("text.txt", b"hello")).exit_code == 2
    missing = run("check", "no-such-file")
    assert missing.exit_code == 2 and "no such file" in missing.stderr


def test_check_shows_a_table_and_walks_a_folder_tree_leaving_other_files_alone(write: Write, tmp_path: Path) -> None:
    write("in/one.835", BASES["835"]())
    write("in/deep/er/two.837", BASES["837P"]().replace(b"IEA*1*", b"IEA*2*"))
    write("in/notes.txt", b"nothing of the kind")
    said = run("check", *TODAY, tmp_path / "in")
    assert said.exit_code == 1
    assert "one.835: clean" in said.stdout and "two.837: 1 findings" in said.stdout and "ta1.iea.count" in said.stdout
    assert "notes.txt" not in said.stdout


def test_standard_input_is_read(write: Write) -> None:
    data = BASES["835"]()
    assert run("check", *TODAY, "-", stdin=data).stdout == "-: clean\n"
    assert run("roundtrip", "-", stdin=data).stdout == "-: lossless\n"
    assert "0 do not hold" in run("balance", "-", stdin=data).stdout
    assert run("from-json", "-", stdin=run("json", "-", stdin=data).stdout_bytes).stdout_bytes == data


@pytest.mark.parametrize("verb", ["check", "balance", "roundtrip"])
def test_a_named_pipe_is_read_like_a_file(verb: str, write: Write, tmp_path: Path) -> None:
    data = BASES["835"]()
    os.mkfifo(pipe := tmp_path / "pipe")
    feeder = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    feeder.start()
    options = TODAY if verb == "check" else ()
    told = run(verb, *options, pipe)
    file = write("a.835", data)
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout == run(verb, *options, file).stdout.replace(str(file), str(pipe))


def test_explain_masks_persons_unless_asked(write: Write) -> None:
    path = write("a.837", BASES["837P"]())
    masked, shown = run("explain", path), run("explain", "--show-personal", path)
    assert masked.exit_code == shown.exit_code == 0
    assert "TESTER" not in masked.stdout and "TEST0001" not in masked.stdout and "E119" not in masked.stdout
    assert "TESTER" in shown.stdout and "CLM claim" in masked.stdout and "$175.50" in masked.stdout
    assert run("explain", write("text.txt", b"hello")).exit_code == 2


@pytest.mark.parametrize(
    "segment",
    [
        "PAT*19****D8*SECRET*01*SECRET", "INS*N*19*021*20*A***FT***D8*SECRET", "PWK*OZ*EL***AC*SECRET*SECRET",
        "CR1*LB*SECRET**A*DH*21***SECRET*SECRET", "CR2********A**SECRET", "III*BK*SECRET", "MEA*TR*HT*SECRET",
        "FRM*1C**SECRET", "COB*P*SECRET*1", "K3*SECRET", "MNI*IL*1*SECRET", "nm1*IL*1*SECRET", "SECRET CALLED*1*SECRET",
    ],
)  # fmt: skip
def test_explain_masks_what_it_does_not_know_and_the_details_of_a_patient(segment: str, write: Write) -> None:
    """A date of death, a weight, a note behind a stray terminator, a segment with a misspelt name."""
    path = write("a.837", BASES["837P"]().replace(b"CLM*TEST-1*", segment.encode() + b"~CLM*TEST-1*", 1))
    masked = run("explain", path)
    assert masked.exit_code == 0 and "SECRET" not in masked.stdout
    assert "SECRET" in run("explain", "--show-personal", path).stdout


def test_balance_shows_both_sides_and_fails_when_one_does_not_hold(write: Write) -> None:
    good = write("a.835", BASES["835"]())
    bad = write("b.835", BASES["835"]().replace(b"BPR*I*150*", b"BPR*I*151*"))
    assert run("balance", good, write("c.837", BASES["837I"]()), write("d.837", BASES["837D"]())).exit_code == 0
    said = run("balance", "--json", good, bad)
    assert said.exit_code == 1
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    broken = [row for row in rows if row["difference_cents"]]
    assert [(row["file"], row["level"], row["left_cents"], row["right_cents"]) for row in broken] == [
        (str(bad), "transaction", 15000, 15100)
    ]
    table = run("balance", bad).stdout
    assert "CLP04 - PLB = BPR02" in table and "150.00" in table and "151.00" in table


def test_a_table_of_many_rows_is_laid_out_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory it takes does not grow with the file: no row is asked for before the ones ahead of it are printed."""
    printed = io.StringIO()
    monkeypatch.setattr(edi_files, "_TABLE_ROWS", 2)
    monkeypatch.setattr("sys.stdout", printed)
    ahead: list[bool] = []

    def rows() -> Iterator[tuple[str]]:
        for number in range(5):
            ahead.append(number < 2 or f"row {number - 2}" in printed.getvalue())
            yield (f"row {number}",)

    edi_files.table(("name",), rows())
    assert all(ahead) and printed.getvalue().count("name") == 3
    assert [f"row {number}" in printed.getvalue() for number in range(5)] == [True] * 5


def test_roundtrip_names_the_first_byte_that_differs(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.837", BASES["837P"]().replace(b"~", b"~\r\n"))
    assert run("roundtrip", path).stdout == f"{path}: lossless\n"
    assert run("roundtrip", write("cut.837", BASES["837P"]()[:-3])).exit_code == 2
    data = path.read_bytes()
    monkeypatch.setattr("revcycle_edi.x12.emit_stream", lambda chunks: [b"".join(chunks)[:200], b"?" + data[201:]])
    said = run("roundtrip", path)
    assert (said.exit_code, said.stdout) == (1, f"{path}: differs from byte 200\n")


def test_ack_writes_what_a_receiver_answers(write: Write, tmp_path: Path) -> None:
    said = run("ack", write("a.837", BASES["837P"]()), "-o", tmp_path / "answers", "--control-number", "7")
    assert said.exit_code == 0
    made = sorted(path.name for path in (tmp_path / "answers").iterdir())
    assert made == ["277ca.x12", "999.x12", "ta1.x12"]
    assert run("check", *(tmp_path / "answers" / name for name in made)).exit_code == 0
    rejected = run("ack", write("b.837", BASES["837P"]().replace(b"HI*ABK", b"HX*ABK", 1)))
    assert rejected.exit_code == 0 and "AK9*R" in rejected.stdout and "TA1*" in rejected.stdout
    assert run("ack", write("text.txt", b"hello")).exit_code == 2


def headers(interchanges: str) -> list[list[str]]:
    """ISA05 to ISA08 and ISA15 of each interchange."""
    found = [line.split("*") for line in interchanges.replace("~", "\n").splitlines() if line.startswith("ISA*")]
    return [[*(element.strip() for element in header[5:9]), header[15]] for header in found]


def test_an_answer_goes_back_to_who_sent_the_file_called_as_they_call_themselves(write: Write) -> None:
    """Qualifiers are part of the address, a test is answered by a test, and line breaks before the ISA move nothing."""
    sent = BASES["837P"]().replace(b"*ZZ*REVCYCLE ", b"*30*REVCYCLE ").replace(b"*ZZ*TESTPAYER ", b"*01*TESTPAYER ")
    told = run("ack", write("a.837", b"\r\n" + sent))
    assert told.exit_code == 0
    assert headers(told.stdout) == [["01", "TESTPAYER", "30", "REVCYCLE", "T"]] * 3


def test_two_senders_in_one_file_are_answered_apart(write: Write) -> None:
    """The 277CA of one sender names its patients: it must not go to the other."""
    first, bad = BASES["837P"](), BASES["837P"]().replace(b"HI*ABK", b"HX*ABK", 1)
    other = bad.replace(b"REVCYCLE  ", b"ELSEWHERE ").replace(b"CLM*TEST-", b"CLM*ELSE-")
    told = run("ack", write("a.837", first + other + first.replace(b"000000017", b"000000018")))
    assert told.exit_code == 0
    interchanges = ["ISA*" + text for text in told.stdout.split("ISA*")[1:]]
    receivers = [header[3] for text in interchanges for header in headers(text)]
    assert sorted(receivers) == ["ELSEWHERE"] * 2 + ["REVCYCLE"] * 3
    for receiver, text in zip(receivers, interchanges, strict=True):
        assert (receiver == "ELSEWHERE") == ("AK9*R" in text) or "AK9" not in text
        assert "ELSE-" not in text if receiver == "REVCYCLE" else "TEST-" not in text
    assert len({text.split("*")[13] for text in interchanges}) == 5
    assert sum(text.count("TA1*") for text in interchanges) == 3


def test_json_and_back_gives_the_same_bytes(write: Write, tmp_path: Path) -> None:
    path = write("a.275", BASES["275"]())
    assert run("json", path, "-o", tmp_path / "a.json").exit_code == 0
    assert run("from-json", tmp_path / "a.json", "-o", tmp_path / "b.275").exit_code == 0
    assert (tmp_path / "b.275").read_bytes() == path.read_bytes()
    assert run("json", write("text.txt", b"hello")).exit_code == 2
    assert run("from-json", write("bad.json", b"[]")).exit_code == 2


def test_split_writes_one_claim_a_file_and_merge_puts_them_back(write: Write, tmp_path: Path) -> None:
    path = write("a.837", BASES["837P"]())
    said = run("split", path, "-o", tmp_path / "parts", "--control-number", "17")
    assert (said.exit_code, said.stdout) == (0, f"3 claims written to {tmp_path / 'parts'}\n")
    assert run("check", *TODAY, tmp_path / "parts").exit_code == 0
    merged = run("merge", tmp_path / "parts", "-o", tmp_path / "b.837", "--control-number", "17")
    assert merged.exit_code == 0 and (tmp_path / "b.837").read_bytes() == path.read_bytes()
    assert run("merge", write("c.835", BASES["835"]()), "-o", tmp_path / "d.837").exit_code == 2


def test_merge_counts_claims_and_names_the_files_that_hold_none(write: Write, tmp_path: Path) -> None:
    whole = BASES["837P"]()
    bare = whole[: whole.index(b"HL*2*")] + b"SE*11*0001~GE*1*17~IEA*1*000000017~"
    inputs = [write("a.837", bare), write("b.837", whole), write("c.835", BASES["835"]())]
    told = run("merge", *inputs, "-o", tmp_path / "all.837", "--control-number", "17")
    assert (told.exit_code, told.stdout) == (0, f"3 claims of 1 files merged into {tmp_path / 'all.837'}\n")
    assert "a.837: no claims" in told.stderr and "c.835: no claims" in told.stderr
    assert (tmp_path / "all.837").read_bytes() == whole
    none = run("merge", inputs[0], "-o", tmp_path / "none.837")
    assert (none.exit_code, (tmp_path / "none.837").exists()) == (2, False)


def test_merging_a_folder_into_itself_twice_does_not_double_its_claims(write: Write) -> None:
    folder = write("in/a.837", BASES["837P"]()).parent
    assert run("merge", folder, "-o", folder / "all.837").exit_code == 0
    made = (folder / "all.837").read_bytes()
    again = run("merge", folder, "-o", folder / "all.837")
    assert again.exit_code == 2 and "the output is one of the files" in again.stderr
    assert (folder / "all.837").read_bytes() == made and made.count(b"~CLM*") == 3


@pytest.mark.parametrize(("sent", "other"), [(b"*0*T*:~", b"*0*P*:~"), (b"*CH~", b"*RP~")], ids=["ISA15", "BHT06"])
def test_tests_and_reported_encounters_are_not_merged_into_bills(
    sent: bytes, other: bytes, write: Write, tmp_path: Path
) -> None:
    whole = BASES["837P"]()
    first, second = write("a.837", whole.replace(sent, other, 1)), write("b.837", whole)
    told = run("merge", first, second, "-o", tmp_path / "all.837")
    assert told.exit_code == 2 and "837.merge.purposes" in told.stderr and not (tmp_path / "all.837").exists()


def test_split_writes_all_claims_of_a_file_or_none_and_never_among_those_of_another(
    write: Write, tmp_path: Path
) -> None:
    """What lies in the folder afterwards is the file, no claim less and none of an earlier run."""
    whole, parts = BASES["837P"](), tmp_path / "parts"
    odd = write("odd.837", whole.replace(b"CLM*TEST-3*175.5***11:", b"CLM*TEST-3*175.5***11X:"))
    assert run("split", odd, "-o", parts).exit_code == 2 and not parts.exists()
    assert run("split", write("a.837", whole), "-o", parts).exit_code == 0
    one = write("one.837", (parts / "000001.837").read_bytes())
    again = run("split", one, "-o", parts)
    assert again.exit_code == 2 and "claims in it already" in again.stderr
    assert [path.name for path in sorted(parts.iterdir())] == ["000001.837", "000002.837", "000003.837"]


@pytest.mark.parametrize("verb", [["json"], ["ack"], ["split"], ["merge"], ["form", "--type", "cms1500"]])
def test_an_output_that_cannot_be_written_is_named_with_status_two(
    verb: list[str], write: Write, tmp_path: Path
) -> None:
    """Status 1 would say that the claims are wrong, and a traceback says nothing to a biller."""
    claims, output = write("a.837", BASES["837P"]()), write("file", b"") / "below"
    told = run(*verb, claims, "-o", output)
    assert told.exit_code == 2 and isinstance(told.exception, SystemExit)
    assert told.stderr.startswith(f"revcycle edi: {output}") and told.stderr.endswith("Not a directory\n")


@pytest.mark.parametrize(("kind", "base"), [("cms1500", "837P"), ("ub04", "837I")])
def test_form_writes_a_pdf_and_refuses_claims_of_the_other_kind(
    kind: str, base: str, write: Write, tmp_path: Path
) -> None:
    said = run("form", "--type", kind, write("a.837", BASES[base]()), "-o", tmp_path / "a.pdf")
    assert said.exit_code == 0 and (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    other = run("form", "--type", kind, write("b.835", BASES["835"]()), "-o", tmp_path / "b.pdf")
    assert other.exit_code == 2 and f"({base})" in other.stderr and not (tmp_path / "b.pdf").exists()
    assert run("form", "--type", "cms1450", write("c.837", BASES[base]()), "-o", tmp_path / "c.pdf").exit_code == 2


def test_a_claim_the_form_has_no_place_for_is_named_and_keeps_no_other_from_being_printed(
    write: Write, tmp_path: Path
) -> None:
    """Which one of hundreds it is must be said, by its place: its number may identify the patient."""
    odd = BASES["837P"]().replace(b"SV1*HC:J1030*25.5*UN*1***2:1~", b"SV1*HC:J1030*25.5*UN*1***2:7~", 1)
    told = run("form", "--type", "cms1500", write("a.837", odd), "-o", tmp_path / "a.pdf")
    assert (told.exit_code, told.stdout) == (1, f"2 claims written to {tmp_path / 'a.pdf'}, 1 not\n")
    assert "a.837: claim 1 of 3: paper.pointer" in told.stderr and "TEST-1" not in told.stderr
    assert (tmp_path / "a.pdf").read_bytes().count(b"/Type /Page\n") == 2


def test_hl7_check_says_how_each_message_would_be_answered(write: Write, tmp_path: Path) -> None:
    write("in/good.hl7", HL7)
    assert run("hl7", "check", tmp_path / "in").exit_code == 0
    write("in/old.hl7", HL7.replace(b"|2.5", b"|9.9"))
    write("in/cut.hl7", HL7 + b"\x0bMSH|")
    said = run("hl7", "check", "--json", tmp_path / "in")
    rows = {Path(row["file"]).name: row["answer"] for row in map(json.loads, said.stdout.splitlines())}
    assert (said.exit_code, rows) == (1, {"good.hl7": "AA", "old.hl7": "AR", "cut.hl7": "AR"})
    assert "(unsupported version at MSH^1^12)" in run("hl7", "check", tmp_path / "in").stdout


def test_an_hl7_file_that_cannot_be_read_does_not_keep_the_others_from_being_checked(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, good = write("a.hl7", HL7), write("b.hl7", HL7)
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    told = run("hl7", "check", locked, good)
    assert (told.exit_code, told.stdout) == (2, f"{good}: AA\n")
    assert "a.hl7: Permission denied" in told.stderr


def test_hl7_explain_shows_the_shape_but_no_person(write: Write) -> None:
    said = run("hl7", "explain", write("a.hl7", HL7))
    assert said.exit_code == 0 and "ADT^A04 version 2.5" in said.stdout and "PID-5: 10 characters" in said.stdout
    assert "TESTER" not in said.stdout
    assert run("hl7", "explain", write("text.txt", b"hello")).exit_code == 2


def test_a_progress_bar_appears_for_a_large_file_when_somebody_watches(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("large.835", BASES["835"]())
    monkeypatch.setattr(edi_files, "_PROGRESS_FROM_BYTES", 10)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert b"".join(edi_files.chunks(path)) == path.read_bytes()
    assert "large.835" in capsys.readouterr().err


def test_every_verb_explains_itself() -> None:
    verbs = ["check", "explain", "balance", "roundtrip", "ack", "json", "from-json", "split", "merge", "form"]
    for verb in [[name] for name in verbs] + [["hl7", "check"], ["hl7", "explain"]]:
        said = run(*verb, "--help")
        assert said.exit_code == 0 and len(said.stdout.splitlines()) > 5


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_looked_at(write: Write) -> None:
    folder = write("in/a.837", BASES["837P"]()).parent
    write("in/b.837", BASES["837P"]()[:300])
    write("in/c.835", BASES["835"]())
    told = run("roundtrip", folder)
    assert told.exit_code == 2
    assert [line.rpartition(" ")[2] for line in told.stdout.splitlines()] == ["lossless", "lossless"]
    assert "b.837: x12.truncated" in told.stderr


@pytest.mark.parametrize("verb", [["check"], ["explain"], ["balance"], ["roundtrip"], ["hl7", "check"]])
def test_a_name_that_is_not_there_does_not_keep_the_files_behind_it_from_being_looked_at(
    verb: list[str], write: Write, tmp_path: Path
) -> None:
    good = write("a.hl7", HL7) if verb[0] == "hl7" else write("a.837", BASES["837P"]())
    (tmp_path / "nothing").mkdir()
    alone, told = run(*verb, good), run(*verb, "no-such-file", tmp_path / "nothing", good)
    assert told.exit_code == 2 and told.stdout == alone.stdout
    assert "no-such-file: no such file" in told.stderr and "nothing: no file below it" in told.stderr


def test_a_reader_that_stops_ends_the_command_and_no_file_is_blamed(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    paths = [write(f"{name}.837", BASES["837P"]()) for name in "ab"]
    monkeypatch.setattr("revcycle_cli.commands.edi.plain", closed)
    told = run("explain", *paths)
    assert (told.exit_code, told.stderr) == (1, "")


def test_an_empty_file_and_a_folder_without_interchanges_cannot_be_read(write: Write) -> None:
    empty = write("in/empty.837", b"")
    for verb in ("check", "explain", "balance", "roundtrip"):
        assert run(verb, empty).exit_code == 2, verb
    (finding,) = [json.loads(line) for line in run("check", "--json", empty).stdout.splitlines()]
    assert (finding["rule"], finding["answer"], finding["answer_codes"]) == ("x12.empty", "ta1", ["022"])
    assert run("check", empty.parent).exit_code == 2
    assert run("split", "-o", empty.parent / "out", write("a.835", BASES["835"]())).exit_code == 2


def test_control_characters_of_a_file_never_reach_the_terminal(write: Write) -> None:
    steering = write("a.837", BASES["837P"]().replace(b"CLM*TEST-1*", b"Z\x1b[2J*1~CLM*TEST-1*"))
    assert "\x1b" not in run("check", *TODAY, steering).stdout
    assert "\x1b" not in run("explain", steering).stdout
    message = HL7.replace(b"|A|B|", b"|A\x1b[2J|B|").replace(b"A04|", b"A04\x1b[31m|")
    told = run("hl7", "explain", write("a.hl7", message))
    assert "ADT^A04" in told.stdout and "\x1b" not in told.stdout
