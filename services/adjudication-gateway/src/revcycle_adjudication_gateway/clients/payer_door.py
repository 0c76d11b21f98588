"""The payer's door: interchanges in, a mailbox of answers out, over HTTPS."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import orjson
from revcycle_service_kit import TracedTransport
from revcycle_service_kit.transport_security import TransportSecurityError, client_context

from revcycle_adjudication_gateway.domain.delivery import DoorAnswer
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome

X12: Final = "application/edi-x12"
MAILBOX_LIMIT: Final = 100
_MAX_CONNECTIONS: Final = 64
# The door read the bytes and will not have them: they are wrong, not the way to the door.
_REFUSALS: Final = frozenset({400, 413, 415, 422})
# The door says it recorded nothing and never will of this attempt: the way is wrong, closed, or too busy.
_NOTHING_TAKEN: Final = frozenset({401, 403, 404, 405, 406, 407, 409, 410, 411, 421, 425, 426, 429, 431})


class DoorClosed(Exception):
    """The mailbox could not be read; the text names the kind of failure only."""


@dataclass(frozen=True, slots=True)
class MailboxItem:
    """One waiting answer: the payer's id of it and its bytes."""

    id: str
    raw: bytes


class PayerDoor:
    """Speaks to the doors of all payers; certificates are checked against ``ca_file``.

    ``certificate_file``, ``key_file``: what payers that ask for a certificate are shown. ``tls_only``: a route without
    ``https://`` is not used.
    """

    def __init__(
        self,
        ca_file: Path | None,
        *,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
        tls_only: bool = False,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._ca_file = ca_file
        self._own_files = (certificate_file, key_file)
        self._tls_only = tls_only
        self._timeout = httpx.Timeout(read_timeout_seconds, connect=connect_timeout_seconds)
        self._transport = transport
        self._opened: dict[bool, httpx.AsyncClient] = {}

    async def close(self) -> None:
        """Close the connections."""
        for client in self._opened.values():
            await client.aclose()

    def _client(self, *, fresh: bool) -> httpx.AsyncClient:
        """A client, made at first use: the file of the authority may come after this process.

        ``fresh``: a new connection for each request. A kept one that the payer just closed would make it unknown
        whether the bytes left.

        Raises:
            DoorClosed: the file of the authority, of our certificate or of its key is missing or unusable.
        """
        if fresh not in self._opened:
            try:
                verify = client_context("REVCYCLE_PAYER", self._ca_file, *self._own_files, ca_name="REVCYCLE_CA_FILE")
            except TransportSecurityError as error:
                raise DoorClosed(str(error)) from None
            limits = httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=0 if fresh else None)
            self._opened[fresh] = httpx.AsyncClient(
                timeout=self._timeout,
                transport=TracedTransport(
                    self._transport or httpx.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)
                ),
                trust_env=False,
            )
        return self._opened[fresh]

    def _path(self, route: Route, resource: str) -> str:
        """The address of a resource of a route. Raises DoorClosed when it is a plain one and may not be."""
        if self._tls_only and not route.base_url.startswith("https://"):
            raise DoorClosed("the route's base_url must begin with https:// (REVCYCLE_REQUIRE_TLS)")
        return f"{route.base_url.rstrip('/')}/routes/{quote(route.payer_id, safe='')}/{resource}"

    async def deliver(self, route: Route, raw: bytes) -> DoorAnswer:
        """Post one interchange and say honestly what is known of it afterwards."""
        try:
            response = await self._client(fresh=True).post(
                self._path(route, "interchanges"), content=raw, headers={"content-type": X12}
            )
        except DoorClosed as error:
            return DoorAnswer(Outcome.NOT_SENT, None, str(error))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            # No connection, so not one byte of the body has left.
            return DoorAnswer(Outcome.NOT_SENT, None, type(error).__name__)
        except httpx.HTTPError as error:
            return DoorAnswer(Outcome.UNKNOWN, None, type(error).__name__)
        return DoorAnswer(_outcome(response.status_code), response.status_code, f"http-{response.status_code}")

    async def fetch(self, route: Route, limit: int = MAILBOX_LIMIT) -> list[MailboxItem]:
        """The oldest answers that are not acknowledged yet. Raises DoorClosed."""
        try:
            response = await self._client(fresh=False).get(self._path(route, "mailbox"), params={"limit": limit})
            response.raise_for_status()
            items = orjson.loads(response.content)["items"]
            return [MailboxItem(item["id"], base64.b64decode(item["bytes_base64"], validate=True)) for item in items]
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            raise DoorClosed(type(error).__name__) from None

    async def acknowledge(self, route: Route, ids: Sequence[str]) -> None:
        """Tell the payer that these answers are kept here. Raises DoorClosed; saying it again does no harm."""
        try:
            response = await self._client(fresh=False).post(
                self._path(route, "mailbox:acknowledge"), json={"ids": list(ids)}
            )
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise DoorClosed(type(error).__name__) from None


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.TAKEN
    if status in _REFUSALS:
        return Outcome.REFUSED
    return Outcome.NOT_SENT if status in _NOTHING_TAKEN else Outcome.UNKNOWN
