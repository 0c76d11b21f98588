"""PostgreSQL and Kafka for tests out of containers, by testcontainers: the official images, fresh and thrown away.

`REVCYCLE_TEST_SERVERS` says where tests get their servers: `devstack` (the default, no engine needed), `containers`, or
`auto` (containers when an engine answers).
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from revcycle_devstack import DevstackError
from revcycle_devstack.kafka import server_properties
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.ports import HOST, choose_port
from revcycle_devstack.postgresql import ADMIN_ROLE, SETTINGS, accepts_queries
from revcycle_devstack.topics import answers
from revcycle_devstack.waiting import run_async, wait_until_ready

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

POSTGRESQL_IMAGE: Final = "postgres:18"
KAFKA_IMAGE: Final = "apache/kafka:4.4.0"
CHOICE: Final = "REVCYCLE_TEST_SERVERS"

_INITDB: Final = "--encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
_READY_SECONDS: Final = 90.0
_ENGINE_SECONDS: Final = 10
_FIRST_KAFKA_PORT: Final = 29_092
_KAFKA_DATA: Final = "/var/lib/kafka/data"
# Where this machine's own settings say; in a container the image knows.
_NOT_FOR_CONTAINERS: Final = frozenset({"listen_addresses", "unix_socket_directories"})


def engine_answers() -> bool:
    """Whether a Docker engine answers now."""
    try:
        subprocess.run(["docker", "info"], capture_output=True, check=True, timeout=_ENGINE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def wanted_servers(environment: Mapping[str, str] = os.environ) -> Literal["devstack", "containers"]:
    """Where tests get PostgreSQL and Kafka from.

    Raises:
        DevstackError: the variable is none of the three words, or asks for containers and no engine answers.
    """
    choice = environment.get(CHOICE, "devstack")
    if choice == "devstack":
        return "devstack"
    if choice not in ("containers", "auto"):
        raise DevstackError(f"{CHOICE}={choice}: it is devstack, containers or auto")
    if engine_answers():
        return "containers"
    if choice == "auto":
        return "devstack"
    raise DevstackError(f"{CHOICE}=containers, but no Docker engine answers: start one, or leave the variable away")


class ContainerServers:
    """A PostgreSQL and a Kafka of their own, running while the block runs."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._postgresql: DockerContainer | None = None
        self._kafka: DockerContainer | None = None
        self.admin_url = ""
        self.bootstrap_servers = ""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a stack finds them."""
        return {"DATABASE_URL_BASE": self.admin_url, "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}

    def __enter__(self) -> Self:
        try:
            self._start_postgresql()
            self._start_kafka()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _start_postgresql(self) -> None:
        from testcontainers.community.postgres import PostgresContainer

        settings = {name: value for name, value in SETTINGS.items() if name not in _NOT_FOR_CONTAINERS}
        settings |= {"fsync": "off", "full_page_writes": "off"}
        command = ["postgres", *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]
        container = PostgresContainer(POSTGRESQL_IMAGE, username=ADMIN_ROLE, dbname="postgres", driver=None)
        container.with_env("POSTGRES_INITDB_ARGS", _INITDB).with_command(command)
        self._postgresql = self._held.enter_context(container)
        self.admin_url = container.get_connection_url(host=HOST)
        wait_until_ready("postgresql", lambda: run_async(accepts_queries(self.admin_url)), None, _READY_SECONDS)

    def _start_kafka(self) -> None:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        port = choose_port(_FIRST_KAFKA_PORT)
        container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
        for name, value in contained_properties(port).items():
            container.with_env(f"KAFKA_{name.replace('.', '_').upper()}", value)
        # The engine's proxy takes connections long before the broker does, so the port alone says nothing.
        container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(int(_READY_SECONDS)))
        self._kafka = self._held.enter_context(container)
        self.bootstrap_servers = f"{HOST}:{port}"
        wait_until_ready("kafka", lambda: run_async(answers(self.bootstrap_servers)), None, _READY_SECONDS)

    def bring_files(self, layout: StateLayout) -> None:
        """Put the broker's files and both servers' logs where devstack's own servers would have put them."""
        assert self._postgresql is not None and self._kafka is not None, "the servers run"
        layout.logs.mkdir(parents=True, exist_ok=True)
        for name, container in (("postgresql", self._postgresql), ("kafka", self._kafka)):
            layout.log_file(name).write_bytes(b"".join(container.get_logs()))
        chunks, _ = self._kafka.get_wrapped_container().get_archive(_KAFKA_DATA)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            archive.extractall(layout.kafka, filter="data")


def contained_properties(port: int) -> dict[str, str]:
    """devstack's configuration of one node, its listeners moved: reached from this machine at ``port``."""
    return {
        **server_properties(9092, 9093, Path(_KAFKA_DATA)),
        "listeners": "CLIENT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "controller.quorum.voters": "1@localhost:9093",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
