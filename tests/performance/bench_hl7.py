"""HL7 v2: reading messages and answering them over MLLP, beside python-hl7 doing the same in a process of its own.

Ours reads bytes into typed views too (`hl7-view`); python-hl7 has no views, so its floor there is parsing alone. Over
MLLP ours keeps 64 messages in flight; python-hl7's client has one, as its documentation shows. Skipped with a word when
the environment of python-hl7 cannot be made.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ground import Ground
from harness import Bench, Line, Measure, OneRound, Round, measured, timed
from revcycle_edi.hl7 import acknowledge, parse_message
from revcycle_edi.hl7.streams import Client, start_server
from revcycle_edi.hl7.views import adt, charges, document, results

ROOT = Path(__file__).resolve().parents[2]
PEER_MESSAGES = 40
REPEATS = 50
WINDOW = 64
_NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
_HEADER = "MSH|^~\\&|HOSP|MAIN|REVCYCLE|TEST|20260601120000||{type}|MSG{number:06d}|P|2.5.1\r"
_PERSON = (
    "EVN|A04|20260601120000\r"
    "PID|1||T{number:06d}^^^HOSP^MR~A{number:06d}^^^HOSP^AN||TESTER^ANN^Q||19800102|F|||{number} TEST STREET^^TESTVILLE"
    "^TX^78701||5550100000|||S||ACC{number:06d}\r"
    "PV1|1|O|CLINIC^1^2||||1234567893^SAMPLE^DOC|||MED||||||||V{number:06d}|||||||||||||||||||||||||20260601113000\r"
)
_INSURANCE = (
    "IN1|{rank}|PLAN{rank}|PAYER{rank}|TEST PAYER|1 PAYER WAY^^TESTVILLE^TX^78701||||GRP{rank}||||20260101|20261231|||"
    "TESTER^ANN|SEL|19800102|1 TEST STREET^^TESTVILLE^TX^78701|||1||||||||||||||TEST{number:06d}\r"
)
_CHARGE = (
    "FT1|{rank}|TX{rank}||20260601||CG|G0463^CLINIC VISIT^HCPCS|||1|150.00||||||||E119~I10|1^SAMPLE^DOC|||||G0463|25\r"
)
_RESULT = "OBX|{rank}|NM|T{rank}^SYNTHETIC TEST^L||{rank}.5|mg/dL|0-10|N|||F|||20260601\r"
_NOTE = "OBX|{rank}|TX|NOTE^PROGRESS NOTE||Synthetic note line {rank} with some words in it and an escape \\T\\ too\r"


def message(number: int) -> str:
    """A registration, a charge message, a document or a result of 1 to 4 KB."""
    person = _PERSON.format(number=number)
    if number % 4 == 0:
        kind, body = "ADT^A04", "".join(_INSURANCE.format(rank=rank, number=number) for rank in (1, 2))
    elif number % 4 == 1:
        kind, body = "DFT^P03", "".join(_CHARGE.format(rank=rank) for rank in range(1, 7))
    elif number % 4 == 2:
        note = "".join(_NOTE.format(rank=rank) for rank in range(1, 31))
        kind, body = "MDM^T02", f"TXA|1|PN|TX|20260601||||||||DOC{number}|||||LA\r" + note
    else:
        observed = "".join(_RESULT.format(rank=rank) for rank in range(1, 21))
        kind, body = "ORU^R01", "OBR|1|ORD1||PANEL^SYNTHETIC PANEL^L\r" + observed
    return _HEADER.format(type=kind, number=number) + person + body


class Peer:
    """The process that runs python-hl7."""

    def __init__(self, python: str, messages: list[str]) -> None:
        script = Path(__file__).with_name("peer_python_hl7.py")
        self._process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say(json.dumps(messages))

    def _say(self, line: str) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the peer has no input")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def measure(self, command: str) -> Measure:
        """One command, measured where it ran."""
        self._say(command)
        pieces, seconds, busy = json.loads(self._process.stdout.readline() if self._process.stdout else "")
        return Measure(pieces / seconds, busy / pieces * 1e6)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)


def _parsed(messages: list[bytes]) -> int:
    for _ in range(REPEATS):
        for data in messages:
            parse_message(data)
    return REPEATS * len(messages)


def _viewed(messages: list[bytes]) -> int:
    views: dict[str, Any] = {"ADT": adt, "DFT": charges, "MDM": document, "ORU": results}
    for _ in range(REPEATS):
        for data in messages:
            read = parse_message(data)
            views[read.type](read)
    return REPEATS * len(messages)


async def _exchanged(messages: list[bytes]) -> None:
    async def handler(data: bytes) -> bytes:
        return acknowledge(data, control_id="A1", now=_NOW)

    server = await start_server(handler, "127.0.0.1", 0)
    async with server, Client("127.0.0.1", server.sockets[0].getsockname()[1]) as client:
        answers = await client.send_all(messages, window=WINDOW)
    if len(answers) != len(messages) or any(b"\rMSA|AA|" not in answer for answer in answers):
        raise RuntimeError("a message was not acknowledged")


def _environment() -> str:
    """The Python that has python-hl7. RuntimeError with the reason when there is none."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle_env.py", "python-hl7"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(f"python-hl7 cannot be measured: {made.stderr.strip()}")
    return made.stdout.strip()


@asynccontextmanager
async def _prepare(_: Ground) -> AsyncIterator[OneRound]:
    texts = [message(number) for number in range(PEER_MESSAGES)]
    messages = [text.encode() for text in texts]
    peer = Peer(await asyncio.to_thread(_environment), texts)

    async def one_round() -> Mapping[str, Round]:
        floor = await asyncio.to_thread(peer.measure, "parse")
        parsed, viewed = timed(lambda: _parsed(messages)), timed(lambda: _viewed(messages))
        one_by_one = await asyncio.to_thread(peer.measure, "mllp")
        many = messages * REPEATS
        exchanged = await measured(len(many), _exchanged(many))
        return {
            "hl7-parse": Round(parsed, floor),
            "hl7-view": Round(viewed, floor),
            "hl7-mllp": Round(exchanged, one_by_one),
        }

    try:
        yield one_round
    finally:
        peer.close()


BENCHES = (
    Bench(
        "hl7",
        (
            Line("hl7-parse", "messages/s", ratio_min=50.0),
            Line("hl7-view", "messages/s"),
            Line("hl7-mllp", "messages/s", ratio_min=20.0),
        ),
        _prepare,
    ),
)
