"""Promises of the HL7 v2 part: nothing lost, correct answers, a listener that survives its peers."""

import asyncio
import contextlib
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from revcycle_edi.hl7 import (
    Deframer,
    HL7Error,
    acknowledge,
    escape,
    frame,
    parse_ack,
    parse_message,
    unescape,
)
from revcycle_edi.hl7.message import Encoding
from revcycle_edi.hl7.streams import Client, start_server
from revcycle_edi.hl7.views import Identifier, adt, charges, document

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MSH = r"MSH|^~\&|SENDAPP|SENDFAC|RECAPP|RECFAC|20260601||{type}|CTRL1|P|{version}"
ADT = (
    MSH.format(type="ADT^A04", version="2.5.1")
    + "\rEVN|A04|20260601\rPID|1||T1^^^HOSP^MR~T2^^^HOSP^AN||TESTER^ANN^Q||19800102|F|||1 TEST ST^^TESTVILLE^TX^78701\r"
    "PV1|1|O|CLINIC||||1^SAMPLE^DOC\rIN1|1|PLAN1|PAYER1|TEST PAYER||||GRP1||||20260101||||TESTER^ANN|SEL|19800102\r"
).encode()


def test_values_are_addressed_as_in_the_standard() -> None:
    message = parse_message(ADT)
    assert (message.type, message.event, message.control_id, message.version) == ("ADT", "A04", "CTRL1", "2.5.1")
    assert message.get("MSH-1") == "|" and message.get("PID-5.2") == "ANN" and message.get("PID-3.5") == "MR"
    view = adt(message)
    assert view.action == "register"
    assert [i.type for i in view.patient.identifiers] == ["MR", "AN"]
    assert view.insurances[0].payer_id == "PAYER1"
    assert message.encode() == ADT


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_every_line_end_and_a_byte_order_mark_are_accepted(ending: str) -> None:
    data = b"\xef\xbb\xbf" + ADT.decode().replace("\r", ending).encode()
    assert parse_message(data).segments == parse_message(ADT).segments


def test_character_set_comes_from_msh18_with_utf8_and_latin1_as_fallback() -> None:
    text = MSH.format(type="ADT^A08", version="2.5") + "||||||8859/1\rPID|1||1||M\u00dcLLER\r"
    assert parse_message(text.encode("latin-1")).get("PID-5") == "M\u00dcLLER"
    plain = text.replace("||||||8859/1", "")
    assert parse_message(plain.encode()).get("PID-5") == "M\u00dcLLER"
    assert parse_message(plain.encode("latin-1")).get("PID-5") == "M\u00dcLLER"


@pytest.mark.parametrize("name", ["T", "TT"])
def test_a_readable_header_that_names_utf16_is_read_whatever_the_length(name: str) -> None:
    """Read as UTF-16 because it said so, every message of even length was refused."""
    text = MSH.format(type="ADT^A08", version="2.5") + f"||||||UNICODE UTF-16\rPID|1||1||{name}\rPV1|1\r"
    assert parse_message(text.encode()).get("PID-5") == name


def test_a_repeated_character_set_is_found_whatever_the_separators() -> None:
    """Else names came out in another alphabet, and nobody was told."""
    text = MSH.format(type="ADT^A08", version="2.5") + "||||||8859/2~UNICODE UTF-8\rPID|1||1||\u0141UKASZ\r"
    for separators in ("^~", "@*", "]^", "~^"):
        own = text.translate(str.maketrans("^~", separators))
        assert parse_message(own.encode("iso8859-2")).get("PID-5") == "\u0141UKASZ"


def test_bytes_written_as_hexadecimal_are_in_the_character_set_of_the_message() -> None:
    for escaped in (r"M\XC3BC\LLER", r"M\XFC\LLER"):
        text = MSH.format(type="ADT^A08", version="2.5") + f"\rPID|1||1||{escaped}\r"
        assert parse_message(text.encode()).get("PID-5") == "M\u00fcLLER"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=200))
def test_escaped_text_comes_back_and_never_adds_a_field_or_segment(text: str) -> None:
    escaped = escape(text)
    assert not set("|^~&\r\n") & set(escaped)
    assert unescape(escaped, Encoding()) == text


