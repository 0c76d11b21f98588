"""Idempotency-Key: the effect of a command and the memory of its answer are one transaction.

Scope: tenant, client, method, path. While the first request runs, others with its key are answered 409; afterwards
they get its stored bytes. The same key with another body is a mistake of the client: 422.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from revcycle_messaging import UnitOfWork
from starlette.requests import Request

from revcycle_service_kit.problems import BadRequest, Conflict, Unprocessable

KEPT: Final = timedelta(days=7)
MAX_KEY_LENGTH: Final = 255
_PURGE_ROWS: Final = 200
# One command in this many also removes what has expired, so no other process is needed for it.
_PURGE_EVERY: Final = 32


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer as it went out."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """One request under a key: whose, which, and the hash of what it asks."""

    client: str
    method: str
    path: str
    key: str
    digest: bytes

    @property
    def lock(self) -> int:
        """A 63-bit number that stands for scope and key."""
        text = f"{self.client}\n{self.method}\n{self.path}\n{self.key}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def read_key(request: Request, *, required: bool) -> str | None:
    """The Idempotency-Key of a request, with or without the quotes of the draft standard. Raises BadRequest."""
    sent = request.headers.get("idempotency-key")
    if sent is None:
        if required:
            raise BadRequest("send an Idempotency-Key header with this command", code="idempotency_key_required")
        return None
    key = sent[1:-1] if len(sent) > 1 and sent[0] == sent[-1] == '"' else sent
    if not 0 < len(key) <= MAX_KEY_LENGTH or not all("!" <= mark <= "~" for mark in key):
        raise BadRequest("an Idempotency-Key has 1 to 255 visible ASCII characters", code="idempotency_key_invalid")
    return key


def keyed_request(request: Request, client: str, key: str, body: bytes) -> KeyedRequest:
    """The request as it is remembered: its hash covers the query, the media type and the body."""
    digest = hashlib.sha256()
    for part in (request.url.query.encode(), request.headers.get("content-type", "").encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return KeyedRequest(client, request.method, request.url.path, key, digest.digest())


async def recall(uow: UnitOfWork, request: KeyedRequest, now: datetime) -> StoredResponse | None:
    """The stored answer of an earlier request, or None with the key locked for this transaction.

    Raises:
        Conflict: the first request with this key still runs.
        Unprocessable: the key stands for another request.
    """
    if not await uow.fetch_value(
        "SELECT pg_try_advisory_xact_lock(hashtext($1), $2)", str(uow.tenant_id), _half(request)
    ):
        raise Conflict(
            "a request with this Idempotency-Key is still running; repeat it in a moment",
            code="idempotency_key_in_use",
            headers={"retry-after": "1"},
        )
    # A statement of its own: its snapshot must be younger than the lock.
    row = await uow.fetch_row(
        """
        SELECT request_digest, status, headers, body FROM kit.idempotency
        WHERE client = $1 AND method = $2 AND path = $3 AND key = $4 AND expires_at > $5
        """,
        request.client,
        request.method,
        request.path,
        request.key,
        now,
    )
    if row is None:
        return None
    if bytes(row["request_digest"]) != request.digest:
        raise Unprocessable(
            "this Idempotency-Key was used for another request; use a new key", code="idempotency_key_reused"
        )
    return StoredResponse(row["status"], row["headers"], bytes(row["body"]))


async def remember(uow: UnitOfWork, request: KeyedRequest, response: StoredResponse, now: datetime) -> None:
    """Store the answer in the transaction of its effect; now and then remove what has expired."""
    if request.lock % _PURGE_EVERY == 0:
        await _purge(uow, now)
    await uow.execute(
        """
        INSERT INTO kit.idempotency
            (client, method, path, key, request_digest, status, headers, body, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id, client, method, path, key) DO UPDATE SET
            request_digest = excluded.request_digest, status = excluded.status, headers = excluded.headers,
            body = excluded.body, expires_at = excluded.expires_at
        """,
        request.client,
        request.method,
        request.path,
        request.key,
        request.digest,
        response.status,
        dict(response.headers),
        response.body,
        now + KEPT,
    )


async def _purge(uow: UnitOfWork, now: datetime) -> None:
    await uow.execute(
        """
        DELETE FROM kit.idempotency WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM kit.idempotency WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
        """,
        now,
        _PURGE_ROWS,
    )


def _half(request: KeyedRequest) -> int:
    """32 bits of the lock, signed, as the two-key form of PostgreSQL's advisory locks takes them."""
    return (request.lock & 0xFFFFFFFF) - (1 << 31)
