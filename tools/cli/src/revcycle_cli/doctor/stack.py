"""The stack of a state folder: broker, topics, databases, migrations, clock, keys."""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import yaml
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.connections import Connections
from revcycle_devstack.discovery import MINIMUM_POSTGRESQL
from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.topics import check_partitions, load_topics
from revcycle_messaging.envelope import headers_from_text
from revcycle_messaging.errors import BadSeal, MissingKey
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.sealing import check_seal
from revcycle_service_kit.migrations import MigrationError, head_of, revisions_of

from revcycle_cli.doctor import Finding, fail, ok, warn
from revcycle_cli.stack import client_security, partition_counts

CLOCK_SECONDS: Final = 2.0
_START: Final = "start everything: revcycle up. If it runs, its log is .revcycle/logs/{server}.log"
_SAMPLE: Final = """
    (SELECT topic, key, headers, payload FROM messaging.outbox ORDER BY seq DESC LIMIT 1)
    UNION ALL (SELECT topic, key, headers, payload FROM messaging.archive ORDER BY day DESC, seq DESC LIMIT 1) LIMIT 1
"""
Sample = tuple[str, str, str, bytes]


async def look_at_stack(connections: Connections) -> list[Finding]:
    """Everything that needs servers, and the keys."""
    found, per_service = await asyncio.gather(
        look_at_broker(connections.kafka_bootstrap_servers),
        asyncio.gather(*(_look_at_database(connections, service) for service in SERVICES)),
    )
    samples: dict[str, Sample] = {}
    clocks: list[float] = []
    for service, (findings, sample, clock) in zip(SERVICES, per_service, strict=True):
        found += findings
        if sample is not None:
            samples[service] = sample
        clocks += [clock] if clock is not None else []
    if clocks:
        found.append(look_at_clock(max(clocks, key=abs)))
    found += look_at_keys(connections.layout, samples)
    return found


async def look_at_broker(bootstrap_servers: str) -> list[Finding]:
    """Whether it answers and has every topic as defined."""
    if not bootstrap_servers:
        return [fail("broker", "no address is known", _START.format(server="kafka"))]
    definitions = load_topics(checkout_root() / "deploy" / "kafka" / "topics.yaml")
    try:
        counts = await partition_counts(bootstrap_servers)
    except DevstackError as failure:
        return [fail("broker", str(failure), _START.format(server="kafka"))]
    try:
        missing = check_partitions(definitions, counts)
    except DevstackError as failure:
        return [ok("broker", bootstrap_servers), fail("topics", str(failure), "see the text: it says both ways")]
    names = ", ".join(topic.name for topic in missing)
    topics = (
        fail("topics", f"missing: {names}", "revcycle up creates what deploy/kafka/topics.yaml names")
        if missing
        else ok("topics", f"all {len(definitions)}, with the partitions they should have")
    )
    return [ok("broker", bootstrap_servers), topics]


async def _look_at_database(
    connections: Connections, service: str
) -> tuple[list[Finding], Sample | None, float | None]:
    """Findings, an event this service sealed, and how far the server's clock is ahead of ours in seconds."""
    area = f"database {service}"
    try:
        connection = await asyncpg.connect(connections.database_url(service), timeout=5, ssl=client_security().database)
    except (OSError, TimeoutError, asyncpg.PostgresError) as failure:
        return (
            [fail(area, f"cannot be reached: {type(failure).__name__}", _START.format(server="postgresql"))],
            None,
            None,
        )
    try:
        version = connection.get_server_version()
        asked = time.time()
        ahead = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8") - asked
        found = [_version(area, version.major), await _migration(connection, service)]
        migrated = await connection.fetchval("SELECT to_regclass('messaging.archive') IS NOT NULL")
        row = await connection.fetchrow(_SAMPLE) if migrated else None
    except asyncpg.PostgresError as failure:
        return (
            [fail(area, f"refuses: {type(failure).__name__}", "migrate again: revcycle down, then revcycle up")],
            None,
            None,
        )
    finally:
        await connection.close()
    sample = (row["topic"], row["key"], row["headers"], row["payload"]) if row else None
    return found, sample, ahead


def _version(area: str, major: int) -> Finding:
    if major >= MINIMUM_POSTGRESQL:
        return ok(area, f"answers, PostgreSQL {major}")
    return fail(area, f"PostgreSQL {major}", f"PostgreSQL {MINIMUM_POSTGRESQL} or newer is needed: move the data there")


