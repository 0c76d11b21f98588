"""Keeps one process alive: starts it, asks whether it is ready, starts it again when it dies, stops it in the end."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from revcycle_devstack import DevstackError
from revcycle_devstack.processes import Command, DetachedProcess, ProcessIdentity, last_lines

State = Literal["running", "starting", "backoff", "stopped"]
Kind = Literal["infrastructure", "simulator", "service"]

HEALTHY_SECONDS: Final = 60.0
LONGEST_BACKOFF_SECONDS: Final = 15.0

_PROBE_PAUSE_SECONDS: Final = 0.05
_DEATHS_WHILE_STARTING: Final = 3
_KILL_SECONDS: Final = 5.0


def backoff_seconds(deaths_in_a_row: int, longest_seconds: float = LONGEST_BACKOFF_SECONDS) -> float:
    """Pause before the next start: 1, 2, 4, 8, 15, 15, … seconds after the first, second, … death in a row."""
    return min(float(2 ** min(deaths_in_a_row - 1, 10)), longest_seconds)


@dataclass(frozen=True)
class ProcessSpec:
    """A process to keep alive."""

    name: str
    kind: Kind
    command: Command
    url: str
    is_ready: Callable[[], bool]
    ready_seconds: float


@dataclass(frozen=True)
class ProcessStatus:
    """What is known of one process; `pid` is None while there is none."""

    name: str
    kind: Kind
    pid: int | None
    url: str
    state: State
    restarts: int
    identity: ProcessIdentity | None = None


class SupervisedProcess:
    """One process and the thread that keeps it alive. All methods may be called from any thread."""

    def __init__(
        self,
        spec: ProcessSpec,
        on_change: Callable[[], None],
        longest_backoff_seconds: float = LONGEST_BACKOFF_SECONDS,
    ) -> None:
        self.spec = spec
        self._longest_backoff_seconds = longest_backoff_seconds
        self._on_change = on_change
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._at_once = False
        self._held = False
        self._state: State = "starting"
        self._restarts = 0
        self._identity: ProcessIdentity | None = None
        # A supervisor that must exit is not held back by a process that will not.
        self._thread = threading.Thread(target=self._keep_alive, name=f"supervise {spec.name}", daemon=True)

    def start(self) -> None:
        """Begin to keep it alive."""
        self._thread.start()

    @property
    def status(self) -> ProcessStatus:
        """Snapshot."""
        with self._changed:
            pid = self._identity.pid if self._identity else None
            return ProcessStatus(
                self.spec.name, self.spec.kind, pid, self.spec.url, self._state, self._restarts, self._identity
            )

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until it is ready.

        Raises:
            DevstackError: it died three times meanwhile, or the time was up; the text ends with its log's end.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            first = self._restarts
            while self._state != "running" or self._identity is None or not self._identity.is_alive():
                if self._stop.is_set():
                    raise DevstackError(f"{self.spec.name} was stopped before it was ready")
                if self._restarts - first >= _DEATHS_WHILE_STARTING:
                    raise self._failure(f"died {_DEATHS_WHILE_STARTING} times before it was ready")
                if time.monotonic() >= deadline:
                    raise self._failure(f"was not ready after {timeout_seconds:.0f} s")
                self._changed.wait(timeout=_PROBE_PAUSE_SECONDS)

    def send(self, number: int) -> None:
        """Send a signal to the process as it is now; after SIGKILL, return when it is gone.

        Raises:
            DevstackError: there is no process just now.
        """
        identity = self.status.identity
        if identity is None:
            raise DevstackError(f"{self.spec.name} does not run at this moment ({self.status.state})")
        identity.send(number)
        deadline = time.monotonic() + _KILL_SECONDS
        while number == signal.SIGKILL and identity.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def restart(self, grace_seconds: float) -> None:
        """End it in its own way and start it again without a pause."""
        with self._changed:
            self._at_once = True
        self.send(self.spec.command.stop_signal)
        identity = self.status.identity
        deadline = time.monotonic() + grace_seconds
        while identity is not None and identity.is_alive():
            if time.monotonic() >= deadline:
                identity.kill_group()
            time.sleep(_PROBE_PAUSE_SECONDS)

    def hold_down(self) -> None:
        """Kill it and do not start it again before `release`: an outage as long as somebody wants it.

        Raises:
            DevstackError: there is no process just now.
        """
        with self._changed:
            held_before, self._held = self._held, True
        try:
            self.send(signal.SIGKILL)
        except DevstackError:
            if not held_before:
                self.release()
            raise

    def release(self) -> None:
        """Let it be started again; nothing happens when it was not held."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def request_stop(self) -> None:
        """Ask it to end for good; returns at once."""
        with self._changed:
            self._stop.set()
            identity = self._identity
            self._changed.notify_all()
        if identity is not None:
            identity.send(self.spec.command.stop_signal)

    def finish_stop(self, grace_seconds: float) -> None:
        """Wait for its end after `request_stop`; kill it when the grace is over."""
        if not self._thread.is_alive():
            return
        self._thread.join(max(0.0, grace_seconds))
        identity = self.status.identity
        if self._thread.is_alive() and identity is not None:
            identity.kill_group()
        self._thread.join(5.0)

    def _failure(self, what: str) -> DevstackError:
        log_file = self.spec.command.log_file
        return DevstackError(f"{self.spec.name} {what}. The end of {log_file}:\n{last_lines(log_file)}")

    def _keep_alive(self) -> None:
        deaths_in_a_row = 0
        while True:
            process = self._spawn()
            if process is None:
                break
            healthy_seconds = self._watch(process)
            if self._stop.is_set():
                break
            deaths_in_a_row = 1 if healthy_seconds >= HEALTHY_SECONDS else deaths_in_a_row + 1
            self._pause(0.0 if self._at_once else backoff_seconds(deaths_in_a_row, self._longest_backoff_seconds))
        self._set("stopped", None)

    def _spawn(self) -> DetachedProcess | None:
        with self._changed:
            if self._stop.is_set():
                return None
            self._at_once = False
            process = self.spec.command.start()
            identity = ProcessIdentity.of(process.pid, self.spec.command.stop_signal)
            self._identity, self._state = identity, "starting"
        self._on_change()
        return process

    def _watch(self, process: DetachedProcess) -> float:
        """Wait for its end; return how long it was ready, in seconds."""
        while process.poll() is None and not self.spec.is_ready():
            time.sleep(_PROBE_PAUSE_SECONDS)
        ready_since = time.monotonic()
        if process.poll() is None:
            self._set("running", self._identity)
        process.wait()
        return time.monotonic() - ready_since

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._restarts += 1
        self._set("backoff", None)
        self._stop.wait(seconds)
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._stop.is_set())

    def _set(self, state: State, identity: ProcessIdentity | None) -> None:
        with self._changed:
            self._state, self._identity = state, identity
            self._changed.notify_all()
        self._on_change()
