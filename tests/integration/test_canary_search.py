"""The search for canaries sees what it is meant to see: a search that never found anything proves nothing."""

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from .canaries import STEMS, Search, people, sighted

PERSON = people()[7]
BACKWARDS = f"{PERSON.last_name}^{PERSON.first_name}"
FORMS = {
    "plain": PERSON.last_name.encode(),
    "upper case": PERSON.last_name.upper().encode(),
    "HL7, last name first": BACKWARDS.encode(),
    "X12, last name first": f"NM1*IL*1*{PERSON.last_name}*{PERSON.first_name}~".upper().encode(),
    "within JSON": json.dumps({"error": f'no "{PERSON.last_name}"'}).encode(),
    "JSON within JSON": json.dumps(json.dumps([PERSON.note])).encode(),
    "every letter escaped": "".join(f"\\u{ord(letter):04X}" for letter in PERSON.last_name).encode(),
    "in a URL": quote(f"/v1/patients/{PERSON.note}").encode(),
    "in a form": PERSON.note.replace(" ", "+").encode(),
    "base64": base64.b64encode(PERSON.last_name.encode()),
    "base64 within more": base64.b64encode(b"x" + BACKWARDS.encode()),
    "base64 within still more": base64.b64encode(b"xy" + PERSON.member_id.encode() + b"z"),
    "base64 for URLs": base64.urlsafe_b64encode(PERSON.note.encode()),
    "base64 of X12": base64.b64encode(f"ISA*00*~{PERSON.last_name.upper()}*".encode()),
    "hexadecimal": PERSON.social.encode().hex().encode(),
    "hexadecimal, upper case": PERSON.member_id.encode().hex().upper().encode(),
    "two bytes a letter": PERSON.first_name.encode("utf-16"),
    "backwards": PERSON.last_name[::-1].encode(),
    "number without hyphens": f'"{PERSON.social.replace("-", "")}"'.encode(),
    "record number": PERSON.record_number.lower().encode(),
    "street": PERSON.street.encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_leak_is_seen_however_it_is_written(form: str) -> None:
    """Promise: no spelling hides a patient from the search."""
    assert sighted(b"2026-09-30 info " + FORMS[form] + b" \xff\x00 end")


def test_every_field_of_every_canary_is_found_and_nothing_else() -> None:
    """Promise: all fifty people are told apart from each other, and ordinary text is no sighting."""
    assert len({person.last_name for person in people()}) == len({person.social for person in people()}) == 50
    assert people() == people()
    for person in people():
        text = " ".join((person.last_name, person.first_name, person.social, person.member_id, person.record_number))
        assert sighted(f"{text} {person.note} {person.street}".encode()) == set(STEMS)
    innocent = {"at": "2026-09-30T12:00:00.987654321Z", "id": "98765432-1987-7654-8321-000000000000", "n": 19876540001}
    assert not sighted(json.dumps(innocent).encode())


def test_files_are_searched_across_pieces_compressed_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: neither the size of a file, nor its compression, nor that it is only its name, hides a leak."""
    monkeypatch.setattr(f"{Search.__module__}._PIECE", 64)
    (tmp_path / "large.log").write_bytes(b"." * 60 + PERSON.last_name.encode() + b"." * 200)
    (tmp_path / "old.jsonl.gz").write_bytes(gzip.compress(PERSON.note.encode()))
    (tmp_path / f"{PERSON.member_id}.txt").touch()
    (tmp_path / "payer").mkdir()
    (tmp_path / "payer" / "raw.jsonl").write_text(PERSON.last_name)
    search = Search()
    search.look_into_folder("files", tmp_path, [tmp_path / "payer"])
    assert set(search.sightings) == {"large.log", "old.jsonl.gz", f"name of {PERSON.member_id}.txt"}
    assert search.report().splitlines()[-1].startswith("canaries: people=50 places=6 bytes=")
