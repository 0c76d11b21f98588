"""The payer as a whole: front and back office, the raw log, the mailboxes and the bank, one step at a time.

The raw log is the commit point. An interchange and its answers are written in one go and synced; only then are the
answers visible in the mailbox. Restarting reads the log from its first line and stands where it stood.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from revcycle_payer_simulator.bank import Bank
from revcycle_payer_simulator.benefit_plan import PAYER_IDS, draw
from revcycle_payer_simulator.books import Books
from revcycle_payer_simulator.faults import ANSWER_TWICE, MALFORMED_ANSWER, SILENT_AFTER_BYTES, Faults
from revcycle_payer_simulator.files import AppendFile, RawLine, RawLog, StateFileError
from revcycle_payer_simulator.reception import Answer, Arrival, ClaimKey, FrontOffice, read_arrival
from revcycle_payer_simulator.remittance835 import read_remittances
from revcycle_payer_simulator.settlement import BackOffice, Issue, Pace
from revcycle_payer_simulator.x12 import IncompleteInterchangeError, read_interchange

_PERCENT_ANSWERED_TWICE = 3
_TICK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Settings:
    """How the payer behaves. `steady`: nothing now and then (answers twice, PLB, late or short money)."""

    directory: Path
    seed: int
    business_date: date
    pace: Pace = field(default_factory=Pace)
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from: the wall (UTC) and a monotonic number of seconds."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]


class DisownedError(Exception):
    """The request began before its claims were answered "not found"; it must never complete."""


class Desk:
    """Everything the door needs. One lock: what is recorded, answered and disowned has one order."""

    def __init__(self, settings: Settings, faults: Faults, clocks: Clocks) -> None:
        self.settings = settings
        self.faults = faults
        self.healthy = True
        self._clocks = clocks
        self._lock = asyncio.Lock()
        self._raw = RawLog(settings.directory / "raw.jsonl")
        self._journal = AppendFile(settings.directory / "journal.jsonl")
        self._bank = Bank(settings.directory, settings.seed, steady=settings.steady)
        self._mailboxes: dict[str, OrderedDict[str, bytes]] = {payer_id: OrderedDict() for payer_id in PAYER_IDS}
        self._bad_news: dict[str, tuple[ClaimKey, ...]] = {}
        self._books = Books(settings.seed)
        # While the log is read back nothing new goes wrong: planned faults come in afterwards.
        calm = Faults()
        self._front = FrontOffice(settings.seed, settings.business_date, self._books, calm)
        self._back = BackOffice(
            settings.seed, settings.business_date, self._books, calm, settings.pace, steady=settings.steady
        )
        self._restore()
        self._front.faults = self._back.faults = faults

    def began(self) -> int:
        """Call when a request begins; pass the number to `deliver`."""
        return self._front.moment()

    async def deliver(self, arrival: Arrival, data: bytes, began: int) -> bool:
        """Record one interchange and put its answers out. Returns False where the payer falls silent.

        Raises DisownedError when "not found" was answered for one of its claims after the request began.
        """
        async with self._lock:
            if not self.healthy:
                raise OSError("the raw log cannot be written: restart the simulator")
            if self._front.was_disowned(arrival, began):
                raise DisownedError
            silent = arrival.has_claims and self.faults.take(SILENT_AFTER_BYTES)
            at, now, line_number = self._clocks.wall(), self._clocks.monotonic(), self._raw.count + 1
            answers = await asyncio.to_thread(self._front.receive, arrival, line_number, at, now, silent=silent)
            self._hand_over()
            received = RawLine(at, "in", arrival.payer_id, data)
            items = await self._put(answers, at, received)
            if silent:
                self._note(kind="silent", line=line_number)
            if disowned := self._front.newly_disowned():
                self._bad_news.update(dict.fromkeys(items, disowned))
        return not silent

    async def remit_due(self) -> int:
        """Put out every 835 that is due, then let the bank know. Returns how many."""
        if not self.healthy or not any(self._books.open_claims.values()):
            return 0
        async with self._lock:
            at, now = self._clocks.wall(), self._clocks.monotonic()
            issues = await asyncio.to_thread(self._back.remit, self._raw.count + 1, at, now)
            await self._put([Answer(issue.payer_id, issue.data) for issue in issues], at)
            await asyncio.to_thread(self._bank_all, issues)
        return len(issues)

    async def remit_forever(self) -> None:
        """Remit until cancelled."""
        while True:
            await self.remit_due()
            await asyncio.sleep(_TICK_SECONDS)

    def mailbox(self, payer_id: str, limit: int) -> list[tuple[str, bytes]]:
        """The oldest unacknowledged items: id and bytes. Who fetches a "not found" may send again from now on."""
        items = list(islice(self._mailboxes[payer_id].items(), limit))
        for item, _ in items:
            self._front.disown_until_now(self._bad_news.pop(item, ()))
        return items

    async def acknowledge(self, payer_id: str, ids: list[str]) -> int:
        """Take items out of the mailbox for good; unknown ids are ignored. Returns how many were there."""
        box = self._mailboxes[payer_id]
        async with self._lock:
            present = [each for each in dict.fromkeys(ids) if each in box]
            if present:
                await asyncio.to_thread(self._note, kind="acknowledged", ids=present)
            for each in present:
                del box[each]
        return len(present)

    async def owed(self) -> dict[str, object]:
        """Claims accepted and not yet remitted, and items nobody has taken away."""
        async with self._lock:
            claims = {payer_id: self._books.open_claims[payer_id] for payer_id in PAYER_IDS}
        items = {payer_id: len(box) for payer_id, box in self._mailboxes.items()}
        by_payer = {payer_id: {"owed": claims[payer_id], "mailbox": items[payer_id]} for payer_id in PAYER_IDS}
        return {"owed": sum(claims.values()), "mailbox": sum(items.values()), "by_payer": by_payer}

    def close(self) -> None:
        """Close every file."""
        self._raw.close()
        self._journal.close()
        self._bank.close()

    def _bank_all(self, issues: list[Issue]) -> None:
        for issue in issues:
            if issue.deposited:
                self._bank.deposit(issue.payer_id, issue.trace_number, issue.paid_cents, self.settings.business_date)

    def _hand_over(self) -> None:
        self._back.enqueue(self._front.accepted)
        self._front.accepted.clear()

    async def _put(self, answers: list[Answer], at: datetime, received: RawLine | None = None) -> list[str]:
        """Write what came and what goes out in one go; only what is on disk enters a mailbox. Returns the item ids."""
        lines = [received] if received is not None else []
        lines += self._outgoing(answers, at)
        first = self._raw.count + 1
        if lines:
            try:
                await asyncio.to_thread(self._raw.append, lines)
            except OSError:
                # Memory is ahead of the disk now: only a restart, which reads the disk, may go on.
                self.healthy = False
                raise
        return self._file_away(lines, first)

    def _outgoing(self, answers: list[Answer], at: datetime) -> list[RawLine]:
        """The answers as lines of the raw log, with what the payer's manners and planned faults add to them."""
        lines: list[RawLine] = []
        for answer in answers:
            if self.faults.take(MALFORMED_ANSWER):
                lines.append(RawLine(at, "out", answer.payer_id, answer.data[: len(answer.data) * 2 // 3]))
            out = RawLine(at, "out", answer.payer_id, answer.data)
            lines += [out, out] if self._answers_twice(answer) else [out]
        return lines

    def _file_away(self, lines: list[RawLine], first: int) -> list[str]:
        items = []
        for number, line in enumerate(lines, first):
            if line.direction == "out":
                item = _item_id(line.route, number)
                self._mailboxes[line.route][item] = line.data
                items.append(item)
        return items

    def _answers_twice(self, answer: Answer) -> bool:
        if self.faults.take(ANSWER_TWICE):
            return True
        lot = draw("twice", self.settings.seed, answer.data.hex())
        return not self.settings.steady and lot % 100 < _PERCENT_ANSWERED_TWICE

    def _note(self, **entry: object) -> None:
        self._journal.append([json.dumps(entry)])

    def _restore(self) -> None:
        """Read the log as if it happened again, then write what a crash kept from being written."""
        silent, taken, dates = self._read_journal()
        now = self._clocks.monotonic()
        unanswered: list[Answer] = []
        for number, line in enumerate(self._raw.read(), 1):
            self._front.business_date = dates.get(number, self._front.business_date)
            if line.direction == "in":
                arrival = read_arrival(line.route, line.data)
                unanswered = self._front.receive(arrival, number, line.at, now, silent=number in silent)
                self._hand_over()
                continue
            unanswered = [answer for answer in unanswered if answer.data != line.data]
            item = _item_id(line.route, number)
            if item not in taken:
                self._mailboxes[line.route][item] = line.data
            self._read_back(line)
        self._front.business_date = self.settings.business_date
        # No request outlives the process, so nothing from before can complete any more.
        self._front.disown_until_now(self._front.newly_disowned())
        self._note(
            kind="started",
            line=self._raw.count + 1,
            seed=self.settings.seed,
            business_date=self.settings.business_date.isoformat(),
        )
        missing = self._outgoing(unanswered, self._clocks.wall())
        first = self._raw.count + 1
        self._raw.append(missing)
        self._file_away(missing, first)

    def _read_journal(self) -> tuple[set[int], set[str], dict[int, date]]:
        """Lines the payer kept silent about, items taken away, and from which line on which business date held."""
        silent: set[int] = set()
        taken: set[str] = set()
        dates: dict[int, date] = {}
        for text in self._journal.lines():
            entry = json.loads(text)
            if entry["kind"] == "silent":
                silent.add(entry["line"])
            elif entry["kind"] == "acknowledged":
                taken.update(entry["ids"])
            elif entry["seed"] != self.settings.seed:
                raise StateFileError(
                    f"this state directory was made with seed {entry['seed']}: use that seed or an empty directory"
                )
            else:
                dates[entry["line"]] = date.fromisoformat(entry["business_date"])
        return silent, taken, dates

    def _read_back(self, line: RawLine) -> None:
        try:
            interchange = read_interchange(line.data)
        except IncompleteInterchangeError:
            return  # a malformed answer, sent on purpose
        for remittance in read_remittances(interchange):
            self._back.read_back(remittance)
            if remittance.balanced:
                paid = remittance.paid_cents
                self._bank.deposit(remittance.payer_id, remittance.trace_number, paid, self._front.business_date)


def _item_id(payer_id: str, line_number: int) -> str:
    return f"{payer_id}-{line_number:09d}"
