"""The archive as files: a day is exported with a manifest, verified, and detached from the database.

A file ``<service>-<day>.jsonl.gz`` holds one JSON object per event in the order of publication; its manifest
``….manifest.json`` holds the SHA-256 of the file and, independent of the file's form, of its content, which the
database computes the same way before it lets a day go.
"""

import asyncio
import base64
import gzip
import hashlib
import heapq
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from revcycle_messaging.database import Database, translated_errors
from revcycle_messaging.envelope import headers_text_to_kafka
from revcycle_messaging.errors import MessagingError
from revcycle_messaging.transports import OutgoingRecord

CHUNK: Final = 2000
FORMAT: Final = 1
Progress = Callable[[int], None]

_DAY: Final = """
    SELECT seq, tenant_id, topic, key, sequence, event_id, headers, payload, recorded_at FROM messaging.archive
    WHERE day = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
_DAYS: Final = """
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'messaging.archive'::regclass ORDER BY 1
"""


class ArchiveDamaged(MessagingError):
    """An export is not what its manifest says, or not what the database holds."""


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An event as it was published. ``seq`` orders the events of one service; ``recorded_at`` is aware UTC."""

    seq: int
    tenant_id: UUID
    topic: str
    key: str
    sequence: int
    event_id: UUID
    headers: str
    payload: bytes
    recorded_at: datetime

    def record(self) -> OutgoingRecord:
        """As it goes on its topic, byte for byte as the first time."""
        return OutgoingRecord(self.topic, self.key, self.payload, headers_text_to_kafka(self.headers))

    def digest(self) -> bytes:
        """SHA-256 of everything but ``recorded_at``; ``messaging.archive_digest`` does the same in SQL."""
        place = f"{self.seq}|{self.tenant_id}|{self.topic}|{self.key}|{self.sequence}|{self.event_id}\n{self.headers}\n"
        return hashlib.sha256(place.encode() + self.payload).digest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export is: ``sha256`` of the file, ``content_sha256`` over the digests of its events in order."""

    service: str
    day: date
    events: int
    bytes: int
    sha256: str
    content_sha256: str
    format: int = FORMAT


def manifest_path(file: Path) -> Path:
    """Where the manifest of an export lies."""
    return file.with_name(file.name + ".manifest.json")


async def archived_days(database: Database) -> list[date]:
    """The days whose partitions are attached."""
    async with database.connection() as connection:
        return [row["day"] for row in await connection.fetch(_DAYS)]


async def export_day(
    database: Database, day: date, folder: Path, *, today: date, progress: Progress = lambda events: None
) -> Manifest:
    """Write a day's events to ``folder``, then its manifest: whole or not at all.

    Raises:
        ValueError: the day is not over, events may still come.
    """
    if day >= today:
        raise ValueError(f"{day} is not over; export it from {day.fromordinal(day.toordinal() + 1)} on")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    file = folder / f"{database.service}-{day}.jsonl.gz"
    draft = file.with_suffix(".draft")
    content = hashlib.sha256()
    count = 0
    with draft.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
        async for events in _read_day(database, day):
            for event in events:
                content.update(event.digest())
            await asyncio.to_thread(out.write, b"".join(map(_line, events)))
            count += len(events)
            progress(len(events))
    digest, size = await asyncio.to_thread(_file_digest, draft)
    manifest = Manifest(database.service, day, count, size, digest, content.hexdigest())
    draft.replace(file)
    manifest_draft = draft.with_suffix(".manifest")
    manifest_draft.write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
    manifest_draft.replace(manifest_path(file))
    return manifest


def read_manifest(file: Path) -> Manifest:
    """The manifest of an export; ArchiveDamaged when it is missing or unreadable."""
    try:
        content = orjson.loads(manifest_path(file).read_bytes())
        manifest = Manifest(**{**content, "day": date.fromisoformat(content["day"])})
    except (OSError, ValueError, KeyError, TypeError):
        raise ArchiveDamaged(f"{manifest_path(file).name} is missing or unreadable") from None
    if manifest.format != FORMAT:
        raise ArchiveDamaged(f"{file.name} has format {manifest.format}; this version reads {FORMAT}")
    return manifest


def verify_export(file: Path, progress: Progress = lambda events: None) -> Manifest:
    """Read a whole export and compare it with its manifest. Blocks: call it off the event loop.

    Raises:
        ArchiveDamaged: with the first thing that differs.
    """
    manifest = read_manifest(file)
    digest, size = _file_digest(file)
    if (digest, size) != (manifest.sha256, manifest.bytes):
        raise ArchiveDamaged(f"{file.name}: its bytes are not those of its manifest")
    content = hashlib.sha256()
    count = 0
    for event in read_export(file):
        content.update(event.digest())
        count += 1
        if count % CHUNK == 0:
            progress(CHUNK)
    progress(count % CHUNK)
    if (count, content.hexdigest()) != (manifest.events, manifest.content_sha256):
        raise ArchiveDamaged(f"{file.name}: its events are not those of its manifest")
    return manifest


def read_export(file: Path) -> Iterator[ArchivedEvent]:
    """The events of an export in order. ArchiveDamaged when the file cannot be read."""
    try:
        with gzip.open(file) as lines:
            for line in lines:
                yield _event(orjson.loads(line))
    except (OSError, EOFError, ValueError, KeyError) as failure:
        raise ArchiveDamaged(f"{file.name} cannot be read: {type(failure).__name__}") from None


async def detach_day(
    owner_url: str, manifest: Manifest, *, drop: bool = False, tls: ssl.SSLContext | None = None
) -> None:
    """Detach a day from the archive after the database has compared itself with the manifest; as the owner.

    The table stays beside the archive unless ``drop``. ``tls`` None: as ``sslmode`` of the address says.

    Raises:
        ArchiveDamaged: the database holds other events than the export.
    """
    with translated_errors():
        connection = await asyncpg.connect(owner_url, timeout=10, ssl=tls)
        try:
            await connection.execute("SET lock_timeout = '10s'")
            await connection.execute(
                "SELECT messaging.detach_archive_day($1, $2, $3, $4)",
                *(manifest.day, manifest.events, manifest.content_sha256, drop),
            )
        except asyncpg.RaiseError as refusal:
            raise ArchiveDamaged(str(refusal)) from None
        finally:
            await connection.close(timeout=5)


def exports_in(folder: Path | None, service: str) -> list[Path]:
    """Finished exports of a service, by day."""
    if folder is None:
        return []
    return sorted(file for file in folder.glob(f"{service}-*.jsonl.gz") if manifest_path(file).exists())


async def read_archive(
    database: Database, topics: Sequence[str] | None = None, folder: Path | None = None
) -> AsyncIterator[list[ArchivedEvent]]:
    """Everything a service ever published (of some topics), in order: from exports, then from attached partitions.

    A day that is both exported and attached is read from the database.
    """
    attached = set(await archived_days(database))
    wanted = None if topics is None else frozenset(topics)
    for file in exports_in(folder, database.service):
        if (await asyncio.to_thread(verify_export, file)).day not in attached:
            lines = read_export(file)
            while events := await asyncio.to_thread(_take, lines):
                yield _of_topics(events, wanted)
    for day in sorted(attached):
        async for events in _read_day(database, day):
            yield _of_topics(events, wanted)


async def count_archive(database: Database, topics: Sequence[str], folder: Path | None = None) -> int:
    """How many events :func:`read_archive` looks at, for a progress bar: an exported day counts with all its topics."""
    attached = set(await archived_days(database))
    exports = [read_manifest(file) for file in exports_in(folder, database.service)]
    async with database.connection() as connection:
        rows: int = await connection.fetchval(
            "SELECT count(*) FROM messaging.archive WHERE topic = ANY($1)", list(topics)
        )
    return rows + sum(manifest.events for manifest in exports if manifest.day not in attached)


async def merged(sources: Sequence[AsyncIterator[list[ArchivedEvent]]]) -> AsyncIterator[ArchivedEvent]:
    """Several services' archives about as it was in time; the order within each stays as it is."""
    heap: list[tuple[datetime, int, list[ArchivedEvent]]] = []
    for number, source in enumerate(sources):
        if buffer := await _refill(source):
            heapq.heappush(heap, (buffer[-1].recorded_at, number, buffer))
    while heap:
        _, number, buffer = heapq.heappop(heap)
        yield buffer.pop()
        if not buffer:
            buffer = await _refill(sources[number])
        if buffer:
            heapq.heappush(heap, (buffer[-1].recorded_at, number, buffer))