def test_charges_and_documents_are_viewed() -> None:
    dft = (
        MSH.format(type="DFT^P03", version="2.5")
        + "\rPID|1||T1\rFT1|1|TX1||20260501||CG|G0463|||2|150.00||||||||E119~I10|1^SAMPLE^DOC|||||G0463|25~GT\r"
    )
    (charge,) = charges(parse_message(dft.encode())).charges
    assert (charge.transaction_type, charge.code, charge.quantity, charge.amount) == ("CG", "G0463", "2", "150.00")
    assert (charge.diagnoses, charge.modifiers, charge.performer.family) == (("E119", "I10"), ("25", "GT"), "SAMPLE")
    mdm = (
        MSH.format(type="MDM^T02", version="2.5")
        + "\rPID|1||T1\rTXA|1|PN||||||||||DOC1|||||LA\rOBX|1|TX|N||LINE A\\.br\\LINE B\rOBX|2|TX|N||LINE C\r"
    )
    view = document(parse_message(mdm.encode()))
    assert view.authenticated and view.unique_id == "DOC1" and view.text == "LINE A\nLINE B\nLINE C"


def test_an_attached_file_is_no_text_of_the_note() -> None:
    """A coder, and the suggester, would read the PDF's base64 as the note."""
    mdm = MSH.format(type="MDM^T02", version="2.5") + "\rPID|1||T1\rTXA|1|PN\rOBX|1|TX|N||LINE A\r"
    files = "OBX|2|ED|N||^application^pdf^Base64^QUJD\rOBX|3|RP|N||FILE1^PACS^application^pdf\r"
    assert document(parse_message((mdm + files).encode())).text == "LINE A"


def test_the_price_of_one_unit_is_never_taken_for_the_amount_of_the_charge() -> None:
    """Two units at 75.00 were a charge of 75.00."""
    ft1 = "FT1|1|TX1||20260501||CG|G0463|||2|{extended}|75.00\r"
    for extended in ("", "150.00&USD^UP"):
        dft = MSH.format(type="DFT^P03", version="2.5") + "\rPID|1||T1\r" + ft1.format(extended=extended)
        (charge,) = charges(parse_message(dft.encode())).charges
        assert (charge.amount, charge.unit_amount) == (extended[:6], "75.00")


def test_a_message_of_nothing_but_segments_is_refused_before_it_takes_the_memory() -> None:
    data = ADT + b"ZZZ\r" * 200_000
    tracemalloc.start()
    try:
        assert _answer(data) == ("AR", "CTRL1")
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data)
    finally:
        tracemalloc.stop()


def test_a_field_of_very_many_repetitions_is_read_in_one_pass() -> None:
    """Twenty thousand record numbers took half a minute, one message of the size that is allowed for ever."""
    many = "~".join(f"T{n}^^^HOSP&1.2&ISO^MR" for n in range(20_000))
    data = MSH.format(type="DFT^P03", version="2.5") + f"\rPID|1||{many}\rFT1|1" + "|" * 18 + many + "\r"
    before = time.process_time()
    view = charges(parse_message(data.encode()))
    assert time.process_time() - before < 3
    assert len(view.patient.identifiers) == len(view.charges[0].diagnoses) == 20_000
    assert view.patient.identifiers[-1] == Identifier("T19999", "HOSP", "MR")


def _answer(data: bytes) -> tuple[str, str]:
    ack = parse_ack(acknowledge(data, control_id="A1", now=NOW))
    return ack.code, ack.control_id


def test_answers_tell_good_wrong_and_unreadable_messages_apart() -> None:
    assert _answer(ADT) == ("AA", "CTRL1")
    assert _answer(ADT.replace(b"2.5.1", b"9.9")) == ("AR", "CTRL1")
    assert _answer(ADT.replace(b"ADT^A04", b"ZZZ^Z01")) == ("AR", "CTRL1")
    assert _answer(ADT.replace(b"|P|2.5.1", b"|X|2.5.1")) == ("AR", "CTRL1")
    assert _answer(b"MSH|^~\\&|A|B|C|D|20260601||ADT^A04|C9|P|2.5\r") == ("AE", "C9")
    assert _answer(b"nonsense") == ("AR", "")
    assert _answer(ADT.replace(b"|2.5.1", b"|2.5.1|||AL|NE")) == ("CA", "CTRL1")


def test_a_bed_status_is_about_no_patient_and_holds_up_no_feed() -> None:
    bed = MSH.format(type="ADT^A20", version="2.5.1") + "\rEVN|A20|20260601\rNPU|WARD^1^A|O\r"
    assert _answer(bed.encode()) == ("AA", "CTRL1")