async def _migration(connection: "asyncpg.Connection[Any]", service: str) -> Finding:
    area, package = f"migrations {service}", "revcycle_" + service.replace("-", "_")
    remedy = (
        f"python -m {package} migrate, with the owner's address in REVCYCLE_DATABASE_OWNER_URL; on this machine "
        "revcycle down, then revcycle up does it"
    )
    try:
        head = head_of(f"{package}.migrations")
    except MigrationError as failure:
        return fail(area, str(failure), "give the history one newest revision")
    exists = await connection.fetchval("SELECT to_regclass('kit.alembic_version') IS NOT NULL")
    present = await connection.fetchval("SELECT version_num FROM kit.alembic_version") if exists else None
    if present == head:
        return ok(area, f"at {head}")
    if present is not None and present not in revisions_of(f"{package}.migrations"):
        return warn(area, f"at {present}, newer than this code, which ends at {head}", "deploy the version it is of")
    return fail(area, f"missing: the database is at {present or 'none'}, this code needs {head}", remedy)


def look_at_clock(ahead_seconds: float) -> Finding:
    """This machine's clock beside the database server's: tokens, timers and leases compare the two."""
    told = f"the database's is {ahead_seconds:+.1f} s from ours"
    if abs(ahead_seconds) <= CLOCK_SECONDS:
        return ok("clock", told)
    return fail("clock", told, "let both machines follow a time server (chrony or systemd-timesyncd)")


def look_at_keys(layout: StateLayout, samples: Mapping[str, Sample]) -> list[Finding]:
    """Each ring can be read by its owner alone, grants what it should, and holds the keys that the others hold."""
    grants = yaml.safe_load((checkout_root() / "deploy" / "keys.yaml").read_text(encoding="utf-8"))["grants"]
    prints = {service: _fingerprints(layout.keyring_file(service)) for service in grants}
    agreed = _agreed(prints.values())
    return [_ring(layout.keyring_file(name), name, grants[name], prints[name], agreed, samples) for name in grants]


def _ring(
    file: Path,
    service: str,
    granted: list[str],
    prints: Mapping[tuple[str, str, str], str] | None,
    agreed: Mapping[tuple[str, str, str], str],
    samples: Mapping[str, Sample],
) -> Finding:
    area = f"keys {service}"
    if prints is None:
        return fail(
            area,
            f"{file} cannot be read as a key ring",
            "put the ring back from its backup; where there is no data worth keeping, revcycle up writes a missing one",
        )
    if file.stat().st_mode & 0o077:
        return fail(
            area, f"others may read {file}", f"chmod 600 {file}; if others are on this machine, rotate its keys"
        )
    ring = KeyRing(file)
    if ring.granted != set(granted):
        return fail(
            area,
            f"the ring grants {_words(ring.granted)}, deploy/keys.yaml {_words(granted)}",
            "hand the service a ring as deploy/keys.yaml says; on this machine revcycle up writes it anew",
        )
    wrong = sorted(
        {
            f"{purpose} {key_id}"
            for (tenant, purpose, key_id), one in prints.items()
            if agreed[tenant, purpose, key_id] != one
        }
    )
    sample = samples.get(service)
    if wrong or (sample is not None and not _opens(ring, sample)):
        what = (
            f"wrong key ({', '.join(wrong)}): not the one the other services hold"
            if wrong
            else "wrong key: it does not check the newest event of its own database"
        )
        return fail(
            area,
            what,
            f"put the right ring back as {file}; it is read again without a restart",
        )
    checked = ", checks its newest event" if sample else ""
    return ok(area, f"{_words(granted)}{checked}")


def _opens(ring: KeyRing, sample: Sample) -> bool:
    topic, key, headers, payload = sample
    try:
        check_seal(topic, key, headers_from_text(headers), payload, ring)
    except (BadSeal, MissingKey):
        return False
    return True


def _fingerprints(file: Path) -> dict[tuple[str, str, str], str] | None:
    """Tenant, purpose and key id to a digest of the key; None when the file is no ring."""
    try:
        tenants = json.loads(file.read_text(encoding="utf-8"))["tenants"]
        return {
            (tenant, purpose, key_id): hashlib.sha256(key.encode()).hexdigest()
            for tenant, purposes in tenants.items()
            for purpose, keys in purposes.items()
            for key_id, key in keys["keys"].items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _agreed(rings: Any) -> dict[tuple[str, str, str], str]:
    """What most rings hold under a name."""
    votes: dict[tuple[str, str, str], Counter[str]] = {}
    for prints in rings:
        for name, digest in (prints or {}).items():
            votes.setdefault(name, Counter())[digest] += 1
    return {name: counted.most_common(1)[0][0] for name, counted in votes.items()}


def _words(granted: Any) -> str:
    return ", ".join(sorted(granted)) or "no compartment"


def nothing_runs() -> Finding:
    """What is said instead, where nothing was started yet."""
    return warn("stack", "nothing was ever started from here, so servers and keys were not looked at", "revcycle up")
