"""Promise: the checker sees for itself what arrived at the payer and what it paid, and finds what is planted."""

import base64
import json
from pathlib import Path

from revcycle_checker.claims import arrivals_once, control_numbers_once, envelopes_count
from revcycle_checker.events import order_on_topics, seals_hold
from revcycle_checker.raw_log import Advice, cents, read_deposits, read_planted_exceptions, read_raw_log
from revcycle_checker.topics import TopicRecord

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*PAYER          *260930*1200*^*00501*{number}*0*T*:~"
CLAIM = "GS*HC*S*P*20260930*1200*1*X*005010X222A1~ST*837*0001~CLM*{clm01}*100***11:B:{frequency}*Y*A*Y*Y~SE*3*0001~"
REMITTANCE = (
    "GS*HP*P*S*20260930*1200*1*X*005010X221A1~ST*835*0001~BPR*I*{paid}*C*ACH*CCP*01*1*DA*1*1**01*1*DA*1*20260930~"
    "TRN*1*TRACE1*1999999999~CLP*A*1*100*80*20**1~SVC*HC:G0463*100*80~CAS*CO*45*20~PLB*1*20261231*L6*{plb}~SE*8*0001~"
)
TAIL = "GE*1*1~IEA*1*{number}~"


def write(folder: Path, *entries: tuple[str, str]) -> Path:
    lines = [
        json.dumps({"direction": way, "route": "REVPAY1", "bytes_base64": base64.b64encode(text.encode()).decode()})
        for way, text in entries
    ]
    path = folder / "raw.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def claim(number: int, clm01: str = "CLAIM1", frequency: str = "1") -> tuple[str, str]:
    text = ISA + CLAIM + TAIL
    return "in", text.format(number=f"{number:09}", clm01=clm01, frequency=frequency)


def remittance(paid: str = "81", plb: str = "-1") -> tuple[str, str]:
    return "out", (ISA + REMITTANCE + TAIL).format(number="000000009", paid=paid, plb=plb)


def test_a_claim_that_arrives_twice_is_found_and_its_replacement_is_none(tmp_path: Path) -> None:
    log = read_raw_log(write(tmp_path, claim(1), claim(2, frequency="7"), claim(3, "CLAIM2")))
    assert arrivals_once(log, set()) == []
    log = read_raw_log(write(tmp_path, claim(1), claim(2)))
    assert [finding.invariant for finding in arrivals_once(log, set())] == ["C4"]


def test_a_control_number_with_two_contents_is_found(tmp_path: Path) -> None:
    assert control_numbers_once(read_raw_log(write(tmp_path, claim(1), claim(1)))) == []
    found = control_numbers_once(read_raw_log(write(tmp_path, claim(1), claim(1, "CLAIM2"))))
    assert any(finding.invariant == "C3" and "ISA13 000000001" in finding.detail for finding in found)


def test_what_trailers_count_is_counted_again(tmp_path: Path) -> None:
    assert envelopes_count(read_raw_log(write(tmp_path, claim(1)))) == []
    way, text = claim(1)
    for trailer, wrong in (
        ("SE*3*0001", "SE*4*0001"),
        ("GE*1*1", "GE*2*1"),
        ("IEA*1*", "IEA*7*"),
        ("SE*3", "HL*2~SE*4"),
    ):
        found = envelopes_count(read_raw_log(write(tmp_path, (way, text.replace(trailer, wrong)))))
        assert [finding.invariant for finding in found] == ["C3"], trailer


def test_an_advice_counts_once_however_often_it_is_sent_and_only_when_it_balances(tmp_path: Path) -> None:
    log = read_raw_log(write(tmp_path, remittance(), remittance(), remittance(paid="82")))
    assert log.advices == {Advice("REVPAY1", "TRACE1", "20260930", 8100)}
    assert log.unbalanced_advices == ["TRACE1"]


def test_amounts_are_read_to_the_cent() -> None:
    assert [cents(text) for text in ("12.5", "-0.07", "100", "", ".4")] == [1250, -7, 10000, 0, 40]


def test_absent_files_are_empty(tmp_path: Path) -> None:
    assert read_deposits(tmp_path) == {} and read_planted_exceptions(tmp_path) == set()
    assert read_raw_log(tmp_path / "raw.jsonl").claims == []


def record(sequence: int, sha256: str = "a", fault: str | None = None) -> TopicRecord:
    return TopicRecord("revcycle.claims.v1", "t", "k", sequence, sha256 + str(sequence), fault)


def test_order_on_topics_allows_repeats_and_finds_overtaking_and_two_contents() -> None:
    assert order_on_topics([record(1), record(2), record(1), record(2), record(3)]) == []
    assert len(order_on_topics([record(1), record(3)])) == 1
    assert len(order_on_topics([record(1), record(2), record(2, "b")])) == 1
    assert [finding.invariant for finding in seals_hold([record(1, fault="the seal does not hold")])] == ["E5"]