@pytest.mark.parametrize(
    ("kind", "segments"),
    [
        ("DFT^P03", ["PID|1||T1", "FT1|1"]),
        ("MDM^T02", ["PID|1||T1", "TXA|1"]),
        ("SIU^S12", ["SCH|1"]),
        ("BAR^P01", ["PID|1||T1"]),
    ],
)
def test_a_message_without_what_it_is_about_is_not_acknowledged_as_taken(kind: str, segments: list[str]) -> None:
    def code(*parts: str) -> str:
        return _answer("\r".join([MSH.format(type=kind, version="2.5.1"), "EVN||20260601", *parts, ""]).encode())[0]

    assert code(*segments) == "AA"
    for missing in segments:
        assert code(*(each for each in segments if each != missing)) == "AE"


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("ORU^R01", "PID|{n}||T{n}\rOBR|1\rOBX|1|NM|G||{n}\r"),
        ("DFT^P03", "PID|{n}||T{n}\rFT1|1\r"),
        ("MDM^T02", "PID|{n}||T{n}\rTXA|1\r"),
        ("ADT^A40", "PID|{n}||T{n}\rMRG|X{n}\r"),
        ("ADT^A34", "PID|{n}||T{n}\rMRG|X{n}\r"),
    ],
)
def test_what_is_of_a_second_patient_is_refused_and_never_filed_to_the_first(kind: str, group: str) -> None:
    header = MSH.format(type=kind, version="2.5.1") + "\rEVN||20260601\r"
    one, two = (header + "".join(group.format(n=n) for n in range(1, last)) for last in (2, 3))
    assert (_answer(one.encode())[0], _answer(two.encode())[0]) == ("AA", "AE")
    repeated = header + group.format(n=1) * 2
    assert _answer(repeated.encode())[0] == "AA"


@pytest.mark.parametrize(
    ("conditions", "good", "bad"),
    [
        ("AL|NE", "CA", "CR"),
        ("AL|AL", "CA", "CR"),
        ("NE|AL", "AA", "AR"),
        ("|AL", "AA", "AR"),
        ("NE|NE", "", ""),
        ("ER|NE", "", "CR"),
        ("SU|NE", "CA", ""),
        ("ER|SU", "AA", "CR"),
        ("SU|ER", "CA", "AR"),
        ("Y|", "CA", "CR"),
        ('""|""', "AA", "AR"),
        (" | ", "AA", "AR"),
    ],
)
def test_a_sender_gets_the_answer_its_conditions_ask_for(conditions: str, good: str, bad: str) -> None:
    """CA to a sender that waits for AA is sent again for ever; what nobody waits for answers the next message."""
    asking = ADT.replace(b"|2.5.1\r", f"|2.5.1|||{conditions}\r".encode())
    for message, code in ((asking, good), (asking.replace(b"|P|", b"|X|"), bad)):
        answer = acknowledge(message, control_id="A1", now=NOW)
        assert (parse_ack(answer).code if answer else "") == code


async def test_no_answer_is_no_frame() -> None:
    async def handler(message: bytes) -> bytes:
        return b"" if message == b"unasked" else message

    server = await start_server(handler, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(frame(b"unasked") + frame(b"asked"))
        writer.write_eof()
        assert await reader.read() == frame(b"asked")
        writer.close()


@pytest.mark.parametrize("value", [r"A\.br\MSA|AA|B", r"A\X0D\MSA", r"A\F\AA\S\B", r"A\X0B1C\B", "\xe9", "^~\\&"])
@pytest.mark.parametrize("field", range(3, 13))
def test_whatever_stands_in_a_header_adds_nothing_to_the_answer(field: int, value: str) -> None:
    """A peer whose values become segments could accept its own messages in our name."""
    fields = ADT.decode().split("\r")[0].split("|")
    fields[field - 1] = f"ADT^{value}" if field == 9 else value
    answer = acknowledge("|".join(fields).encode() + b"\rPID|1\r", control_id="A1", now=NOW)
    assert [line[:4] for line in answer.split(b"\r") if line[:3] != b"ERR"] == [b"MSH|", b"MSA|", b""]
    assert parse_ack(answer).code in ("AA", "AE", "AR")


def test_blanks_that_fill_a_header_field_up_change_nothing() -> None:
    filled = MSH.format(type="ADT ^A04   ", version="2.3   ").replace("|P|", "|P  |") + "\rEVN|A04\rPID|1||T1\r"
    assert _answer(filled.encode()) == ("AA", "CTRL1")
    assert adt(parse_message(filled.encode())).action == "register"


@pytest.mark.parametrize("data", [ADT, b"nonsense"])
def test_the_time_of_an_answer_says_its_zone(data: bytes) -> None:
    """Without one a time is the sender's local time: ours was hours off for everyone who is not in UTC."""
    eastern = NOW.astimezone(timezone(timedelta(hours=-5)))
    for now, stamp in ((NOW, "20260601120000+0000"), (eastern, "20260601070000-0500")):
        assert parse_message(acknowledge(data, control_id="A1", now=now)).get("MSH-7") == stamp


def test_an_answer_swaps_the_parties_and_echoes_the_version() -> None:
    reply = parse_message(acknowledge(ADT, control_id="A1", now=NOW))
    assert [reply.get(f"MSH-{n}") for n in (3, 4, 5, 6, 10, 12)] == [
        "RECAPP",
        "RECFAC",
        "SENDAPP",
        "SENDFAC",
        "A1",
        "2.5.1",
    ]


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\x0b", b"").replace(b"\x1c", b"")), max_size=5),
    st.integers(1, 7),
)
def test_frames_survive_any_cut(messages: list[bytes], size: int) -> None:
    stream = b"".join(map(frame, messages))
    deframer = Deframer()
    found = [m for i in range(0, len(stream), size) for m in deframer.feed(stream[i : i + size])]
    assert found == messages and deframer.pending == 0


