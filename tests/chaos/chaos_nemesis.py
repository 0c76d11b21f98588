"""Carries a schedule of faults out on a stack, writes down each, and heals whatever it broke."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from chaos_schedule import PAYER, PAYER_FAULTS, POSTGRESQL, Action
from chaos_tools import Filler, Toxiproxy, leader_of, set_clock
from chaos_topics import lose_and_rebuild
from revcycle_devstack import DevstackError
from revcycle_devstack.processes import ProcessIdentity
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import Api, Reading, read_messaging

_WORK_PATIENCE_SECONDS: Final = 8.0
_LOOK_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_ALIVE_PATIENCE_SECONDS: Final = 8.0
_HOLD_PATIENCE_SECONDS: Final = 60.0
_SERVER_READY_SECONDS: Final = 180.0
_SERVER_PATIENCE_SECONDS: Final = 75.0
_SERVED_SECONDS: Final = 10.0
_REFILL_SECONDS: Final = 0.25
_PAYER_WORK: Final = ("owed", "mailbox")
_SIGNALS: Final = {"kill": signal.SIGKILL, "immediate_stop": signal.SIGQUIT, "kill_leader": signal.SIGKILL}


@dataclass(slots=True)
class Nemesis:
    """Breaks what the schedule says. ``api`` reads work in flight; ``log`` gets one JSON object a line.

    ``toxiproxy``, ``filler`` and ``clock_file`` are there when the schedule has faults that need them.
    """

    stack: Stack
    api: Api
    payer: httpx.AsyncClient
    log: Path
    toxiproxy: Toxiproxy | None = None
    filler: Filler | None = None
    clock_file: Path | None = None
    kills: Counter[str] = field(default_factory=Counter)
    """Kills by process; a server that is held down counts as killed once."""
    kills_with_work: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Everything that was done, by kind, kills included."""
    _began: float = 0.0
    _frozen: dict[str, ProcessIdentity] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)
    _undisturbed: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set while topics are rebuilt: then nothing else is done."""

    @property
    def faults(self) -> int:
        """Everything that was done, kills included."""
        return self.kinds.total()

    async def run(self, schedule: Sequence[Action]) -> None:
        """Do everything at its time and heal everything at the end, also when interrupted.

        Raises:
            TopicsNotRebuiltError: topics were lost and could not be filled again.
        """
        self._began = time.monotonic()
        self._undisturbed.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                for action in schedule:
                    await asyncio.sleep(max(0.0, self._began + action.at_seconds - time.monotonic()))
                    tasks.create_task(self._carry_out(action))
        finally:
            await self.heal()

    async def heal(self) -> None:
        """Thaw, release, free and set right whatever is not, and let the payer behave."""
        for name in list(self._frozen):
            self._thaw(name)
        for name in list(self._held):
            self._release(name)
        if self.filler is not None:
            self.filler.free()
        if self.clock_file is not None:
            set_clock(self.clock_file, 0)
        try:
            if self.toxiproxy is not None:
                await self.toxiproxy.heal()
            await self.payer.post("/faults", json=dict.fromkeys(PAYER_FAULTS, 0))
        except httpx.HTTPError as failure:
            self._write("heal", "proxies and payer", outcome=f"does not answer: {type(failure).__name__}")

    async def _carry_out(self, action: Action) -> None:
        await self._undisturbed.wait()
        match action.fault:
            case "kill" | "immediate_stop" | "kill_leader":
                await self._kill(action)
            case "freeze":
                await self._freeze(action)
            case "payer":
                await self._plan_payer_fault(action)
            case "network":
                await self._spoil_network(action)
            case "disk_full":
                await self._fill_disk(action)
            case "clock":
                await self._move_clock(action)
            case "topics_lost":
                await self._lose_topics(action)
            case _:
                await self._hold_down(action)

    # ---- signals

    async def _kill(self, action: Action) -> None:
        target = await self._victim(action)
        if target is None:
            self._write(action.fault, action.target, outcome="skipped: the partition has no leader")
            return
        if target in self._servers():
            await self._until_it_serves(target)
        work = await self._work_of(target)
        await self._undisturbed.wait()
        if not await self._send(target, _SIGNALS[action.fault]):
            self._write(action.fault, target, outcome="skipped: does not run")
            return
        self._count(action.fault, target, work)
        self._write(action.fault, target, work=work)

    async def _until_it_serves(self, server: str) -> None:
        """A server that dies again as soon as it is back would only be one long outage: let it serve for a while."""
        deadline = time.monotonic() + _SERVER_PATIENCE_SECONDS
        served_since = None
        while time.monotonic() < deadline and server not in self._held:
            serves = any(each.name == server and each.state == "running" for each in self.stack.processes)
            served_since = (served_since or time.monotonic()) if serves else None
            if served_since is not None and time.monotonic() - served_since >= _SERVED_SECONDS:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _victim(self, action: Action) -> str | None:
        if action.fault != "kill_leader":
            return action.target
        leader = await leader_of(self.stack.kafka_bootstrap_servers, action.target, action.count)
        return None if leader is None else f"kafka-{leader}"

    async def _freeze(self, action: Action) -> None:
        if action.target in self._servers():
            await self._until_it_serves(action.target)
        work = await self._work_of(action.target)
        identity = self._identity(action.target)
        if identity is None or action.target in self._frozen:
            self._write("freeze", action.target, outcome="skipped: does not run")
            return
        self._frozen[action.target] = identity
        identity.send(signal.SIGSTOP)
        self.kinds["freeze"] += 1
        self._write("freeze", action.target, seconds=round(action.seconds, 1), work=work)
        await asyncio.sleep(action.seconds)
        self._thaw(action.target)

    async def _hold_down(self, action: Action) -> None:
        """Keep a server, or every process of a service, from running for a while."""
        service = action.fault == "service_down"
        names = [name for name in self._names() if name == action.target or (service and _is_of(name, action.target))]
        for name in names:
            await self._take_down(action, name)
        await asyncio.sleep(action.seconds)
        for name in names:
            self._release(name)

    async def _take_down(self, action: Action, name: str) -> None:
        work = await self._read(None if name in self._servers() else {name})
        if name in self._held or not await self._alive(name):
            self._write(action.fault, name, outcome="skipped: does not run")
            return
        # Noted before it is done: whatever interrupts this, `heal` lets the process start again.
        self._held.add(name)
        try:
            await asyncio.to_thread(self.stack.hold_down, name)
        except DevstackError as reason:
            self._held.discard(name)
            self._write(action.fault, name, outcome=f"skipped: {reason}")
            return
        self._count(action.fault, name, work)
        self._write(action.fault, name, seconds=round(action.seconds, 1), work=work)

    def _thaw(self, name: str) -> None:
        identity = self._frozen.pop(name, None)
        if identity is not None:
            identity.send(signal.SIGCONT)
            self._write("thaw", name)

    def _release(self, name: str) -> None:
        if name in self._held:
            self._held.discard(name)
            self.stack.release(name)
            self._write("release", name)

    # ---- everything else

    async def _plan_payer_fault(self, action: Action) -> None:
        try:
            response = await self.payer.post("/faults", json={action.target: action.count})
        except httpx.TransportError:
            self._write("payer", action.target, outcome="skipped: does not answer")
            return
        self.kinds[f"payer {action.target}"] += 1
        self._write("payer", action.target, count=action.count, status=response.status_code)

    async def _spoil_network(self, action: Action) -> None:
        assert self.toxiproxy is not None
        try:
            await self.toxiproxy.spoil(action.target, action.detail)
        except httpx.HTTPError as failure:
            self._write("network", action.target, outcome=f"skipped: {type(failure).__name__}")
            await self.toxiproxy.heal()
            return
        server = "kafka" if "kafka" in action.target else POSTGRESQL
        self.kinds[f"network {action.detail} {server}"] += 1
        self._write("network", action.target, kind=action.detail, seconds=round(action.seconds, 1))
        await asyncio.sleep(action.seconds)
        await self.toxiproxy.heal()
        self._write("network healed", action.target, kind=action.detail)

    async def _fill_disk(self, action: Action) -> None:
        assert self.filler is not None
        before = self._identity(POSTGRESQL)
        taken = 0
        try:
            until = time.monotonic() + action.seconds
            self.kinds["disk_full"] += 1
            while time.monotonic() < until:
                taken = await asyncio.to_thread(self.filler.fill)
                await asyncio.sleep(_REFILL_SECONDS)
        finally:
            self.filler.free()
        same = before is not None and before == self._identity(POSTGRESQL)
        self._write("disk_full", POSTGRESQL, seconds=round(action.seconds, 1), filled_bytes=taken, server_lived_on=same)

    async def _move_clock(self, action: Action) -> None:
        assert self.clock_file is not None
        self.kinds[f"clock {action.detail}"] += 1
        set_clock(self.clock_file, action.count)
        self._write("clock", action.target, jump_seconds=action.count, seconds=round(action.seconds, 1))
        await asyncio.sleep(action.seconds)
        set_clock(self.clock_file, 0)
        self._write("clock set right", action.target)

    async def _lose_topics(self, action: Action) -> None:
        """Stop the services, delete all topics, fill them from the archives, let the services go on."""
        self._undisturbed.clear()
        members = [each.name for each in self.stack.processes if each.kind == "service"]
        try:
            for name in (*members, *self._servers()):
                self._release(name)
            for server in self._servers():
                await asyncio.to_thread(self.stack.wait_ready, server, _SERVER_READY_SECONDS)
            await asyncio.gather(*map(self._hold_member, members))
            began = time.monotonic()
            sent = await lose_and_rebuild(
                self.stack.connections, lambda reason: self._write("topics_lost", action.target, failed=reason)
            )
            self.kinds["topics_lost"] += 1
            self._write(
                "topics_lost", action.target, rebuilt_events=sent, rebuilt_seconds=round(time.monotonic() - began, 1)
            )
        finally:
            for name in members:
                self._release(name)
            self._undisturbed.set()

    async def _hold_member(self, name: str) -> None:
        """Hold a process down, also one that is just between two lives."""
        deadline = time.monotonic() + _HOLD_PATIENCE_SECONDS
        while True:
            try:
                await asyncio.to_thread(self.stack.hold_down, name)
            except DevstackError:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(_POLL_SECONDS)
                continue
            self._held.add(name)
            return

    # ---- what is seen

    def _count(self, fault: str, name: str, work: Mapping[str, Any] | None) -> None:
        self.kills[name] += 1
        self.kills_with_work += int(work is not None and any(work.values()))
        self.kinds[fault] += 1

    async def _work_of(self, name: str) -> dict[str, int] | None:
        """Wait a moment for work in flight and tell what there is; None for what tells nothing.

        A server's death meets the work of all services: theirs is added up.
        """
        deadline = time.monotonic() + _WORK_PATIENCE_SECONDS
        only = None if name in self._servers() else {name}
        while True:
            found = await (self._owed() if name == PAYER else self._read(only))
            if (found and any(found.values())) or time.monotonic() >= deadline:
                return found
            await asyncio.sleep(_POLL_SECONDS)

    async def _owed(self) -> dict[str, int] | None:
        try:
            owed = (await self.payer.get("/owed")).json()
        except httpx.TransportError:
            return None
        return {name: int(owed[name]) for name in _PAYER_WORK}

    async def _read(self, only: set[str] | None) -> dict[str, int] | None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                readings = await read_messaging(self.api, only)
        except TimeoutError:
            return None
        known = [reading for reading in readings if reading.figures is not None]
        return _added_up(known) if known else None

    async def _send(self, name: str, number: signal.Signals) -> bool:
        if not await self._alive(name):
            return False
        try:
            await asyncio.to_thread(self.stack.kill, name, number)
        except DevstackError:
            return False
        return True

    async def _alive(self, name: str) -> bool:
        """Whether the process is there, after waiting a while for one that is being started."""
        deadline = time.monotonic() + _ALIVE_PATIENCE_SECONDS
        while self._identity(name) is None:
            if time.monotonic() >= deadline or name in self._held:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _names(self) -> list[str]:
        return [status.name for status in self.stack.processes]

    def _servers(self) -> list[str]:
        return [each for each in self._names() if each == POSTGRESQL or each.startswith("kafka")]

    def _identity(self, name: str) -> ProcessIdentity | None:
        status = next(each for each in self.stack.processes if each.name == name)
        return status.identity if status.identity is not None and status.identity.is_alive() else None

    def _write(self, fault: str, target: str, **more: object) -> None:
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "after_seconds": round(time.monotonic() - self._began, 2),
            "fault": fault,
            "target": target,
            **more,
        }
        with self.log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")


def _is_of(name: str, service: str) -> bool:
    return name.startswith(f"{service}-") and name[len(service) + 1 :].isdigit()


def _added_up(readings: Sequence[Reading]) -> dict[str, int]:
    figures = [reading.figures for reading in readings if reading.figures is not None]
    return {
        "outbox": sum(int(each["outbox_rows"]) for each in figures),
        "jobs": sum(reading.open_jobs for reading in readings),
        "chunk": sum(int(each["chunk_in_flight"]) for each in figures),
        "not consumed": sum(int(each["lag"] or 0) for each in figures),
    }
