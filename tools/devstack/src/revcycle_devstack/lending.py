"""Servers shared by test sessions: the first that asks starts one, the last that leaves stops it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Final

from revcycle_devstack.files import locked, write_atomically
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.ports import choose_port
from revcycle_devstack.processes import ProcessIdentity, last_lines, stop_all
from revcycle_devstack.servers import Server, prepare_kafka, prepare_postgresql
from revcycle_devstack.waiting import wait_until_ready

_LOCK_SECONDS: Final = 300.0
_GRACE_SECONDS: Final = 15.0

# A test's data is worthless after a crash of the machine; a crash of the server loses nothing either way.
_TEST_SETTINGS: Final = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}

_TEST_POSTGRESQL_PORT: Final = 55532
_TEST_KAFKA_PORT: Final = 19092

_PREPARE: Final[Mapping[str, Callable[[StateLayout], Server]]] = MappingProxyType(
    {
        "postgresql": lambda layout: prepare_postgresql(layout, _TEST_SETTINGS, _TEST_POSTGRESQL_PORT),
        "kafka": lambda layout: prepare_kafka(layout, choose_port(_TEST_KAFKA_PORT)),
    }
)


@dataclass
class _Loan:
    servers: dict[str, ProcessIdentity] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    users: list[ProcessIdentity] = field(default_factory=list)


class Lender:
    """Lends servers of one state folder to the process `user_pid`."""

    def __init__(self, layout: StateLayout, user_pid: int) -> None:
        self.layout = layout
        self._user_pid = user_pid
        self._file = layout.root / "infrastructure.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder while something in it is made."""
        with locked(self.layout.lock_file, _LOCK_SECONDS, "the test infrastructure"):
            yield

    def borrow(self, name: str) -> str:
        """Return the address of a running server, starting it if nobody has.

        Raises:
            DevstackError: it could not be started; the text ends with the end of its log.
        """
        with self.locked():
            loan = self._read()
            user = ProcessIdentity.of(self._user_pid)
            if user is not None and user not in loan.users:
                loan.users.append(user)
            running = loan.servers.get(name)
            if running is None or not running.is_alive():
                self._start(name, loan)
            self._write(loan)
            return loan.addresses[name]

    def give_back(self) -> None:
        """Say that this user is done; when it was the last, stop the servers and remove their data."""
        if not self._file.exists():
            return
        with self.locked():
            loan = self._read()
            loan.users = [user for user in loan.users if user.pid != self._user_pid]
            if not loan.users:
                self._stop(loan)
            self._write(loan)

    def stop_if_unused(self) -> bool:
        """Stop servers that dead sessions left; False when a living session still uses them."""
        if not self._file.exists():
            return True
        with self.locked():
            loan = self._read()
            if loan.users:
                return False
            self._stop(loan)
            self._write(loan)
            return True

    def _start(self, name: str, loan: _Loan) -> None:
        shutil.rmtree(self.layout.root / name, ignore_errors=True)
        server = _PREPARE[name](self.layout)
        process = server.command.start()
        identity = ProcessIdentity.of(process.pid, server.command.stop_signal)
        if identity is not None:
            # Written before it is ready: whoever comes after a crash of ours must know what to stop.
            loan.servers[name] = identity
            loan.addresses[name] = server.address
            self._write(loan)
        log_file = server.command.log_file
        wait_until_ready(name, server.is_ready, identity, server.ready_seconds, lambda: last_lines(log_file))

    def _stop(self, loan: _Loan) -> None:
        stop_all(list(loan.servers.values()), _GRACE_SECONDS)
        for name in loan.servers:
            shutil.rmtree(self.layout.root / name, ignore_errors=True)
        loan.servers.clear()
        loan.addresses.clear()

    def _read(self) -> _Loan:
        if not self._file.exists():
            return _Loan()
        content = json.loads(self._file.read_text(encoding="utf-8"))
        users = [ProcessIdentity(**user) for user in content["users"]]
        return _Loan(
            servers={name: ProcessIdentity(**server) for name, server in content["servers"].items()},
            addresses=content["addresses"],
            users=[user for user in users if user.is_alive()],
        )

    def _write(self, loan: _Loan) -> None:
        write_atomically(self._file, json.dumps(asdict(loan), indent=2) + "\n", mode=0o600)