def test_an_endless_frame_is_bounded() -> None:
    deframer = Deframer(limit=1000)
    with pytest.raises(HL7Error):
        for _ in range(100):
            deframer.feed(b"x" * 100 if deframer.pending else b"\x0b")


def test_a_message_before_one_that_is_too_long_is_handed_out_however_the_stream_is_cut() -> None:
    stream = frame(b"first") + frame(b"x" * 1001) + frame(b"last")
    for size in (1, 10, 500, len(stream)):
        deframer, found = Deframer(limit=1000), []
        with pytest.raises(HL7Error):
            for at in range(0, len(stream) + size, size):
                found += deframer.feed(stream[at : at + size])
        assert found == [b"first"]
        with pytest.raises(HL7Error):
            deframer.feed(frame(b"last"))


def test_a_flood_of_starts_is_handed_out_as_it_comes_and_never_gathers() -> None:
    """One end mark after a million starts made a million messages, and the listener a million answers, at once."""
    deframer = Deframer()
    assert len(deframer.feed(b"\x0bA" * 1000)) == 999
    assert deframer.feed(b"\x0b") == [b"\x0bA"] and deframer.pending == 1
    assert deframer.feed(b"B\x1c\r") == [b"B"]


async def test_a_message_before_one_that_is_too_long_is_answered() -> None:
    async def handler(message: bytes) -> bytes:
        return acknowledge(message, control_id="A1", now=NOW)

    server = await start_server(handler, "127.0.0.1", 0, limit_bytes=1000)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(frame(ADT) + b"\x0b" + b"x" * 2000)
        (answer,) = Deframer().feed(await reader.read())
        writer.close()
    assert parse_ack(answer).accepted


