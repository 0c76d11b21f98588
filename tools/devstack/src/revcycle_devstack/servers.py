"""PostgreSQL and Kafka of one state folder: found, prepared and ready to be started."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from revcycle_devstack import kafka, postgresql, topics
from revcycle_devstack.discovery import find_java, find_postgresql
from revcycle_devstack.files import SecretStore
from revcycle_devstack.jars import ensure_jars
from revcycle_devstack.layout import StateLayout, cache_folder, checkout_root
from revcycle_devstack.ports import accepts_connections, choose_port
from revcycle_devstack.processes import Command
from revcycle_devstack.waiting import run_async

POSTGRESQL_READY_SECONDS = 60.0
KAFKA_READY_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A server ready to be started: its command, its address and how to ask whether it serves."""

    name: str
    command: Command
    port: int
    address: str
    is_ready: Callable[[], bool]
    notes: tuple[str, ...]
    ready_seconds: float


def _not_used(refused: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"not used: {reason}" for reason in refused)


def prepare_postgresql(
    layout: StateLayout, settings: Mapping[str, str], preferred_port: int = postgresql.DEFAULT_PORT
) -> Server:
    """Find PostgreSQL and make the data directory. `address` is the superuser's URL.

    Raises:
        DevstackError: none is to be had, or initdb failed.
    """
    found = find_postgresql()
    port = choose_port(preferred_port)
    cluster = postgresql.PostgresCluster(
        programs=found.program,
        data_folder=layout.postgresql,
        port=port,
        password=SecretStore(layout.secrets_file).password(postgresql.ADMIN_ROLE),
        log_file=layout.log_file("postgresql"),
        settings=settings,
    )
    cluster.initialise()
    return Server(
        name="postgresql",
        command=cluster.serve_command(),
        port=port,
        address=cluster.admin_url,
        is_ready=lambda: accepts_connections(port) and run_async(postgresql.accepts_queries(cluster.admin_url)),
        notes=(f"PostgreSQL {found.program.version} from {found.program.source}", *_not_used(found.refused)),
        ready_seconds=POSTGRESQL_READY_SECONDS,
    )


def prepare_kafka(
    layout: StateLayout, port: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> Server:
    """Find Java, fetch and check the jars, format the storage for this free port. `address` is `host:port`.

    Raises:
        DevstackError: no Java, a jar that cannot be fetched or is not the locked one, or formatting failed.
    """
    return prepare_brokers(layout, [port], progress=progress)[0]


def prepare_brokers(
    layout: StateLayout,
    ports: Sequence[int],
    proxied: Sequence[kafka.Proxied] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Server]:
    """One server per port, all of one cluster: `kafka`, or `kafka-1`, `kafka-2`, … ; see `prepare_kafka`."""
    found = find_java()
    jar_folder = ensure_jars(checkout_root() / "deploy" / "kafka" / "jars.lock", cache_folder(), progress)
    taken = {*ports, *(port for each in proxied for port in (each.port, each.advertised_port))}
    controllers: dict[int, int] = {}
    for node_id, port in enumerate(ports, start=1):
        controllers[node_id] = choose_port(port + 1, taken)
        taken.add(controllers[node_id])
    cluster_id = kafka.new_cluster_id()
    # Java reads an archive of another version, or of other jars, not at all.
    java_version = "-".join(re.findall(r"\d[\w.]*", found.program.version))
    class_archive = jar_folder.with_name(f"{jar_folder.name}-java-{java_version}.jsa")
    servers = []
    for node_id, (name, port) in enumerate(zip(broker_names(len(ports)), ports, strict=True), start=1):
        node = kafka.KafkaNode(
            java=found.program.executable,
            jar_folder=jar_folder,
            folder=layout.kafka if len(ports) == 1 else layout.kafka / name,
            port=port,
            controller_port=controllers[node_id],
            log_file=layout.log_file(name),
            node_id=node_id,
            controllers=controllers,
            proxied=proxied[node_id - 1] if proxied else None,
            cluster_id=cluster_id,
            class_archive=class_archive,
        )
        node.prepare()
        notes = (f"Apache Kafka 4.4.0 on {found.program.version} ({found.program.source})", *_not_used(found.refused))
        servers.append(
            Server(
                name=name,
                command=node.serve_command(),
                port=port,
                address=node.bootstrap_servers,
                is_ready=partial(_broker_answers, port, node.bootstrap_servers),
                notes=notes if node_id == 1 else (),
                ready_seconds=KAFKA_READY_SECONDS,
            )
        )
    return servers


def broker_names(brokers: int) -> tuple[str, ...]:
    """Names of the brokers' processes."""
    return ("kafka",) if brokers == 1 else tuple(f"kafka-{number}" for number in range(1, brokers + 1))


def _broker_answers(port: int, address: str) -> bool:
    return accepts_connections(port) and run_async(topics.answers(address))
