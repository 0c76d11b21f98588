"""Free TCP ports on the loopback interface, never promised to two stacks that start at the same time."""

import fcntl
import os
import secrets
import socket
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"

_TRIES: Final = 100
_FALLBACK_PORTS: Final = range(20_000, 32_000)

# Locks on the ports this process promised; the system frees them when it ends, by then the server itself listens.
_reserved: dict[int, int] = {}


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT is free for them.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int, host: str = HOST, timeout_seconds: float = 1.0) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds):
            return True
    except OSError:
        return False


def choose_port(preferred: int, taken: Collection[int] = ()) -> int:
    """Return `preferred` when it is free and not promised to someone else, else another free one."""
    if preferred not in taken and is_free(preferred) and _reserve(preferred):
        return preferred
    # Below the range outgoing connections take theirs from: one of those could sit on a port before its server does.
    # Drawn, not counted up: a server's second port is often asked for as its first plus one.
    for _ in range(_TRIES):
        port = secrets.choice(_FALLBACK_PORTS)
        if port not in taken and port not in _reserved and is_free(port) and _reserve(port):
            return port
    raise OSError(f"no free TCP port found on the loopback interface in {_TRIES} tries")


def _reserve(port: int) -> bool:
    """Promise the port to this process; False when another living process promised it to itself."""
    if port in _reserved:
        return True
    folder = Path(tempfile.gettempdir()) / f"revcycle-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # A bare descriptor: it is to stay open, unseen, until this process ends.
    promise = os.open(folder / str(port), os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        fcntl.flock(promise, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(promise)
        return False
    _reserved[port] = promise
    return True