async def _refill(source: AsyncIterator[list[ArchivedEvent]]) -> list[ArchivedEvent]:
    """The next events, last first so that taking one is cheap; empty at the end."""
    async for events in source:
        if events:
            return events[::-1]
    return []


async def _read_day(database: Database, day: date) -> AsyncIterator[list[ArchivedEvent]]:
    last = -1
    while True:
        async with database.connection() as connection:
            rows = await connection.fetch(_DAY, day, last, CHUNK)
        if not rows:
            return
        last = rows[-1]["seq"]
        yield [ArchivedEvent(*row.values()) for row in rows]


def _of_topics(events: list[ArchivedEvent], wanted: frozenset[str] | None) -> list[ArchivedEvent]:
    return events if wanted is None else [event for event in events if event.topic in wanted]


def _take(lines: Iterator[ArchivedEvent]) -> list[ArchivedEvent]:
    return [event for _, event in zip(range(CHUNK), lines, strict=False)]


def _line(event: ArchivedEvent) -> bytes:
    content: dict[str, Any] = {name: getattr(event, name) for name in ArchivedEvent.__slots__}
    content["payload"] = base64.b64encode(event.payload).decode()
    return orjson.dumps(content, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _event(content: dict[str, Any]) -> ArchivedEvent:
    return ArchivedEvent(
        **{
            **content,
            "tenant_id": UUID(content["tenant_id"]),
            "event_id": UUID(content["event_id"]),
            "payload": base64.b64decode(content["payload"]),
            "recorded_at": datetime.fromisoformat(content["recorded_at"]),
        }
    )


def _file_digest(file: Path) -> tuple[str, int]:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest(), file.stat().st_size


def total_events(files: Iterable[Path]) -> int:
    """How many events exports hold, by their manifests."""
    return sum(read_manifest(file).events for file in files)
