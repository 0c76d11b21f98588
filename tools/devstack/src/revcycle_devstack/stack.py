"""Starts a whole stack in order, keeps it alive, and stops it in reverse order.

PostgreSQL, Kafka and the payer simulator start side by side; each service's migration begins as soon as PostgreSQL is
there; services start together when databases, topics and keys are ready.
"""

import asyncio
import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from revcycle_devstack import DevstackError, kafka, postgresql, topics
from revcycle_devstack.attack_tools import ensure_toxiproxy
from revcycle_devstack.connections import Connections
from revcycle_devstack.discovery import MINIMUM_POSTGRESQL
from revcycle_devstack.files import SecretStore, locked
from revcycle_devstack.keys import write_development_keys
from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.logs import LogFollower
from revcycle_devstack.memory_disk import mount_memory_disk, unmount_memory_disk
from revcycle_devstack.network import TOXIPROXY_PROCESS, Network, plan_network, toxiproxy_server
from revcycle_devstack.plan import (
    PAYER_PORT,
    PAYER_PROCESS,
    PlannedProcess,
    StackOptions,
    migration_environment,
    payer_arguments,
    payer_environment,
    plan_processes,
    service_environment,
    service_program,
)
from revcycle_devstack.ports import HOST, choose_port
from revcycle_devstack.probes import answers_ok
from revcycle_devstack.processes import Command
from revcycle_devstack.roles import CHECKER_ROLE, ensure_checker, ensure_database
from revcycle_devstack.servers import Server, broker_names, prepare_brokers, prepare_postgresql
from revcycle_devstack.state import Phase, empty_state_folder, stop_recorded, supervisor_of, write_state
from revcycle_devstack.supervision import Kind, ProcessSpec, ProcessStatus, SupervisedProcess
from revcycle_devstack.waiting import run_async

GRACE_SECONDS: Final = 25.0

_MIGRATION_SECONDS: Final = 180.0
_SERVICE_READY_SECONDS: Final = 90.0
_PAYER_READY_SECONDS: Final = 60.0
_EARLIER_SUPERVISOR_SECONDS: Final = 0.5
_STEPS_AT_ONCE: Final = 16
_FIRST_PROXY_PORT: Final = 24_000
_DISK_SHARE_OF_LOG: Final = 6

Progress = Callable[[str], None]


class AlreadyRunningError(DevstackError):
    """Another supervisor holds this state folder."""


