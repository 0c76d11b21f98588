"""The client says honestly what is known after a delivery: taken, refused, nothing sent, or unknown."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from revcycle_adjudication_gateway.clients.payer_door import DoorClosed, PayerDoor
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome

ROUTE = Route("REVPAY1", "https://payer.test", "REVCYCLE01", "REVPAY1", "T", True, 100, 1.0)


def door(answer: httpx.Response | Exception) -> PayerDoor:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return PayerDoor(None, connect_timeout_seconds=1, read_timeout_seconds=1, transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (202, Outcome.TAKEN),
        (400, Outcome.REFUSED),
        (413, Outcome.REFUSED),
        (404, Outcome.NOT_SENT),
        (409, Outcome.NOT_SENT),
        (429, Outcome.NOT_SENT),
        (408, Outcome.UNKNOWN),
        (500, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
        (302, Outcome.UNKNOWN),
    ],
)
async def test_status_codes_say_what_is_known(status: int, expected: Outcome) -> None:
    answer = await door(httpx.Response(status)).deliver(ROUTE, b"ISA")
    assert (answer.outcome, answer.http_status) == (expected, status)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("refused"), Outcome.NOT_SENT),
        (httpx.ConnectTimeout("late"), Outcome.NOT_SENT),
        (httpx.ReadTimeout("silent"), Outcome.UNKNOWN),
        (httpx.WriteError("torn"), Outcome.UNKNOWN),
        (httpx.RemoteProtocolError("hung up"), Outcome.UNKNOWN),
    ],
)
async def test_only_a_connection_that_never_stood_is_definitely_not_sent(error: Exception, expected: Outcome) -> None:
    assert (await door(error).deliver(ROUTE, b"ISA")).outcome is expected


@pytest.mark.parametrize("body", [b"{}", b"not json", b'{"items":[{"id":"1","bytes_base64":"%%"}]}'])
async def test_a_mailbox_that_cannot_be_read_is_closed_not_empty(body: bytes) -> None:
    with pytest.raises(DoorClosed):
        await door(httpx.Response(200, content=body)).fetch(ROUTE)


async def test_where_tls_is_required_a_plain_route_is_not_used() -> None:
    """Nothing leaves, and nothing is fetched: the reason says what would be right."""
    plain = replace(ROUTE, base_url="http://payer.test")
    strict = PayerDoor(None, tls_only=True, connect_timeout_seconds=1, read_timeout_seconds=1)
    answer = await strict.deliver(plain, b"ISA")
    assert answer.outcome is Outcome.NOT_SENT
    with pytest.raises(DoorClosed, match="must begin with https://"):
        await strict.fetch(plain)


async def test_a_file_that_cannot_be_used_closes_the_door(tmp_path: Path) -> None:
    """Not a failure of the payer: nothing is sent, and the setting is named."""
    missing = PayerDoor(tmp_path / "ca.crt", connect_timeout_seconds=1, read_timeout_seconds=1)
    answer = await missing.deliver(ROUTE, b"ISA")
    assert answer.outcome is Outcome.NOT_SENT
    with pytest.raises(DoorClosed, match="REVCYCLE_CA_FILE"):
        await missing.fetch(ROUTE)
