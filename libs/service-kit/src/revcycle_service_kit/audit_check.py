"""Whether the audit is whole: reads chains from their first row to their sealed heads and names what is broken."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final, Literal
from uuid import UUID

from revcycle_messaging import KeyRing, MissingKey

from revcycle_service_kit.audit import CHAINS, KEY_LABEL, START, Place, access_of, head_seal, record_mac

Damage = Literal["changed", "dropped", "reordered", "head", "key"]
Anchors = Mapping[str, tuple[int, str]]
"""Place of a chain to how far it reached when it was last seen whole, kept outside the database."""
_CHUNK: Final = 1000
_HEADS: Final = "SELECT * FROM kit.audit_head WHERE tenant_id = $1"
_ANY: Final = "SELECT EXISTS (SELECT FROM kit.audit_record WHERE tenant_id = $1)"
_NEXT: Final = """
    SELECT * FROM kit.audit_record WHERE tenant_id = $1 AND chain = $2 AND sequence > $3 ORDER BY sequence LIMIT $4
"""
_MACS: Final = "SELECT sequence, mac FROM kit.audit_record WHERE tenant_id = $1 AND chain = $2 ORDER BY sequence"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place of a chain that does not hold."""

    place: Place
    sequence: int
    damage: Damage
    said: str


@dataclass(frozen=True, slots=True)
class ChainState:
    """What is known of a chain: how many rows hold, and where it breaks, if it does."""

    place: Place
    rows: int
    mac: bytes
    broken: Broken | None = None


def anchor_name(place: Place) -> str:
    """The place as a key of :data:`Anchors`."""
    return f"{place.service}/{place.tenant_id}/{place.chain}"


async def check_tenant(
    connection: Any, keys: KeyRing, service: str, tenant_id: UUID, anchors: Anchors
) -> AsyncIterator[ChainState]:
    """The state of each of a tenant's chains; nothing when the tenant has never been accessed here.

    ``connection`` may read the tenant's rows and is in a transaction whose snapshot does not move (repeatable read).
    """
    heads = {row["chain"]: row for row in await connection.fetch(_HEADS, tenant_id)}
    rows = await connection.fetchval(_ANY, tenant_id)
    known = any(name.startswith(f"{service}/{tenant_id}/") for name in anchors)
    if not heads and not rows and not known:
        return
    for chain in range(CHAINS):
        yield await _check_chain(connection, keys, Place(service, tenant_id, chain), heads.get(chain), anchors)


async def _check_chain(connection: Any, keys: KeyRing, place: Place, head: Any, anchors: Anchors) -> ChainState:
    state = ChainState(place, 0, START)
    anchor = anchors.get(anchor_name(place))
    async for row in _rows(connection, place):
        broken = await _judge(connection, keys, state, row)
        if broken is None and anchor and row["sequence"] == anchor[0] and bytes(row["mac"]).hex() != anchor[1]:
            broken = Broken(place, anchor[0], "changed", "is another row than the one that was seen here before")
        if broken is not None:
            return ChainState(place, state.rows, state.mac, broken)
        state = ChainState(place, state.rows + 1, bytes(row["mac"]))
    return ChainState(place, state.rows, state.mac, _judge_end(keys, state, head, anchor))


async def _rows(connection: Any, place: Place) -> AsyncIterator[Any]:
    last = 0
    while True:
        rows = await connection.fetch(_NEXT, place.tenant_id, place.chain, last, _CHUNK)
        for row in rows:
            yield row
        if len(rows) < _CHUNK:
            return
        last = rows[-1]["sequence"]


async def _judge(connection: Any, keys: KeyRing, state: ChainState, row: Any) -> Broken | None:
    """What is wrong with the row behind ``state``."""
    place, expected = state.place, state.rows + 1
    if row["sequence"] != expected:
        return Broken(place, expected, "dropped", f"is gone; the next row is {row['sequence']}")
    try:
        _, key = keys.mac_key(place.tenant_id, KEY_LABEL, row["key_id"])
    except MissingKey as missing:
        return Broken(place, expected, "key", f"cannot be checked: {missing}")
    access, mac = access_of(row), bytes(row["mac"])
    if compare_digest(record_mac(key, place, expected, access, state.mac), mac):
        return None
    for other in await connection.fetch(_MACS, place.tenant_id, place.chain):
        for sequence in (other["sequence"], other["sequence"] + 1):
            if compare_digest(record_mac(key, place, sequence, access, bytes(other["mac"])), mac):
                return Broken(place, expected, "reordered", f"holds the row that was written as {sequence}")
    return Broken(place, expected, "changed", "is not what was written")


def _judge_end(keys: KeyRing, state: ChainState, head: Any, anchor: Sequence[Any] | None) -> Broken | None:
    """What is wrong with the end of a chain whose rows all hold."""
    place, after = state.place, state.rows + 1
    if anchor and anchor[0] > state.rows:
        return Broken(place, after, "dropped", f"is gone; the chain once reached {anchor[0]}")
    if head is None:
        return Broken(place, after, "head", "the head of the chain is gone")
    try:
        _, key = keys.mac_key(place.tenant_id, KEY_LABEL, head["key_id"])
    except MissingKey as missing:
        return Broken(place, after, "key", f"the head cannot be checked: {missing}")
    if not compare_digest(head_seal(key, place, head["sequence"], bytes(head["mac"])), bytes(head["seal"])):
        return Broken(place, after, "head", "the head of the chain is not what was written")
    if head["sequence"] != state.rows:
        return Broken(place, after, "dropped", f"is gone; the chain reaches {head['sequence']}")
    if bytes(head["mac"]) != state.mac:
        return Broken(place, state.rows, "changed", "is not the row the head names")
    return None