class Stack:
    """A running stack; use it in a `with` or `async with` block, which stops everything at the end.

    `write_keys` makes the development keys of the services before they start.
    """

    def __init__(
        self,
        options: StackOptions,
        progress: Progress | None = None,
        write_keys: Callable[[StateLayout, StackOptions], None] = write_development_keys,
    ) -> None:
        # Processes run in folders of their own: a relative path would mean another folder to each.
        self.options = dataclasses.replace(options, state_dir=options.state_dir.resolve())
        self._layout = StateLayout(self.options.state_dir)
        self._progress = progress or (lambda text: None)
        self._write_keys = write_keys
        self._held = ExitStack()
        self._guard = threading.RLock()
        self._stopping = False
        self._phase: Phase = "starting"
        self._notes: list[str] = []
        self._supervised: dict[str, SupervisedProcess] = {}
        self._connections = Connections(self._layout, "", "")
        self._planned: tuple[PlannedProcess, ...] = ()
        self._payer_url: str | None = None
        self._admin_url = ""
        self._postgresql_port = postgresql.DEFAULT_PORT
        self._broker_ports: list[int] = []
        self._proxied: list[kafka.Proxied] = []
        self._network: Network | None = None

    # ---- life

    def start(self) -> Self:
        """Start everything and return when it is ready.

        Raises:
            AlreadyRunningError: a stack runs from this folder already.
            DevstackError: something could not be started; everything started so far is stopped again.
        """
        self._take_folder()
        try:
            self._plan()
            self._start_in_order()
            self._set_phase("ready")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop services, then simulators, then Kafka and PostgreSQL; kill what outlasts the grace."""
        with self._guard:
            self._stopping = True
            supervised = list(self._supervised.values())
        kinds: tuple[Kind, ...] = ("service", "simulator", "infrastructure")
        try:
            for kind in kinds:
                _stop_together([one for one in supervised if one.spec.kind == kind], grace_seconds)
        except KeyboardInterrupt:
            # A second Ctrl-C: no more waiting.
            _stop_together(supervised, 0.0)
        finally:
            self._set_phase("stopped")
            self._held.close()

    def __enter__(self) -> Self:
        return self if self._phase == "ready" else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    # ---- what runs

    @property
    def state_dir(self) -> Path:
        """Folder of state, logs and keys."""
        return self._layout.root

    @property
    def processes(self) -> tuple[ProcessStatus, ...]:
        """Every process as it is now, in the order of their start."""
        with self._guard:
            return tuple(one.status for one in self._supervised.values())

    @property
    def urls(self) -> dict[str, str]:
        """Base address by process name and, for a service, by its own name (its first instance)."""
        urls = {process.service: process.url for process in reversed(self._planned)}
        urls.update({process.name: process.url for process in self._planned})
        if self._payer_url is not None:
            urls[PAYER_PROCESS] = self._payer_url
        return urls

    @property
    def network(self) -> Network | None:
        """The proxies between the services and their servers, when the options asked for them."""
        return self._network

    @property
    def connections(self) -> Connections:
        """Addresses of databases and broker."""
        return self._connections

    @property
    def kafka_bootstrap_servers(self) -> str:
        """`host:port` of the broker; of each, with commas, when there are several."""
        return self._connections.kafka_bootstrap_servers

    @property
    def token_key_file(self) -> Path:
        """Key that signs development bearer tokens."""
        return self._layout.token_key_file

    def database_url(self, service: str) -> str:
        """What the service connects with."""
        return self._connections.database_url(service)

    def owner_url(self, service: str) -> str:
        """What its migrations connect with."""
        return self._connections.owner_url(service)

    def checker_url(self, service: str) -> str:
        """Reads every row of the service's database, writes none."""
        return self._connections.checker_url(service)

    # ---- faults

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process behind the supervisor's back; it is started again after the backoff."""
        self._process(name).send(number)

    def hold_down(self, name: str) -> None:
        """Kill a process and keep it from being started again until `release`."""
        self._process(name).hold_down()

    def release(self, name: str) -> None:
        """Let a process that is held down be started again; see `wait_ready`."""
        self._process(name).release()

    def restart(self, name: str) -> None:
        """End a process in its own way and start it again without a pause; see `wait_ready`."""
        self._process(name).restart(GRACE_SECONDS)

    def wait_ready(self, name: str, timeout_seconds: float = 60.0) -> None:
        """Wait until a process is ready (again).

        Raises:
            DevstackError: it died three times meanwhile, or the time was up.
        """
        self._process(name).wait_ready(timeout_seconds)

    def _process(self, name: str) -> SupervisedProcess:
        try:
            return self._supervised[name]
        except KeyError as unknown:
            names = ", ".join(self._supervised)
            raise DevstackError(f"no process is called {name}; there are: {names}") from unknown

    # ---- start, step by step

    def _take_folder(self) -> None:
        folder_lock = locked(self._layout.lock_file, _EARLIER_SUPERVISOR_SECONDS, f"the stack in {self._layout.root}")
        try:
            self._held.enter_context(folder_lock)
        except DevstackError as busy:
            supervisor = supervisor_of(self._layout)
            pid = f" (supervisor: pid {supervisor.pid})" if supervisor else ""
            raise AlreadyRunningError(f"a stack runs from {self._layout.root} already{pid}") from busy
        # What a killed supervisor left running would hold the ports and the data.
        stop_recorded(self._layout, GRACE_SECONDS)
        if self.options.fresh:
            empty_state_folder(self._layout)
        self._layout.root.mkdir(parents=True, exist_ok=True)
        if self.options.echo:
            follower = LogFollower(self._layout.logs)
            follower.start()
            self._held.callback(follower.stop)

    def _plan(self) -> None:
        self._planned = plan_processes(self.options, choose_port)
        if "payer" in self.options.simulators:
            taken = {process.port for process in self._planned}
            self._payer_url = f"https://{HOST}:{choose_port(PAYER_PORT, taken)}"
        external = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not external:
            for number in range(self.options.brokers):
                self._broker_ports.append(choose_port(kafka.DEFAULT_PORT + 2 * number, set(self._broker_ports)))
        # Known before the broker runs: migrations, which start earlier, get the environment of their service.
        own = ",".join(f"{HOST}:{port}" for port in self._broker_ports)
        self._connect(kafka_bootstrap_servers=external or own)
        if self.options.proxied:
            self._plan_network()

    def _plan_network(self) -> None:
        if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or os.environ.get("DATABASE_URL_BASE"):
            raise DevstackError(
                "proxies stand before servers of our own only: unset DATABASE_URL_BASE and KAFKA_BOOTSTRAP_SERVERS"
            )
        promised = {process.port for process in self._planned} | set(self._broker_ports)

        def next_port() -> int:
            promised.add(port := choose_port(_FIRST_PROXY_PORT + len(promised), promised))
            return port

        listeners = {name: next_port() for name in broker_names(self.options.brokers)}
        self._postgresql_port = choose_port(postgresql.DEFAULT_PORT, promised)
        names = [process.name for process in self._planned]
        self._network = plan_network(names, self._postgresql_port, listeners, next_port)
        self._proxied = [kafka.Proxied(route.upstream_port, route.port) for route in self._network.to_brokers]

    def _start_in_order(self) -> None:
        with ThreadPoolExecutor(_STEPS_AT_ONCE, thread_name_prefix="start") as pool:
            try:
                self._start_with(pool)
            except BaseException:
                # Else leaving the block would wait for processes that nobody wants any more.
                self._abandon()
                raise
        for process in self._planned:
            self._progress(f"{process.name} on {process.url}")

    def _abandon(self) -> None:
        with self._guard:
            self._stopping = True
            supervised = list(self._supervised.values())
        for one in supervised:
            one.request_stop()

    def _start_with(self, pool: ThreadPoolExecutor) -> None:
        keys = pool.submit(self._write_keys, self._layout, self.options)
        simulators = [pool.submit(self._start_payer)] if self._payer_url is not None else []
        broker = pool.submit(self._start_kafka)
        proxies = [pool.submit(self._start_toxiproxy, self._network)] if self._network else []
        self._start_postgresql()
        migrations = [pool.submit(self._prepare_database, service, keys) for service in self.options.services]
        _all_done([keys, broker, *proxies, *migrations, *simulators])
        for process in self._planned:
            self._start_service(process)
        _all_done([pool.submit(self.wait_ready, p.name, _SERVICE_READY_SECONDS) for p in self._planned])

    def _start_postgresql(self) -> None:
        external = os.environ.get("DATABASE_URL_BASE")
        if external:
            version = run_async(postgresql.refuse_old_server(external, MINIMUM_POSTGRESQL))
            self._note(f"PostgreSQL {version}: the one DATABASE_URL_BASE names")
            admin_url = external
        else:
            admin_url = self._start_server(self._prepare_postgresql())
        parts = urlsplit(admin_url)
        address = urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], "", parts.query, ""))
        self._connect(postgresql_url=address)
        self._admin_url = admin_url
        run_async(ensure_checker(admin_url, SecretStore(self._layout.secrets_file).password(CHECKER_ROLE)))

    def _prepare_postgresql(self) -> Server:
        mebibytes = self.options.postgresql_disk_mib
        if mebibytes is None:
            return prepare_postgresql(self._layout, {}, self._postgresql_port)
        disk = self._layout.postgresql.parent
        mount_memory_disk(disk, mebibytes)
        self._held.callback(unmount_memory_disk, disk)
        self._note(f"PostgreSQL's data on a tmpfs of {mebibytes} MiB: nothing of it outlasts this stack")
        settings = {"max_wal_size": f"{mebibytes // _DISK_SHARE_OF_LOG}MB"}
        return prepare_postgresql(self._layout, settings, self._postgresql_port)

    def _start_kafka(self) -> None:
        definitions = topics.load_topics(checkout_root() / "deploy" / "kafka" / "topics.yaml")
        external = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        bootstrap_servers = self.kafka_bootstrap_servers
        if external:
            self._note(f"Kafka at {external}: the one KAFKA_BOOTSTRAP_SERVERS names")
        else:
            servers = prepare_brokers(self._layout, self._broker_ports, self._proxied, self._tell_jars)
            # Together: a node alone has no quorum and never becomes ready.
            launched = [(self._launch_server(server), server) for server in servers]
            for supervised, server in launched:
                supervised.wait_ready(server.ready_seconds)
            if len(servers) > 1:
                run_async(topics.await_brokers(bootstrap_servers, len(servers)))
        made = run_async(topics.ensure_topics(bootstrap_servers, definitions))
        if external and self.options.fresh and len(made) < len(definitions):
            raise DevstackError(
                f"a fresh start was asked for, but the Kafka at {external} holds topics of an earlier one: "
                "delete the topics revcycle.* there, or unset KAFKA_BOOTSTRAP_SERVERS"
            )

    def _tell_jars(self, done: int, total: int) -> None:
        if done % 15 == 0:
            self._progress(f"Kafka: {done} of {total} jars at hand")

    def _start_toxiproxy(self, network: Network) -> None:
        executable = ensure_toxiproxy()
        log_file = self._layout.log_file(TOXIPROXY_PROCESS)
        self._start_server(toxiproxy_server(executable, network, self._layout.root, log_file))

    def _start_server(self, server: Server) -> str:
        self._launch_server(server).wait_ready(server.ready_seconds)
        return server.address

    def _launch_server(self, server: Server) -> SupervisedProcess:
        for note in server.notes:
            self._note(note)
        url = f"{server.name}://{HOST}:{server.port}"
        spec = ProcessSpec(server.name, "infrastructure", server.command, url, server.is_ready, server.ready_seconds)
        return self._launch(spec)

    def _prepare_database(self, service: str, keys: "Future[None]") -> None:
        created = run_async(ensure_database(self._admin_url, self._connections.grant(service)))
        if not created and self.options.fresh and os.environ.get("DATABASE_URL_BASE"):
            raise DevstackError(
                "a fresh start was asked for, but the PostgreSQL that DATABASE_URL_BASE names holds the databases of "
                "an earlier one: drop the databases revcycle_* there, or unset the variable"
            )
        keys.result()
        process = next(one for one in self._planned if one.service == service)
        serving = self._service_environment(process)
        Command(
            arguments=(*self._program(service), "migrate"),
            environment=migration_environment(serving, self._connections, service),
            log_file=self._layout.log_file(f"migrate-{service}"),
            working_folder=checkout_root(),
        ).run(f"the migration of {service}", _MIGRATION_SECONDS)
        self._progress(f"{service}: database migrated")

    def _start_payer(self) -> None:
        assert self._payer_url is not None
        url, port = self._payer_url, urlsplit(self._payer_url).port
        command = Command(
            arguments=payer_arguments(self.options, port or PAYER_PORT),
            environment=payer_environment(os.environ, self.options),
            log_file=self._layout.log_file(PAYER_PROCESS),
            working_folder=checkout_root(),
        )

        def is_ready() -> bool:
            return answers_ok(f"{url}/livez", self._layout.payer_ca_file)

        self._layout.payer.mkdir(parents=True, exist_ok=True)
        spec = ProcessSpec(PAYER_PROCESS, "simulator", command, url, is_ready, _PAYER_READY_SECONDS)
        self._launch(spec).wait_ready(spec.ready_seconds)
        self._progress(f"{PAYER_PROCESS} on {url}")

    def _start_service(self, process: PlannedProcess) -> None:
        command = Command(
            arguments=(*self._program(process.service), "serve"),
            environment=self._service_environment(process),
            log_file=self._layout.log_file(process.name),
            working_folder=checkout_root(),
        )
        self._launch(
            ProcessSpec(
                process.name,
                "service",
                command,
                process.url,
                lambda: answers_ok(f"{process.url}/readyz"),
                _SERVICE_READY_SECONDS,
            )
        )

    def _program(self, service: str) -> Sequence[str]:
        return self.options.programs.get(service, service_program(service))

    def _service_environment(self, process: PlannedProcess) -> dict[str, str]:
        return service_environment(os.environ, self.options, self._connections, process, self._payer_url, self._network)

    def _launch(self, spec: ProcessSpec) -> SupervisedProcess:
        supervised = SupervisedProcess(spec, self._write_state, self.options.longest_backoff_seconds)
        with self._guard:
            if self._stopping:
                raise DevstackError(f"{spec.name} is not started: the stack is being stopped")
            self._supervised[spec.name] = supervised
        supervised.start()
        return supervised

    def _connect(self, postgresql_url: str | None = None, kafka_bootstrap_servers: str | None = None) -> None:
        with self._guard:
            self._connections = Connections(
                self._layout,
                postgresql_url or self._connections.postgresql_url,
                kafka_bootstrap_servers or self._connections.kafka_bootstrap_servers,
            )

    def _write_state(self) -> None:
        with self._guard:
            write_state(self._layout, self._connections, self.urls, self.processes, self._phase, self._notes)

    def _set_phase(self, phase: Phase) -> None:
        with self._guard:
            self._phase = phase
        self._write_state()

    def _note(self, text: str) -> None:
        with self._guard:
            self._notes.append(text)
        self._progress(text)


def _stop_together(supervised: list[SupervisedProcess], grace_seconds: float) -> None:
    for one in supervised:
        one.request_stop()
    with ThreadPoolExecutor(max(1, len(supervised))) as pool:
        list(pool.map(lambda one: one.finish_stop(grace_seconds), supervised))


def _all_done(steps: "Sequence[Future[None]]") -> None:
    """Wait for all; the first failure in order of time is raised as soon as it is known."""
    done, _ = wait(steps, return_when=FIRST_EXCEPTION)
    for step in done:
        step.result()


def start_stack(options: StackOptions, progress: Progress | None = None) -> Stack:
    """Start a stack and return it when it is ready; stop it with `with` or `stop()`.

    Raises:
        DevstackError: see `Stack.start`.
    """
    return Stack(options, progress).start()
