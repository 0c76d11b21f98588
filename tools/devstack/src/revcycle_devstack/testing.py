"""pytest plugin: lends tests a real PostgreSQL and a real Kafka, started once and only when a test asks.

Addresses in the environment (`DATABASE_URL_BASE`, `KAFKA_BOOTSTRAP_SERVERS`) are used as they are. Otherwise servers
are started with their state under `.revcycle/test/`, shared by sessions that run at the same time in one checkout; the
last session that ends stops them and removes their data. Each worker of a session that is spread over several has
servers of its own: topics have the same names in every test.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import asyncpg
import pytest

from revcycle_devstack.containers import ContainerServers, wanted_servers
from revcycle_devstack.discovery import MINIMUM_POSTGRESQL
from revcycle_devstack.files import SecretStore
from revcycle_devstack.layout import StateLayout, default_state_folder
from revcycle_devstack.lending import Lender
from revcycle_devstack.postgresql import refuse_old_server
from revcycle_devstack.roles import CHECKER_ROLE, DatabaseGrant, ensure_checker, ensure_database, url_for
from revcycle_devstack.topics import TopicDefinition, delete_topics, ensure_topics
from revcycle_devstack.waiting import run_async


@dataclass(frozen=True)
class TestDatabase:
    """One fresh database with an owner and a service role, their rights as in production."""

    __test__ = False

    name: str
    owner_url: str
    service_url: str
    checker_url: str
    owner_role: str
    service_role: str


class PostgresServer:
    """A PostgreSQL server lent to tests; usable from any event loop."""

    def __init__(self, admin_url: str, checker_password: str) -> None:
        self.admin_url = admin_url
        self._checker_password = checker_password
        self._made: list[TestDatabase] = []

    async def create_database(self, purpose: str) -> TestDatabase:
        """Make a database of its own for `purpose` (letters, digits and underscores; it becomes part of the name)."""
        if not purpose.replace("_", "").isalnum() or len(purpose) > 30:
            raise ValueError(f"purpose {purpose!r}: at most 30 letters, digits and underscores")
        name = f"test_{purpose.lower()}_{secrets.token_hex(4)}"
        grant = DatabaseGrant(
            database=name,
            owner_role=f"{name}_owner",
            owner_password=secrets.token_urlsafe(12),
            service_role=f"{name}_service",
            service_password=secrets.token_urlsafe(12),
        )
        await ensure_database(self.admin_url, grant)
        database = TestDatabase(
            name=name,
            owner_url=url_for(self.admin_url, name, grant.owner_role, grant.owner_password),
            service_url=url_for(self.admin_url, name, grant.service_role, grant.service_password),
            checker_url=url_for(self.admin_url, name, CHECKER_ROLE, self._checker_password),
            owner_role=grant.owner_role,
            service_role=grant.service_role,
        )
        self._made.append(database)
        return database

    async def drop_database(self, database: TestDatabase) -> None:
        """Drop the database, ending whatever is still connected to it, and its two roles."""
        connection = await asyncpg.connect(self.admin_url, timeout=30)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')
            await connection.execute(f'DROP ROLE IF EXISTS "{database.owner_role}", "{database.service_role}"')
        finally:
            await connection.close()
        self._made = [made for made in self._made if made != database]

    async def drop_all(self) -> None:
        """Drop every database this object made; for a server that goes on after the tests."""
        for database in tuple(self._made):
            await self.drop_database(database)


class KafkaBroker:
    """A Kafka broker lent to tests; usable from any event loop."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    async def create_topics(self, names: Iterable[str], partitions: int = 12, prefix: str = "") -> tuple[str, ...]:
        """Create the topics `prefix + name` that are missing; return all their names, ready for records."""
        full_names = tuple(prefix + name for name in names)
        wanted = [TopicDefinition(name, "key", "test", partitions, retention_days=1) for name in full_names]
        await ensure_topics(self.bootstrap_servers, wanted)
        return full_names

    async def delete_topics(self, names: Iterable[str]) -> None:
        """Delete topics by their full names; those that do not exist are passed over."""
        await delete_topics(self.bootstrap_servers, names)


class Infrastructure:
    """Both servers, each started when it is first asked for."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._postgresql: PostgresServer | None = None
        self._kafka: KafkaBroker | None = None
        self._contained: ContainerServers | None = None

    def _address(self, variable: str, name: str) -> str:
        """Of a server: the environment's, else a container's when asked for, else one that is lent."""
        if external := os.environ.get(variable):
            return external
        if wanted_servers() == "devstack":
            return self._lender.borrow(name)
        if self._contained is None:
            self._contained = ContainerServers().__enter__()
        return self._contained.environment[variable]

    @property
    def postgresql(self) -> PostgresServer:
        """The PostgreSQL server."""
        if self._postgresql is None:
            external = os.environ.get("DATABASE_URL_BASE")
            if external:
                run_async(refuse_old_server(external, MINIMUM_POSTGRESQL))
            admin_url = self._address("DATABASE_URL_BASE", "postgresql")
            with self._lender.locked():
                password = SecretStore(self._lender.layout.secrets_file).password(CHECKER_ROLE)
                run_async(ensure_checker(admin_url, password))
            self._postgresql = PostgresServer(admin_url, password)
        return self._postgresql

    @property
    def kafka(self) -> KafkaBroker:
        """The Kafka broker."""
        if self._kafka is None:
            self._kafka = KafkaBroker(self._address("KAFKA_BOOTSTRAP_SERVERS", "kafka"))
        return self._kafka

    def close(self) -> None:
        """Leave nothing behind on a server that goes on after the tests."""
        if self._postgresql is not None and os.environ.get("DATABASE_URL_BASE"):
            run_async(self._postgresql.drop_all())
        if self._contained is not None:
            self._contained.__exit__()


def _lender() -> Lender:
    """Of this process; pytest-xdist names its workers gw0, gw1 and so on."""
    folder = default_state_folder() / "test" / os.environ.get("PYTEST_XDIST_WORKER", "")
    return Lender(StateLayout(folder), os.getpid())


@pytest.fixture(scope="session")
def infrastructure() -> Iterator[Infrastructure]:
    """PostgreSQL and Kafka for tests; each is found or started when first used."""
    lent = Infrastructure(_lender())
    yield lent
    lent.close()


@pytest.fixture(scope="session")
def postgresql(infrastructure: Infrastructure) -> PostgresServer:
    """A real PostgreSQL server; make a database of your own on it."""
    return infrastructure.postgresql


@pytest.fixture(scope="session")
def kafka(infrastructure: Infrastructure) -> KafkaBroker:
    """A real Kafka broker; make topics of your own on it."""
    return infrastructure.kafka


def pytest_sessionfinish() -> None:
    """Stop the servers when this was the last session that used them."""
    _lender().give_back()
