"""What must hold: after every step, and when the system has come to rest."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from revcycle_messaging.envelope import headers_from_kafka, headers_from_text
from revcycle_messaging.transports.memory import MemoryBroker
from sim_business import Plan, adjudicated, coded_lines

Account = tuple[str, int, str]
_NEW: Final = """
    SELECT (SELECT json_agg(e ORDER BY position) FROM simulation.effect AS e WHERE position > $1),
        (SELECT json_agg(e ORDER BY position) FROM simulation.entry AS e WHERE position > $2),
        (SELECT json_agg(f ORDER BY position) FROM simulation.follow_up AS f WHERE position > $3)
"""
_PUBLISHED: Final = """
    SELECT topic, key, sequence, event_id, headers, payload FROM messaging.archive
    WHERE topic NOT LIKE 'revcycle.dead-letters.%' ORDER BY topic, key, sequence
"""
_OUTGOING: Final = "SELECT topic, key, last_sequence FROM messaging.outgoing_stream"


class Violation(Exception):
    """A promise was broken; the text names it."""


def allowed_balances(plan: Plan) -> dict[Account, set[int]]:
    """Per (claim, line, account) every balance that some version of it justifies, and nothing in between."""
    allowed: dict[Account, set[int]] = defaultdict(lambda: {0})
    for versions in plan:
        for write in versions:
            for number, cents in enumerate(coded_lines(write.line_cents)):
                claim = f"claim-{write.encounter_id}"
                allowed[claim, number, "revenue"].add(-cents)
                for account, share in zip(("cash", "contractual", "patient"), adjudicated(cents), strict=True):
                    allowed[claim, number, account].add(share)
    return allowed


class Watch:
    """Looks at what was committed since it last looked."""

    def __init__(self, plan: Plan) -> None:
        self._allowed = allowed_balances(plan)
        self._applied: dict[tuple[str, str, str], int] = defaultdict(int)
        self._balances: dict[Account, int] = defaultdict(int)
        self._fired: set[str] = set()
        self._seen = [-1, -1, -1]

    async def look(self, connection: Any, sent: Sequence[str]) -> None:
        """Raise Violation when a promise that holds at every instant does not."""
        found = (await connection.fetch(_NEW, *self._seen))[0]
        effects, entries, follow_ups = (orjson.loads(rows) if rows else [] for rows in found)
        for place, rows in enumerate((effects, entries, follow_ups)):
            if rows:
                self._seen[place] = rows[-1]["position"]
        self._look_at_effects(effects)
        self._look_at_entries(entries)
        self._look_at_timers(follow_ups)
        if len(set(sent)) != len(sent):
            raise Violation(f"an outside effect was repeated: {sent[-1]} was sent twice")

    def _look_at_effects(self, rows: Sequence[Any]) -> None:
        for row in rows:
            stream = (row["consumer"], row["topic"], row["key"])
            expected = self._applied[stream] + 1
            place = f"{row['consumer']} applied {row['topic']}/{row['key']}@{row['sequence']}"
            if row["sequence"] < expected:
                raise Violation(f"an effect happened twice or late: {place} after @{expected - 1}")
            if row["sequence"] > expected:
                raise Violation(f"an event was passed by: {place} although @{expected} is not applied")
            self._applied[stream] = expected

    def _look_at_entries(self, rows: Sequence[Any]) -> None:
        sums: dict[Any, int] = defaultdict(int)
        touched = set()
        for row in rows:
            account = (row["claim_id"], row["line"], row["account"])
            self._balances[account] += row["cents"]
            sums[row["journal_id"]] += row["cents"]
            touched.add(account)
        if any(sums.values()):
            raise Violation("a journal does not sum to zero")
        for claim, line, account in sorted(touched):
            if (
                account != "receivable"
                and self._balances[claim, line, account] not in self._allowed[claim, line, account]
            ):
                raise Violation(
                    f"money is not conserved: {account} of {claim} line {line} stands at "
                    f"{self._balances[claim, line, account]} cents, which no version of it justifies"
                )

    def _look_at_timers(self, rows: Sequence[Any]) -> None:
        for row in rows:
            if datetime.fromisoformat(row["fired_at"]) < datetime.fromisoformat(row["due_at"]):
                raise Violation(f"a timer fired early: {row['aggregate']}")
            if row["aggregate"] in self._fired:
                raise Violation(f"a timer fired twice: {row['aggregate']}")
            self._fired.add(row["aggregate"])


async def look_at_topics(connection: Any, broker: MemoryBroker, forged: set[tuple[str, int, int]]) -> None:
    """Every event is on its topic iff its transaction committed, per key in the order of commits."""
    archived = {(row["topic"], row["key"], row["sequence"]): row for row in await connection.fetch(_PUBLISHED)}
    newest: dict[tuple[str, str], int] = defaultdict(int)
    for (topic, partition), log in sorted(broker.logs.items()):
        if topic.startswith("revcycle.dead-letters."):
            continue
        for offset, record in enumerate(log):
            if (topic, partition, offset) in forged:
                continue
            headers = headers_from_kafka(list(record.headers))
            sequence = int(headers["ce_sequence"])
            if sequence > newest[topic, record.key] + 1:
                raise Violation(f"{topic}/{record.key}@{sequence} stands on its topic before its predecessor")
            newest[topic, record.key] = max(newest[topic, record.key], sequence)
            row = archived.get((topic, record.key, sequence))
            if row is None or headers["ce_id"] != str(row["event_id"]):
                raise Violation(f"{topic}/{record.key}@{sequence} is on its topic, but no transaction published it")
    for row in await connection.fetch(_OUTGOING):
        stream = (row["topic"], row["key"])
        if not row["topic"].startswith("revcycle.dead-letters.") and newest[stream] != row["last_sequence"]:
            raise Violation(
                f"{row['topic']}/{row['key']}@{newest[stream] + 1} was committed and is not on its topic: lost"
            )


async def look_at_quarantine(
    connection: Any, forged: set[tuple[str, int, int]], readers: Mapping[str, Sequence[str]]
) -> None:
    """Every forged record is in quarantine once per consumer of its topic, and nothing else is."""
    rows = await connection.fetch("SELECT consumer, topic, partition, record_offset FROM messaging.quarantine")
    found = {tuple(row) for row in rows}
    expected = {(consumer, *place) for place in forged for consumer in readers[place[0]]}
    if found != expected:
        raise Violation(f"quarantine holds {len(found)} records, {len(expected)} were forged")


async def outcome_of(connection: Any, sent: Sequence[str]) -> dict[str, str]:
    """Everything that must not depend on the interleaving, one digest per kind of state."""
    tables = {
        "requests": "SELECT * FROM simulation.request ORDER BY 1, 2",
        "codings": "SELECT * FROM simulation.coding ORDER BY 1",
        "claims": "SELECT * FROM simulation.claim ORDER BY 1",
        "ledger": "SELECT journal_id, claim_id, line, account, cents FROM simulation.entry ORDER BY 1, 2, 3, 4, 5",
        "follow-ups": "SELECT aggregate, due_at FROM simulation.follow_up ORDER BY 1",
        "effects": "SELECT consumer, topic, key, sequence, event_id FROM simulation.effect ORDER BY 1, 2, 3, 4",
        "timers": "SELECT aggregate, name, due_at FROM messaging.timer ORDER BY 1, 2",
        "jobs": "SELECT job_id, kind, state FROM messaging.job ORDER BY 1",
        "streams": "SELECT consumer, topic, key, last_sequence FROM messaging.stream ORDER BY 1, 2, 3",
    }
    outcome = {name: _digest([tuple(row) for row in await connection.fetch(sql)]) for name, sql in tables.items()}
    published = [
        (row["topic"], row["key"], row["sequence"], _immutable(row["headers"]), _clear(row["payload"]))
        for row in await connection.fetch(_PUBLISHED)
    ]
    outcome["events"] = _digest(published)
    outcome["sent"] = _digest(sorted(sent))
    return outcome


def _immutable(text: str) -> dict[str, str]:
    headers = headers_from_text(text)
    headers.pop("ce_seal", None)
    return headers


def _clear(payload: bytes) -> dict[str, object]:
    content: dict[str, object] = orjson.loads(payload)
    content.pop("sealed", None)
    return content


def _digest(rows: Sequence[object]) -> str:
    return hashlib.sha256(orjson.dumps(rows, default=str)).hexdigest()[:16]
