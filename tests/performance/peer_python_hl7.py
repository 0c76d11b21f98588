"""Runs in the environment of python-hl7: the other side of bench_hl7, kept running so that rounds can alternate.

Standard input: one JSON line with the messages as text, then one command a line, `parse` or `mllp`. Standard output:
after each command the pieces done and the seconds taken, wall and processor, as JSON.
"""

import asyncio
import json
import sys
import time

import hl7
from hl7.mllp import open_hl7_connection, start_hl7_server


async def _answer(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
    """What the library's own documentation shows as a server."""
    try:
        while not reader.at_eof():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _exchange(messages: list[str]) -> None:
    """Every message sent and its answer read."""
    async with await start_hl7_server(_answer, "127.0.0.1", 0, encoding="utf-8") as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8")
        for message in messages:
            writer.writemessage(message)
            await writer.drain()
            answer = await reader.readmessage()
            if str(answer.segment("MSA")[1]) != "AA":
                raise RuntimeError("a message was not acknowledged")
        writer.close()
        await writer.wait_closed()


def main() -> None:
    """Serve commands until the input ends."""
    messages: list[str] = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        started, busy = time.perf_counter(), time.process_time()
        if line.strip() == "parse":
            for message in messages:
                hl7.parse(message)
        else:
            asyncio.run(_exchange(messages))
        taken = [len(messages), time.perf_counter() - started, time.process_time() - busy]
        sys.stdout.write(json.dumps(taken) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
