"""One stack for the tests that need none of their own."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from revcycle_devstack.connections import connect_to
from revcycle_devstack.containers import ContainerServers, wanted_servers
from revcycle_devstack.files import SecretStore
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.postgresql import ADMIN_ROLE
from revcycle_devstack.stack import Stack

from .harness import (
    BUSINESS_DATE,
    SERVERS_FROM_OUTSIDE,
    Caller,
    Json,
    Ran,
    Visits,
    demo,
    json_lines,
    own_servers,
    revcycle,
    set_up,
)

SEED = 11
ENCOUNTERS = 100


@dataclass(frozen=True)
class Kept:
    """A demonstration that was left running."""

    ran: Ran
    state_dir: Path
    superuser_password: str

    def command(self, *arguments: str) -> Ran:
        """Run a command against it."""
        return revcycle(*arguments, "--state-dir", str(self.state_dir))

    def truth(self) -> list[Json]:
        """What was planted."""
        return json_lines((self.state_dir / "truth.jsonl").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def contained_servers() -> Iterator[ContainerServers | None]:
    """The shared stack's PostgreSQL and Kafka when they are containers; None when devstack starts them."""
    if wanted_servers() == "devstack":
        yield None
        return
    with ContainerServers() as servers:
        yield servers


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, contained_servers: ContainerServers | None) -> Iterator[Stack]:
    """Everything runs, the tenant is set up; timeouts at the payers' door are short, claims can be made to fail."""
    faults = tmp_path_factory.mktemp("faults") / "texts"
    options = StackOptions(
        state_dir=tmp_path_factory.mktemp("shared-stack"),
        simulators=("payer",),
        seed=SEED,
        business_date=BUSINESS_DATE,
        trace_ratio=1,
        extra_environment={
            "adjudication-gateway": {
                "REVCYCLE_PAYER_CONNECT_TIMEOUT_SECONDS": "2",
                "REVCYCLE_PAYER_READ_TIMEOUT_SECONDS": "2",
            },
            "claims": {"REVCYCLE_TEST_FAULTS": str(faults)},
        },
        programs={"claims": (sys.executable, str(Path(__file__).with_name("faulty_claims.py")))},
    )
    with pytest.MonkeyPatch.context() as patched:
        for name in SERVERS_FROM_OUTSIDE:
            patched.delenv(name, raising=False)
        for name, address in (contained_servers.environment if contained_servers else {}).items():
            patched.setenv(name, address)
        with Stack(options) as running:
            set_up(connect_to(options.state_dir))
            yield running


@pytest.fixture(scope="session")
def caller(stack: Stack) -> Iterator[Caller]:
    """Calls to the shared stack."""
    with Caller(connect_to(stack.state_dir)) as calling:
        yield calling


@pytest.fixture(scope="session")
def visits() -> Visits:
    """Visits for the shared stack."""
    return Visits(SEED)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The demonstration in which nothing goes wrong; others are compared with it."""
    folder = tmp_path_factory.mktemp("kept") / "state"
    with ExitStack() as held:
        servers = own_servers(held)
        try:
            ran = demo(folder, "--seed", "1", "--encounters", str(ENCOUNTERS), "--keep", servers=servers)
            yield Kept(ran, folder, superuser_password(StateLayout(folder), servers))
        finally:
            down = revcycle("down", "--state-dir", str(folder))
    assert down.status == 0, down.err


def superuser_password(layout: StateLayout, servers: Mapping[str, str]) -> str:
    """Of the PostgreSQL in a container, or of devstack's."""
    if servers:
        return urlsplit(servers["DATABASE_URL_BASE"]).password or ""
    return SecretStore(layout.secrets_file).password(ADMIN_ROLE)
