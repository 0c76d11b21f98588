"""The audit: who saw or changed which patients' data, in rows that are only ever added and chained by keyed hashes.

Every row carries an HMAC over itself and the row before it, every chain a sealed head. The key is derived from the
tenant's envelope key, which no database holds: who can write to the tables can still not make rows that hold. A tenant
has several chains per database, so that its writes do not wait for each other. Rows hold ids, never patients' data.
See docs/adr/0010.
"""

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from revcycle_messaging import KeyRing
from revcycle_messaging.interventions import Runner

CHAINS: Final = 8
READ_CHAIN: Final = 0
"""Accesses that change nothing stand here, written in chunks; the other chains are for commands."""
IDS_PER_ROW: Final = 1000
KEY_LABEL: Final = "audit"
START: Final = bytes(32)
"""What stands for the row before the first."""
UUID_TEXT: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUBJECTS: Final = re.compile(f'"(?:patient|encounter|claim)_id": ?"({UUID_TEXT.pattern})"'.encode())
_LOCK_HEAD: Final = "SELECT sequence, mac FROM kit.audit_head WHERE chain = $1 FOR UPDATE"
_BEGIN: Final = """
    INSERT INTO kit.audit_head (chain, sequence, mac, key_id, seal)
    SELECT chain, 0, mac, key_id, seal FROM jsonb_to_recordset($1::jsonb)
        AS head (chain bigint, mac bytea, key_id text, seal bytea)
    ON CONFLICT DO NOTHING
"""
_APPEND: Final = """
    WITH added AS (
        INSERT INTO kit.audit_record
            (chain, sequence, at, subject, roles, operation, data, about, status, request_id, key_id, mac)
        SELECT $1, sequence, at, subject, roles, operation, data, about, status, request_id, $3, mac
        FROM jsonb_to_recordset($2::jsonb) AS record (sequence bigint, at timestamptz, subject text, roles text[],
            operation text, data text, about uuid[], status bigint, request_id text, mac bytea)
    )
    UPDATE kit.audit_head SET sequence = $4, mac = $5, key_id = $3, seal = $6 WHERE chain = $1
"""


@dataclass(frozen=True, slots=True)
class Access:
    """One access: who, with which roles, did what to which kind of record, about whom, with what outcome.

    Attributes:
        about: ids of patients, encounters, claims and other records; see :func:`ids_in`.
        status: of the answer.
    """

    at: datetime
    subject: str
    roles: tuple[str, ...]
    operation: str
    data: str
    about: tuple[UUID, ...]
    status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: its database, tenant and chain."""

    service: str
    tenant_id: UUID
    chain: int


def ids_in(body: bytes) -> tuple[UUID, ...]:
    """Whom an answer is about: every patient, encounter and claim it names, once each, in order."""
    return tuple(dict.fromkeys(UUID(found.decode()) for found in _SUBJECTS.findall(body)))


def in_rows(access: Access) -> Iterator[Access]:
    """The access as one row, or as several when it is about very many."""
    for first in range(0, max(1, len(access.about)), IDS_PER_ROW):
        yield replace(access, about=access.about[first : first + IDS_PER_ROW])


def record_mac(key: bytes, place: Place, sequence: int, access: Access, former: bytes) -> bytes:
    """The keyed hash of a row and of everything before it."""
    content = [
        *(place.service, str(place.tenant_id), place.chain, sequence),
        *(access.at.astimezone(UTC).isoformat(), access.subject, list(access.roles), access.operation, access.data),
        *([str(each) for each in access.about], access.status, access.request_id, former.hex()),
    ]
    return hmac.digest(key, b"record" + orjson.dumps(content), "sha256")


def head_seal(key: bytes, place: Place, sequence: int, mac: bytes) -> bytes:
    """The keyed hash that says how far a chain reaches."""
    content = [place.service, str(place.tenant_id), place.chain, sequence, mac.hex()]
    return hmac.digest(key, b"head" + orjson.dumps(content), "sha256")


async def append(runner: Runner, keys: KeyRing, place: Place, accesses: Sequence[Access]) -> None:
    """Add rows in the transaction of ``runner``, whose tenant is set.

    Holds the chain until the transaction ends: let it be the last thing done there.

    Raises:
        MissingKey: the tenant has no envelope key here.
    """
    key_id, key = keys.mac_key(place.tenant_id, KEY_LABEL)
    head = await runner.fetch(_LOCK_HEAD, place.chain)
    if not head:
        await runner.execute(_BEGIN, [_first_head(key_id, key, replace(place, chain=each)) for each in range(CHAINS)])
        head = await runner.fetch(_LOCK_HEAD, place.chain)
    sequence, mac = head[0]["sequence"], bytes(head[0]["mac"])
    rows = []
    for access in accesses:
        for row in in_rows(access):
            sequence += 1
            mac = record_mac(key, place, sequence, row, mac)
            rows.append(_as_json(row) | {"sequence": sequence, "mac": f"\\x{mac.hex()}"})
    await runner.execute(_APPEND, place.chain, rows, key_id, sequence, mac, head_seal(key, place, sequence, mac))


def _first_head(key_id: str, key: bytes, place: Place) -> Mapping[str, Any]:
    seal = head_seal(key, place, 0, START)
    return {"chain": place.chain, "key_id": key_id, "mac": f"\\x{START.hex()}", "seal": f"\\x{seal.hex()}"}


def _as_json(access: Access) -> dict[str, Any]:
    return {
        "at": access.at.isoformat(),
        "subject": access.subject,
        "roles": list(access.roles),
        "operation": access.operation,
        "data": access.data,
        "about": [str(each) for each in access.about],
        "status": access.status,
        "request_id": access.request_id,
    }


def access_of(row: Mapping[str, Any]) -> Access:
    """A row as it was written."""
    return Access(
        at=row["at"],
        subject=row["subject"],
        roles=tuple(row["roles"]),
        operation=row["operation"],
        data=row["data"],
        about=tuple(UUID(str(each)) for each in row["about"]),
        status=row["status"],
        request_id=row["request_id"],
    )
