"""Processes by identity: a pid alone may meanwhile belong to somebody else."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from revcycle_devstack import DevstackError


def _start_mark(pid: int) -> float:
    """When the kernel started the process: clock ticks since boot on Linux, which no change of the clock moves."""
    statistics = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name in brackets may hold spaces; the start is the 20th field after it.
            return float(statistics.read_text().rsplit(")", 1)[1].split()[19])
        except (FileNotFoundError, ProcessLookupError) as gone:
            raise psutil.NoSuchProcess(pid) from gone
    return float(psutil.Process(pid).create_time())


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that was started: pid, the kernel's mark of its start, and the signal that is to stop it."""

    pid: int
    started: float
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, pid: int, stop_signal: int = signal.SIGTERM) -> "ProcessIdentity | None":
        """Identity of a living process, or None when there is none with this pid."""
        try:
            return cls(pid=pid, started=_start_mark(pid), stop_signal=stop_signal)
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """Whether this very process still runs; a reused pid and a zombie count as gone."""
        try:
            return _start_mark(self.pid) == self.started and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send(self, number: int) -> None:
        """Send a signal to this process, never to another one that got its pid."""
        if self.is_alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def kill_group(self) -> None:
        """Kill the process and what it left behind in its own process group.

        Every process of a stack leads a session of its own, so its group holds nothing else.
        """
        try:
            if os.getpgid(self.pid) == self.pid and self.is_alive():
                os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.send(signal.SIGKILL)


def reap(pid: int) -> None:
    """Collect the exit status if the process is our child, so that it leaves no zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def wait_gone(identities: list[ProcessIdentity], timeout_seconds: float) -> list[ProcessIdentity]:
    """Wait until all are gone, at most `timeout_seconds`; return those that are not."""
    deadline = time.monotonic() + timeout_seconds
    remaining = list(identities)
    while remaining:
        for identity in remaining:
            reap(identity.pid)
        remaining = [identity for identity in remaining if identity.is_alive()]
        if not remaining or time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    return remaining


def stop_all(identities: list[ProcessIdentity], grace_seconds: float) -> None:
    """Ask all to stop, each with its own signal, and kill what still runs after the grace."""
    for identity in identities:
        identity.send(identity.stop_signal)
    for identity in wait_gone(identities, grace_seconds):
        identity.kill_group()
    left = wait_gone(identities, 5.0)
    if left:
        pids = ", ".join(str(identity.pid) for identity in left)
        raise DevstackError(f"these processes did not even yield to SIGKILL: {pids}")


class DetachedProcess(subprocess.Popen[bytes]):
    """A child that outlives the object (and this process) on purpose, which `Popen` would warn about."""

    def __del__(self) -> None:
        """Say nothing: somebody else stops it by its identity."""


@dataclass(frozen=True)
class Command:
    """How to start one process; `user_id` is an OS user to become first (root only)."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log_file: Path
    stop_signal: int = signal.SIGTERM
    user_id: int | None = None
    group_id: int | None = None
    working_folder: Path = Path("/")

    def start(self) -> DetachedProcess:
        """Start it in a session of its own (a Ctrl-C in the terminal is ours to translate), output to the log."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            return DetachedProcess(
                self.arguments,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.working_folder,
                user=self.user_id,
                group=self.group_id,
                extra_groups=[] if self.user_id is not None else None,
            )

    def run(self, what: str, timeout_seconds: float) -> None:
        """Run it to its end.

        Raises:
            DevstackError: it failed or took too long; the text ends with the last lines of its output.
        """
        try:
            done = subprocess.run(
                self.arguments,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_seconds,
                check=False,
                cwd=self.working_folder,
                user=self.user_id,
                group=self.group_id,
                extra_groups=[] if self.user_id is not None else None,
            )
        except subprocess.TimeoutExpired as late:
            raise DevstackError(f"{what} took longer than {timeout_seconds:.0f} s and was ended") from late
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            log.write(done.stdout)
        if done.returncode != 0:
            tail = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
            raise DevstackError(f"{what} failed with exit status {done.returncode}:\n" + "\n".join(tail))


def last_lines(file: Path, count: int = 15) -> str:
    """The end of a log file, for an error message; empty when there is none."""
    try:
        with file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
