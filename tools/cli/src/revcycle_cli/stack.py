"""What several commands need of a running stack. Imports stay light: `revcycle --help` must be quick."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    import ssl
    from typing import Any

    from revcycle_checker import CheckInputs
    from revcycle_devstack.connections import RunningStack
    from revcycle_messaging.transports.kafka import KafkaTransport


@dataclass(frozen=True)
class ClientSecurity:
    """How broker and databases are spoken to; ``database`` None: as ``sslmode`` of the address says."""

    kafka: Mapping[str, Any]
    database: ssl.SSLContext | None

    @property
    def is_plain(self) -> bool:
        """Whether the broker knows no one, so that everybody may make and delete topics."""
        return bool(self.kafka["security_protocol"] == "PLAINTEXT")


def fail(text: str) -> NoReturn:
    """Say what is wrong and what to do, and end with status 1."""
    sys.stderr.write(f"revcycle: {text}\n")
    raise typer.Exit(1)


def running_stack(state_dir: Path | None) -> RunningStack:
    """The stack whose state is in this folder (default: .revcycle of the checkout)."""
    from revcycle_devstack import DevstackError
    from revcycle_devstack.connections import connect_to
    from revcycle_devstack.layout import default_state_folder

    try:
        return connect_to((state_dir or default_state_folder()).resolve())
    except DevstackError as missing:
        fail(str(missing))


def client_security() -> ClientSecurity:
    """TLS and SASL by the variables that the services have: REVCYCLE_KAFKA_… and REVCYCLE_DATABASE_….

    Ends the command with a sentence when they do not fit together or a file cannot be used.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsConfigDict
    from revcycle_service_kit.transport_security import (
        TransportSecurityError,
        TransportSecuritySettings,
        database_tls,
        kafka_security,
    )

    class Settings(TransportSecuritySettings):
        model_config = SettingsConfigDict(env_prefix="REVCYCLE_", extra="ignore", hide_input_in_errors=True)

    try:
        # Whether a service may start without TLS is not this command's question: it serves nothing.
        settings = Settings(require_tls=False)
        return ClientSecurity(kafka_security(settings), database_tls(settings))
    except ValidationError as refusal:
        fail("; ".join(error["msg"] for error in refusal.errors()))
    except TransportSecurityError as refusal:
        fail(str(refusal))


def kafka_transport(bootstrap_servers: str) -> KafkaTransport:
    """A broker as this command's environment says it is to be spoken to."""
    from revcycle_messaging.transports.kafka import KafkaTransport

    return KafkaTransport(bootstrap_servers, client_id="revcycle-cli", security=client_security().kafka)


async def partition_counts(bootstrap_servers: str) -> dict[str, int]:
    """How many partitions each topic of a broker has; makes none, whatever the broker makes by itself.

    Raises:
        DevstackError: the broker does not answer, or lets nobody in who comes like this.
    """
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError
    from revcycle_devstack import DevstackError

    security = client_security().kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000, **security)
    try:
        await admin.start()
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    except (KafkaError, OSError) as error:
        raise DevstackError(
            f"the broker at {bootstrap_servers} does not answer over {security['security_protocol']}: "
            f"{type(error).__name__}"
        ) from error
    finally:
        await admin.close()


def check_inputs(stack: RunningStack) -> CheckInputs:
    """Where the checker looks in this stack."""
    from revcycle_checker import CheckInputs
    from revcycle_devstack import DEVELOPMENT_TENANT, SERVICES

    state_dir = stack.connections.layout.root
    truth = state_dir / "truth.jsonl"
    security = client_security()
    return CheckInputs(
        database_urls={service: stack.connections.checker_url(service) for service in SERVICES},
        bootstrap_servers=stack.connections.kafka_bootstrap_servers,
        keyring_file=state_dir / "keys" / "checker.json",
        payer_dir=state_dir / "payer",
        truth_file=truth if truth.exists() else None,
        tenant_id=DEVELOPMENT_TENANT,
        kafka_security=security.kafka,
        database_tls=security.database,
    )
