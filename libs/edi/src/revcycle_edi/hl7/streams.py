"""MLLP over asyncio streams: the one module of this library that does I/O.

Server: every connection is read in pieces, complete messages are handed to a handler in order and answered in order;
a peer may send the next message before the answer (pipelined). A broken frame or a silent peer ends its connection,
never the listener. Client: sends messages and returns their answers, several in flight when asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from revcycle_edi.hl7.ack import parse_ack
from revcycle_edi.hl7.errors import HL7Error
from revcycle_edi.hl7.message import parse_message
from revcycle_edi.hl7.mllp import Deframer, frame

Handler = Callable[[bytes], Awaitable[bytes]]
"""Takes a message, makes it durable, returns the acknowledgment to send; empty when the sender wants none."""

_READ_BYTES = 64 * 1024


async def serve_connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handler: Handler,
    *,
    limit_bytes: int = 16 * 1024 * 1024,
    idle_timeout_seconds: float = 300.0,
) -> None:
    """Answer the messages of one connection until the peer leaves, falls silent or breaks the framing."""
    deframer = Deframer(limit_bytes)
    try:
        while True:
            async with asyncio.timeout(idle_timeout_seconds):
                data = await reader.read(_READ_BYTES)
            if not data:
                return
            # Once more with nothing: a frame that is too long is met after the messages before it are answered.
            while messages := deframer.feed(data):
                await _answer(messages, handler, writer)
                async with asyncio.timeout(idle_timeout_seconds):
                    await writer.drain()
                data = b""
    except (HL7Error, ConnectionError):
        return
    except TimeoutError:
        # Closing alone would wait for a peer that does not read.
        writer.transport.abort()
    finally:
        writer.close()


async def _answer(messages: Sequence[bytes], handler: Handler, writer: asyncio.StreamWriter) -> None:
    """Answer messages in order; what was made durable is answered even when a later one fails."""
    answers = bytearray()
    try:
        for message in messages:
            answer = await handler(message)
            answers += frame(answer) if answer else b""
    finally:
        writer.write(bytes(answers))


async def start_server(
    handler: Handler,
    host: str,
    port: int,
    *,
    limit_bytes: int = 16 * 1024 * 1024,
    idle_timeout_seconds: float = 300.0,
    maximum_connections: int = 256,
) -> asyncio.Server:
    """Listen for MLLP connections; further ones beyond the maximum are closed at once."""
    open_connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        if open_connections >= maximum_connections:
            writer.close()
            return
        open_connections += 1
        try:
            await serve_connection(
                reader, writer, handler, limit_bytes=limit_bytes, idle_timeout_seconds=idle_timeout_seconds
            )
        finally:
            open_connections -= 1

    return await asyncio.start_server(connected, host, port)


def _answers(answer: bytes, message: bytes) -> bool:
    """Whether an answer is to this message: it names its control id (MSA-2), or none that can be read."""
    header = message.split(b"\r", 1)[0].split(message[3:4], 10)
    accept = answer.partition(b"\rMSA")[2].split(b"\r", 1)[0].split(answer[3:4], 3)
    if header[9:10] and header[9:10] == accept[2:3]:
        return True
    try:
        named = parse_ack(answer).control_id
        return named in ("", parse_message(message).control_id)
    except HL7Error:
        return True


class Client:
    """One MLLP connection. Use as an async context manager.

    An answer that names another message is passed over: it is a second one (CA, later AA) to a message before.
    """

    def __init__(self, host: str, port: int, *, answer_timeout_seconds: float = 30.0) -> None:
        self._host = host
        self._port = port
        self._timeout_seconds = answer_timeout_seconds
        self._deframer = Deframer()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()

    async def send(self, message: bytes) -> bytes:
        """Send one message and wait for its answer. TimeoutError and ConnectionError leave its fate unknown.

        Either ends the connection: an answer that comes late would be taken for that to the next message.
        """
        return (await self.send_all([message]))[0]

    async def send_all(self, messages: Sequence[bytes], *, window: int = 1) -> list[bytes]:
        """Send messages in order with at most window unanswered ones, and return the answers in order."""
        if self._reader is None or self._writer is None:
            raise ConnectionError("not connected: use `async with Client(...)`")
        frames = list(map(frame, messages))
        try:
            return await self._exchange(self._reader, self._writer, messages, frames, window)
        except BaseException:
            self._reader = None
            self._writer.transport.abort()
            raise

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        messages: Sequence[bytes],
        frames: Sequence[bytes],
        window: int,
    ) -> list[bytes]:
        answers: list[bytes] = []
        sent = 0
        while len(answers) < len(messages):
            async with asyncio.timeout(self._timeout_seconds):
                batch = frames[sent : len(answers) + window]
                if batch:
                    writer.write(b"".join(batch))
                    await writer.drain()
                    sent += len(batch)
                data = await reader.read(_READ_BYTES)
            if not data:
                raise ConnectionError("the peer closed the connection before answering")
            for answer in self._deframer.feed(data):
                if len(answers) < sent and _answers(answer, messages[len(answers)]):
                    answers.append(answer)
        return answers