async def test_a_message_that_fails_takes_no_answer_from_those_before_it() -> None:
    async def handler(message: bytes) -> bytes:
        if message == b"second":
            raise HL7Error("cannot be stored")
        return b"stored"

    server = await start_server(handler, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(frame(b"first") + frame(b"second"))
        assert Deframer().feed(await reader.read()) == [b"stored"]
        writer.close()


async def test_a_peer_that_reads_no_answer_loses_its_place() -> None:
    """Such peers held their connections for ever, until the listener took no other."""

    async def handler(message: bytes) -> bytes:
        return b"x" * (32 * 1024 * 1024) if message == b"flood" else message

    server = await start_server(handler, "127.0.0.1", 0, idle_timeout_seconds=0.1, maximum_connections=1)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(10):
        _, deaf = await asyncio.open_connection("127.0.0.1", port)
        deaf.write(frame(b"flood"))
        answer = None
        while answer is None:
            with contextlib.suppress(ConnectionError):
                async with Client("127.0.0.1", port) as client:
                    answer = await client.send(b"hello")
        assert answer == b"hello"
        deaf.close()


@contextlib.asynccontextmanager
async def _peer(answers: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    """A listener that writes any bytes for a message, or from the first None on neither reads nor writes."""
    done = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deframer = Deframer()
        while data := await reader.read(65536):
            for message in deframer.feed(data):
                answer = answers(message)
                if answer is None:
                    await done.wait()
                    return
                writer.write(answer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        done.set()


async def test_after_a_missing_answer_no_later_one_is_taken_for_that_to_the_next_message() -> None:
    async with _peer(lambda _: None) as port, Client("127.0.0.1", port, answer_timeout_seconds=0.05) as client:
        with pytest.raises(TimeoutError):
            await client.send(ADT)
        with pytest.raises(ConnectionError):
            await client.send(ADT.replace(b"CTRL1", b"CTRL2"))


async def test_a_second_answer_to_one_message_is_not_taken_for_that_to_the_next() -> None:
    def twice(message: bytes) -> bytes:
        commit, refusal = message.replace(b"|2.5.1", b"|2.5.1|||AL|AL"), message.replace(b"|P|", b"|X|")
        return b"".join(frame(acknowledge(each, control_id="A1", now=NOW)) for each in (commit, refusal))

    async with _peer(twice) as port, Client("127.0.0.1", port) as client:
        messages = [ADT.replace(b"CTRL1", f"C{n}".encode()) for n in range(20)]
        for window in (1, 4):
            answers = [parse_ack(answer) for answer in await client.send_all(messages, window=window)]
            assert [(a.code, a.control_id) for a in answers] == [("CA", f"C{n}") for n in range(20)]


async def test_a_peer_that_reads_nothing_is_given_up_like_one_that_answers_nothing() -> None:
    async with _peer(lambda _: None) as port, Client("127.0.0.1", port, answer_timeout_seconds=0.1) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await client.send_all([ADT, b"x" * (64 * 1024 * 1024)], window=2)
        with pytest.raises(ConnectionError):
            await client.send(ADT)


async def test_a_message_that_cannot_be_framed_leaves_the_connection_to_the_next() -> None:
    answer = frame(acknowledge(ADT, control_id="A1", now=NOW))
    async with _peer(lambda _: answer) as port, Client("127.0.0.1", port) as client:
        with pytest.raises(HL7Error):
            await client.send(b"\x0b")
        assert parse_ack(await client.send(ADT)).accepted


async def test_the_listener_answers_pipelined_messages_in_order_and_survives_bad_peers() -> None:
    async def handler(message: bytes) -> bytes:
        return acknowledge(message, control_id="A1", now=NOW)

    server = await start_server(handler, "127.0.0.1", 0, limit_bytes=10_000)
    port = server.sockets[0].getsockname()[1]
    async with server:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0b" + b"x" * 50_000)  # no end in sight
        await writer.drain()
        _, cut = await asyncio.open_connection("127.0.0.1", port)
        cut.write(b"\x0bMSH|^~\\&|truncated")
        cut.close()
        async with Client("127.0.0.1", port) as client:
            messages = [ADT.replace(b"CTRL1", f"C{n}".encode()) for n in range(50)]
            answers = await client.send_all([*messages, b"nonsense"], window=16)
        assert [parse_ack(a).control_id for a in answers] == [f"C{n}" for n in range(50)] + [""]
        assert parse_ack(answers[-1]).code == "AR"
        writer.close()


def test_a_message_broken_off_by_the_next_one_is_refused_under_its_own_id_and_the_next_one_taken() -> None:
    cut = ADT.replace(b"CTRL1", b"CUT")[:-40]
    first, second = Deframer().feed(b"\x0b" + cut + frame(ADT))
    assert (_answer(first), _answer(second)) == (("AR", "CUT"), ("AA", "CTRL1"))
    assert _answer(ADT + ADT) == ("AR", "CTRL1")


async def test_refusals_over_the_wire_leave_the_listener_alive() -> None:
    async def handler(message: bytes) -> bytes:
        return acknowledge(message, control_id="A1", now=NOW)

    server = await start_server(handler, "127.0.0.1", 0)
    async with server, Client("127.0.0.1", server.sockets[0].getsockname()[1]) as client:
        wrong = [ADT.replace(b"2.5.1", b"9.9"), ADT.replace(b"ADT^A04", b"ZZZ^Z01"), ADT[:30], ADT]
        answers = [parse_ack(answer) for answer in await client.send_all(wrong, window=2)]
    assert [answer.code for answer in answers] == ["AR", "AR", "AR", "AA"]


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert _answer(data)[0] in ("AA", "AE", "AR", "CA", "CE", "CR")
    assert _answer(b"MSH|^~\\&|" + data)[0] in ("AA", "AE", "AR", "CA", "CE", "CR")


def _samples() -> Path:
    return Path(os.environ.get("REVCYCLE_SHARED_DATA", Path(__file__).parents[4] / "shared/data")) / "hl7v2"


def test_every_sample_message_is_read_and_accepted() -> None:
    folder = _samples()
    if not folder.is_dir():
        pytest.skip(f"no sample messages: {folder} is absent")
    files = sorted(folder.glob("*.hl7"))
    answers = {path.name: acknowledge(path.read_bytes(), control_id="A1", now=NOW) for path in files}
    refused = [name for name, answer in answers.items() if answer and not parse_ack(answer).accepted]
    assert files and refused == []
