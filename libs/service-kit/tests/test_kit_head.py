"""The head of a request has a limit, whole or without an end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kit_sample_service.parts import build
from revcycle_service_kit.middleware import HEADER_LIMIT
from revcycle_service_kit.runtime import ApiServer
from revcycle_service_kit.testing import eventually, running_service

pytestmark = pytest.mark.component


async def answer_to(port: int, *parts: bytes) -> bytes:
    """What the server says to these bytes, and nothing once it has hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read(200)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_headers_have_a_limit_and_a_head_without_an_end_too(postgresql: Any, tmp_path: Path) -> None:
    """431 says so; a head that only grows is cut off instead of filling the memory; the next request is served."""
    async with running_service(build(), postgresql, tmp_path, run=("api",)) as service:
        api = service.runtime._components["api"]
        assert isinstance(api, ApiServer)
        await eventually(lambda: api.started)
        port = api._server.servers[0].sockets[0].getsockname()[1]
        begin = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        wide = b"x-wide: " + b"a" * (HEADER_LIMIT - 200) + b"\r\n"
        assert (await answer_to(port, begin + wide + b"\r\n")).startswith(b"HTTP/1.1 200")
        assert (await answer_to(port, begin + wide + b"x-more: " + b"a" * 300 + b"\r\n\r\n")).startswith(
            b"HTTP/1.1 431"
        )
        endless = [b"x-endless: ", *[b"a" * 16_384] * 8]
        cut = await answer_to(port, begin, *endless)
        assert cut == b"" or cut.startswith(b"HTTP/1.1 400")
        assert (await answer_to(port, begin + b"\r\n")).startswith(b"HTTP/1.1 200")
