"""The state file: what runs, written whole by the supervisor, read by `status`, `down` and everyone who connects."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from revcycle_devstack.connections import Connections
from revcycle_devstack.files import write_atomically
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.lending import Lender
from revcycle_devstack.memory_disk import unmount_memory_disk
from revcycle_devstack.processes import ProcessIdentity, stop_all
from revcycle_devstack.supervision import Kind, ProcessStatus

_STOP_ORDER: Final[tuple[Kind, ...]] = ("service", "simulator", "infrastructure")
# Lies in the state folder without being the state of this stack.
_KEPT_WHEN_EMPTIED: Final = frozenset(
    {"bench", "compose", "fuzz", "oracles", "stack.lock", "supervisor.log", "test", "tools"}
)


@dataclass(frozen=True)
class RecordedStack:
    """What the state file says, checked against the processes that really live."""

    supervisor: ProcessIdentity | None
    ready: bool
    processes: tuple[ProcessStatus, ...]
    notes: tuple[str, ...]


Phase = Literal["starting", "ready", "stopped"]


def write_state(
    layout: StateLayout,
    connections: Connections,
    urls: Mapping[str, str],
    processes: Iterable[ProcessStatus],
    phase: Phase,
    notes: Sequence[str],
) -> None:
    """Write the state of the stack that this process supervises; `notes` say what was found and what was refused."""
    supervisor = None if phase == "stopped" else ProcessIdentity.of(os.getpid())
    content = {
        "supervisor": _as_record(supervisor),
        "ready": phase == "ready",
        "notes": list(notes),
        "connections": {"postgresql": connections.postgresql_url, "kafka": connections.kafka_bootstrap_servers},
        "urls": dict(urls),
        "processes": [
            {
                "name": process.name,
                "kind": process.kind,
                "url": process.url,
                "state": process.state,
                "restarts": process.restarts,
                "identity": _as_record(process.identity),
            }
            for process in processes
        ],
    }
    write_atomically(layout.state_file, json.dumps(content, indent=2) + "\n")


def _as_record(identity: ProcessIdentity | None) -> dict[str, float | int] | None:
    if identity is None:
        return None
    return {"pid": identity.pid, "started": identity.started, "stop_signal": int(identity.stop_signal)}


def _identity(record: Mapping[str, Any] | None) -> ProcessIdentity | None:
    return ProcessIdentity(**record) if record else None


def read_state(layout: StateLayout) -> RecordedStack | None:
    """What runs from this folder; a process that is gone shows as stopped. None when nothing was ever started."""
    try:
        content = json.loads(layout.state_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    supervisor = _identity(content["supervisor"])
    if supervisor is not None and not supervisor.is_alive():
        supervisor = None
    processes = []
    for entry in content["processes"]:
        identity = _identity(entry["identity"])
        alive = identity is not None and identity.is_alive()
        state = entry["state"]
        if not alive:
            # While its supervisor lives, a dead process is about to be started again.
            identity, state = None, "backoff" if supervisor and state != "stopped" else "stopped"
        pid = identity.pid if identity else None
        processes.append(
            ProcessStatus(entry["name"], entry["kind"], pid, entry["url"], state, entry["restarts"], identity)
        )
    ready = bool(content["ready"]) and supervisor is not None
    return RecordedStack(supervisor, ready, tuple(processes), tuple(content["notes"]))


def supervisor_of(layout: StateLayout) -> ProcessIdentity | None:
    """The living supervisor of this folder, if there is one."""
    recorded = read_state(layout)
    return recorded.supervisor if recorded else None


def stop_recorded(layout: StateLayout, grace_seconds: float) -> list[str]:
    """Stop, in reverse order, the recorded processes that still live; return their names."""
    recorded = read_state(layout)
    if recorded is None:
        return []
    stopped: list[str] = []
    for kind in _STOP_ORDER:
        living = [process for process in recorded.processes if process.kind == kind and process.identity is not None]
        stop_all([process.identity for process in living if process.identity is not None], grace_seconds)
        stopped += [process.name for process in living]
    return stopped


def stop_everything(layout: StateLayout, grace_seconds: float, tell: Callable[[str], None]) -> bool:
    """Stop the stack of this folder, those of folders in it, and test servers that nobody uses any more.

    Returns False when nothing ran. `tell` gets a line per thing done.
    """
    folders = (layout.root, *(file.parent for file in sorted(layout.root.glob("*/state.json"))))
    stopped = [_stop_one(StateLayout(folder), grace_seconds, tell) for folder in folders]
    lent = (layout.root / "test", *sorted(layout.root.glob("test/gw*")))
    if not all([Lender(StateLayout(folder), os.getpid()).stop_if_unused() for folder in lent]):
        tell("the test infrastructure is in use by a running test session and was left alone")
    return any(stopped)


def _stop_one(layout: StateLayout, grace_seconds: float, tell: Callable[[str], None]) -> bool:
    did = False
    supervisor = supervisor_of(layout)
    if supervisor is not None and supervisor.pid != os.getpid():
        tell(f"asking the supervisor (pid {supervisor.pid}) to stop everything")
        supervisor.send(signal.SIGTERM)
        # It gives each of three groups the whole grace before it kills.
        deadline = time.monotonic() + 3 * grace_seconds + 10
        while supervisor.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        supervisor.kill_group()
        did = True
    for name in stop_recorded(layout, grace_seconds):
        tell(f"{name} stopped")
        did = True
    return did


def empty_state_folder(layout: StateLayout) -> None:
    """Remove everything an earlier stack left in this folder; the caller holds its lock and nothing runs from it."""
    if not layout.root.is_dir():
        return
    # A supervisor that was killed could not take its disk away.
    unmount_memory_disk(layout.postgresql.parent)
    for entry in layout.root.iterdir():
        if entry.name in _KEPT_WHEN_EMPTIED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
