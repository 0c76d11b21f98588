"""Apache Kafka in KRaft mode on the loopback interface: one node, or three; each is broker and controller at once."""

import base64
import os
import secrets
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from revcycle_devstack.files import write_atomically
from revcycle_devstack.ports import HOST
from revcycle_devstack.processes import Command

DEFAULT_PORT: Final = 9092

_FORMAT_TIMEOUT_SECONDS: Final = 120.0
_FIRST_NODE: Final = 1
_COPIES: Final = 3
_COPIES_IN_SYNC: Final = 2

_LOGGING: Final = """\
Configuration:
  status: WARN
  Appenders:
    Console:
      name: OUT
      target: SYSTEM_OUT
      PatternLayout:
        pattern: "%d{ISO8601} %-5p %c{1}: %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: OUT
    Logger:
      - name: kafka.server.KafkaRaftServer
        level: INFO
      - name: org.apache.kafka.common.utils.AppInfoParser
        level: INFO
"""


@dataclass(frozen=True)
class Proxied:
    """A second listener for those who come through a proxy: where it listens, and the proxy it sends them to."""

    port: int
    advertised_port: int


def server_properties(
    port: int,
    controller_port: int,
    log_folder: Path,
    *,
    node_id: int = _FIRST_NODE,
    controllers: Mapping[int, int] | None = None,
    proxied: Proxied | None = None,
) -> dict[str, str]:
    """Configuration of a node; the comments say what differs from the defaults and why.

    ``controllers``: controller port by node of the whole cluster, when there are several nodes. Then every record is
    kept by three of them and acknowledged by two, and a node that lags behind never leads.
    """
    quorum = controllers or {node_id: controller_port}
    copies = min(_COPIES, len(quorum))
    in_sync = _COPIES_IN_SYNC if copies == _COPIES else 1
    second_listener = f",PROXIED://{HOST}:{proxied.port}" if proxied else ""
    second_address = f",PROXIED://{HOST}:{proxied.advertised_port}" if proxied else ""
    return {
        "node.id": str(node_id),
        "process.roles": "broker,controller",
        "controller.quorum.voters": ",".join(f"{node}@{HOST}:{at}" for node, at in sorted(quorum.items())),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}{second_listener}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}{second_address}",
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
        "unclean.leader.election.enable": "false",
        "log.dirs": str(log_folder),
        # Topics come from deploy/kafka/topics.yaml; a misspelt name must fail, not quietly become a topic.
        "auto.create.topics.enable": "false",
        "num.partitions": "12",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.num.partitions": "12",
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.num.partitions": "12",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        # Nobody else is about to join: do not make the first consumer of a group wait for more.
        "group.initial.rebalance.delay.ms": "0",
        # Tests of takeover use sessions shorter than the broker's default lower bound of six seconds.
        "group.min.session.timeout.ms": "1000",
        # After kill -9 the node waits until its own old registration expires before it opens its port again.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        "log.retention.hours": "2160",
        "log.retention.bytes": "-1",
        "log.segment.bytes": "134217728",
        # Preallocated indexes of hundreds of partitions would fill the disk with sparse files of 10 MiB each.
        "log.index.size.max.bytes": "1048576",
        "message.max.bytes": "4194304",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "controlled.shutdown.enable": "false",
    }


@dataclass(frozen=True)
class KafkaNode:
    """A folder with the node's configuration and data, and how to run it.

    ``cluster_id``: of the cluster it joins; a lone node makes one of its own. ``overrides``: properties that win over
    `server_properties`. ``scram_passwords``: by user, known to the broker from its first start on. ``class_archive``:
    where the first node of this machine leaves its classes as the Java machine holds them, when it is stopped; later
    nodes start from there in half the time.
    """

    java: Path
    jar_folder: Path
    folder: Path
    port: int
    controller_port: int
    log_file: Path
    node_id: int = _FIRST_NODE
    controllers: Mapping[int, int] = field(default_factory=dict)
    proxied: Proxied | None = None
    cluster_id: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    scram_passwords: Mapping[str, str] = field(default_factory=dict)
    class_archive: Path | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration (ports may have changed) and format the storage unless that was done before.

        Raises:
            DevstackError: formatting failed.
        """
        properties = server_properties(
            self.port,
            self.controller_port,
            self.folder / "data",
            node_id=self.node_id,
            controllers=self.controllers,
            proxied=self.proxied,
        )
        properties.update(self.overrides)
        write_atomically(self._properties_file, "".join(f"{name}={value}\n" for name, value in properties.items()))
        write_atomically(self._logging_file, _LOGGING)
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster_id = self.cluster_id or new_cluster_id()
        users = [
            argument
            for user, password in self.scram_passwords.items()
            for argument in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")
        ]
        # It lives for a second: the compiler that starts fast is all it needs.
        self._java(
            *(*self._classes(), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format"),
            *("-t", cluster_id, "-c", str(self._properties_file), *users),
        ).run("formatting the Kafka storage", _FORMAT_TIMEOUT_SECONDS)

    def serve_command(self) -> Command:
        """How to run the node in the foreground."""
        return self._java(*self._classes(leave=True), "kafka.Kafka", str(self._properties_file))

    @property
    def _properties_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _logging_file(self) -> Path:
        return self.folder / "log4j2.yaml"

    def _classes(self, *, leave: bool = False) -> tuple[str, ...]:
        """Options to start from the archive of classes, or to ``leave`` one when there is none."""
        if self.class_archive is None:
            return ()
        if _is_whole(self.class_archive):
            return (f"-XX:SharedArchiveFile={self.class_archive}",)
        return (f"-XX:ArchiveClassesAtExit={self.class_archive}",) if leave else ()

    def _java(self, *arguments: str) -> Command:
        """A Java program: options of its own if any, its main class and what it is told."""
        return Command(
            arguments=(
                str(self.java),
                "-Xms256m",
                "-Xmx512m",
                # Two cores are shared with everything else: no pools sized for a server, fast start before peak speed.
                "-XX:+UseSerialGC",
                "-XX:+ExitOnOutOfMemoryError",
                "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self._logging_file}",
                "-cp",
                f"{self.jar_folder}/*",
                *arguments,
            ),
            environment=_without_java_options(os.environ),
            log_file=self.log_file,
            stop_signal=signal.SIGTERM,
        )


def _is_whole(class_archive: Path) -> bool:
    """Whether Java ended what it wrote: the header, whose first bytes are a mark, is written last."""
    with suppress(OSError), class_archive.open("rb") as file:
        return any(file.read(4))
    return False


def new_cluster_id() -> str:
    """What the nodes of one cluster share."""
    cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
    # A leading hyphen would read as an option.
    return cluster_id.replace("-", "A", 1) if cluster_id.startswith("-") else cluster_id


def _without_java_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Options meant for other Java programs of this machine would change or break the broker."""
    dropped = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"}
    return {name: value for name, value in environment.items() if name not in dropped}
