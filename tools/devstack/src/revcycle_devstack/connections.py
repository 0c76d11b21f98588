"""How to reach what a stack runs: databases by role, the broker, the REST APIs. Read from its state folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from revcycle_devstack import DevstackError
from revcycle_devstack.files import SecretStore
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.roles import CHECKER_ROLE, DatabaseGrant, database_name, url_for


@dataclass(frozen=True)
class Connections:
    """Addresses of one stack. `postgresql_url` holds host, port and query, but no role and no password."""

    layout: StateLayout
    postgresql_url: str
    kafka_bootstrap_servers: str

    def grant(self, service: str) -> DatabaseGrant:
        """Database, roles and passwords of a service; passwords are made on first use."""
        database = database_name(service)
        secrets = SecretStore(self.layout.secrets_file)
        owner, role = f"{database}_owner", f"{database}_service"
        return DatabaseGrant(database, owner, secrets.password(owner), role, secrets.password(role))

    def database_url(self, service: str) -> str:
        """What the service itself connects with."""
        grant = self.grant(service)
        return url_for(self.postgresql_url, grant.database, grant.service_role, grant.service_password)

    def owner_url(self, service: str) -> str:
        """What migrations connect with."""
        grant = self.grant(service)
        return url_for(self.postgresql_url, grant.database, grant.owner_role, grant.owner_password)

    def checker_url(self, service: str) -> str:
        """Reads every row of the service's database, writes none."""
        password = SecretStore(self.layout.secrets_file).password(CHECKER_ROLE)
        return url_for(self.postgresql_url, database_name(service), CHECKER_ROLE, password)

    @property
    def token_key_file(self) -> Path:
        """Key that signs development bearer tokens."""
        return self.layout.token_key_file


@dataclass(frozen=True)
class RunningStack:
    """What was written about a running stack, for commands that use it from outside.

    ``payer_door``: the payer simulator's address as the services reach it; None without a simulator.
    """

    connections: Connections
    urls: Mapping[str, str]
    payer_door: str | None = None


def connect_to(state_dir: Path) -> RunningStack:
    """Read the addresses of the stack in this state folder; `urls` by process and, for services, by service name.

    Raises:
        DevstackError: no stack was ever started there.
    """
    layout = StateLayout(state_dir)
    try:
        content = json.loads(layout.state_file.read_text(encoding="utf-8"))
        addresses = content["connections"]
        urls = content["urls"]
    except (OSError, ValueError, KeyError) as error:
        raise DevstackError(
            f"nothing runs from {state_dir}: start it with `revcycle up` or `revcycle demo --keep`"
        ) from error
    connections = Connections(layout, addresses["postgresql"], addresses["kafka"])
    return RunningStack(connections, urls, content.get("payer_door") or urls.get("payer-simulator"))
