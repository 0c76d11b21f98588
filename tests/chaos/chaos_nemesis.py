"""Carries a schedule of faults out on the processes of a stack, writes down each, and heals whatever it broke."""

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
from chaos_schedule import PAYER_FAULTS, Action
from revcycle_devstack import DevstackError
from revcycle_devstack.processes import ProcessIdentity
from revcycle_devstack.stack import Stack
from revcycle_hospital_simulator import Api, Reading, read_messaging

_WORK_PATIENCE_SECONDS: Final = 4.0
_LOOK_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
_ALIVE_PATIENCE_SECONDS: Final = 8.0


@dataclass(slots=True)
class Nemesis:
    """Breaks what the schedule says. ``api`` reads work in flight; ``log`` gets one JSON object a line."""

    stack: Stack
    api: Api
    payer: httpx.AsyncClient
    log: Path
    kills: Counter[str] = field(default_factory=Counter)
    """Kills by process; a server that is held down counts as killed once."""
    kills_with_work: int = 0
    faults: int = 0
    """Everything that was done, kills included."""
    _began: float = 0.0
    _frozen: dict[str, ProcessIdentity] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)

    async def run(self, schedule: Sequence[Action]) -> None:
        """Do everything at its time and heal everything at the end, also when interrupted."""
        self._began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                for action in schedule:
                    await asyncio.sleep(max(0.0, self._began + action.at_seconds - time.monotonic()))
                    tasks.create_task(self._carry_out(action))
        finally:
            await self.heal()

    async def heal(self) -> None:
        """Thaw what is frozen, let start what is held down, and let the payer behave."""
        for name in list(self._frozen):
            self._thaw(name)
        for name in list(self._held):
            self._release(name)
        try:
            await self.payer.post("/faults", json=dict.fromkeys(PAYER_FAULTS, 0))
        except httpx.TransportError:
            self._write("heal", "payer-simulator", outcome="does not answer")

    async def _carry_out(self, action: Action) -> None:
        match action.fault:
            case "kill":
                await self._kill(action)
            case "freeze":
                await self._freeze(action)
            case "payer":
                await self._plan_payer_fault(action)
            case _:
                await self._hold_down(action)

    async def _kill(self, action: Action) -> None:
        work = await self._work_of(action.target)
        if not await self._send(action.target, signal.SIGKILL):
            self._write("kill", action.target, outcome="skipped: does not run")
            return
        self._count(action.target, work)
        self._write("kill", action.target, work=work)

    async def _freeze(self, action: Action) -> None:
        work = await self._work_of(action.target)
        identity = self._identity(action.target)
        if identity is None or action.target in self._frozen:
            self._write("freeze", action.target, outcome="skipped: does not run")
            return
        self._frozen[action.target] = identity
        identity.send(signal.SIGSTOP)
        self.faults += 1
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
        self._count(name, None)
        self._write(action.fault, name, seconds=round(action.seconds, 1))

    async def _plan_payer_fault(self, action: Action) -> None:
        try:
            response = await self.payer.post("/faults", json={action.target: action.count})
        except httpx.TransportError:
            self._write("payer", action.target, outcome="skipped: does not answer")
            return
        self.faults += 1
        self._write("payer", action.target, count=action.count, status=response.status_code)

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

    def _count(self, name: str, work: Mapping[str, Any] | None) -> None:
        self.kills[name] += 1
        self.kills_with_work += int(work is not None and any(work.values()))
        self.faults += 1

    async def _work_of(self, name: str) -> dict[str, int] | None:
        """Wait a moment for work in flight and tell what there is; None for what tells nothing.

        A server's death meets the work of all services: theirs is added up.
        """
        deadline = time.monotonic() + _WORK_PATIENCE_SECONDS
        only = None if name in ("kafka", "postgresql") else {name}
        while True:
            found = await self._read(only)
            if (found and any(found.values())) or time.monotonic() >= deadline:
                return found
            await asyncio.sleep(_POLL_SECONDS)

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
    }
