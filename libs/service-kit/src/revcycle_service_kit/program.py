"""``python -m revcycle_<service> serve|api|worker|relay|migrate|openapi``."""

import argparse
import asyncio
import json
import os
import sys
from typing import Any, Final, cast

import uvloop
from pydantic import ValidationError
from revcycle_messaging import Database, DatabaseRefused, KeyRing, MissingKey, Transient, Transport
from revcycle_messaging.transports.kafka import KafkaTransport

from revcycle_service_kit.app import create_base_app
from revcycle_service_kit.auth import InvalidToken, TokenVerifier, read_token_keys
from revcycle_service_kit.clock import Clock
from revcycle_service_kit.context import PartsBuilder, ServiceContext, build_parts
from revcycle_service_kit.issuer_keys import IssuerKeys
from revcycle_service_kit.logging import configure_logging
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.migrations import MigrationError, migrate
from revcycle_service_kit.runtime import EVERYTHING, WORKERS, Runtime, run_until_stopped
from revcycle_service_kit.settings import ServiceSettings
from revcycle_service_kit.telemetry import open_outlet
from revcycle_service_kit.tenancy import UnprotectedTables
from revcycle_service_kit.transport_security import TransportSecurityError, database_tls, kafka_security

_COMMANDS: Final = {
    "serve": "everything in one process: REST API, consumer, relay, jobs, timers, background work",
    "api": "the REST API only",
    "worker": "consumer, jobs, timers and background work, with probes on the HTTP port",
    "relay": "the relay only, with probes on the HTTP port",
    "migrate": "bring the database to the newest revision (needs REVCYCLE_DATABASE_OWNER_URL)",
    "openapi": "print the OpenAPI document; needs no database and no broker",
}
_PARTS_OF: Final = {
    "serve": EVERYTHING,
    "api": frozenset({"api"}),
    "worker": WORKERS | {"api"},
    "relay": frozenset({"relay", "api"}),
}

_REFUSALS: Final = (
    MigrationError,
    UnprotectedTables,
    InvalidToken,
    MissingKey,
    DatabaseRefused,
    Transient,
    TransportSecurityError,
)


class _Absent:
    """Stands for something that a command does not have; using it says so."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{self._what} is not there for this command: use it when running, not when wiring")


def main(parts: PartsBuilder, *, settings_class: type[ServiceSettings] = ServiceSettings) -> None:
    """The program of a service. Exits with 0 when all went well, 1 with a message when not."""
    command = _arguments().command
    try:
        status = _openapi(parts, settings_class) if command == "openapi" else _run(command, parts, settings_class)
    except ValidationError as failure:
        status = _complain(*_wrong_settings(failure))
    except _REFUSALS as failure:
        status = _complain(str(failure))
    sys.exit(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A service of revcycle. Settings come from the environment (REVCYCLE_…), or from files named like "
        "them in lower case in the folder REVCYCLE_SECRETS_DIR.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["commands:", *(f"  {name:<8} {text}" for name, text in _COMMANDS.items())]),
    )
    parser.add_argument("command", choices=list(_COMMANDS), metavar="command", help="one of: " + ", ".join(_COMMANDS))
    return parser.parse_args()


def _wrong_settings(failure: ValidationError) -> list[str]:
    lines = ["these settings are missing or wrong:"]
    for error in failure.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in error["loc"]).upper()
        lines.append(
            f"  REVCYCLE_{name}: {error['msg']}" if name else f"  {error['msg'].removeprefix('Value error, ')}"
        )
    return lines


def _complain(*lines: str) -> int:
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


def _openapi(parts: PartsBuilder, settings_class: type[ServiceSettings]) -> int:
    """Print the contract, wired without anything outside."""
    settings = settings_class(service_name="openapi", database_url="postgresql://nobody@localhost/none")
    context = offline_context(settings)
    app = create_base_app(context, build_parts(parts, context))
    sys.stdout.write(json.dumps(app.openapi(), indent=2, sort_keys=True) + "\n")
    return 0


def offline_context(settings: ServiceSettings) -> ServiceContext:
    """A context to wire with where neither database nor broker is there."""
    return ServiceContext(
        settings=settings,
        clock=Clock(settings.business_date),
        database=cast(Database, _Absent("the database")),
        transport=cast(Transport, _Absent("the transport")),
        keyring=cast(KeyRing, _Absent("the key ring")),
        verifier=TokenVerifier({}),
        log=configure_logging(settings.service_name, settings.instance, settings.log_format),
        metrics=Metrics(settings.service_name),
    )


def _run(command: str, parts: PartsBuilder, settings_class: type[ServiceSettings]) -> int:
    # Passwords come as files where a process list or an inspected container would show the environment.
    settings = settings_class(_secrets_dir=os.environ.get("REVCYCLE_SECRETS_DIR"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if command == "migrate":
            return runner.run(_migrate(parts, settings))
        return runner.run(_serve(command, parts, settings))


async def _migrate(parts: PartsBuilder, settings: ServiceSettings) -> int:
    migrations = build_parts(parts, offline_context(settings)).migrations
    former, present = await migrate(settings, migrations)
    done = "nothing to do" if former == present else f"from {former or 'an empty database'}"
    sys.stderr.write(f"{settings.service_name}: database at revision {present} ({done})\n")
    return 0


async def _serve(command: str, parts: PartsBuilder, settings: ServiceSettings) -> int:
    log = configure_logging(settings.service_name, settings.instance, settings.log_format)
    issuer_keys = issuer_keys_of(settings)
    verifier = token_verifier(settings, issuer_keys)
    keyring = KeyRing(settings.keyring_file)
    database = await _connect(settings, keyring)
    outlet = open_outlet(settings)
    tracer = database.tracer = outlet.tracer if outlet else None
    transport = KafkaTransport(
        settings.kafka_bootstrap_servers, client_id=settings.instance, security=kafka_security(settings)
    )
    metrics = Metrics(settings.service_name)
    clock = Clock(settings.business_date)
    context = ServiceContext(settings, clock, database, transport, keyring, verifier, log, metrics, tracer, issuer_keys)
    built = build_parts(parts, context)
    # Again, now that the service has said which keys its lines may carry.
    context.log = configure_logging(settings.service_name, settings.instance, settings.log_format, built.log_keys)
    app = create_base_app(context, built)
    runtime = Runtime(context, built, app, _PARTS_OF[command])
    log.info("starting", name=command, port=settings.http_port)
    try:
        return await run_until_stopped(runtime, log)
    finally:
        if built.close is not None:
            await built.close(context)
        await transport.close()
        await database.close()
        if outlet is not None:
            await asyncio.to_thread(outlet.close)


def issuer_keys_of(settings: ServiceSettings) -> IssuerKeys | None:
    """The identity provider's keys, where one is set; read when they are first needed."""
    source = settings.token_jwks_url or settings.token_jwks_file
    return IssuerKeys(source, settings.token_jwks_ca_file) if source else None


def token_verifier(settings: ServiceSettings, issuer_keys: IssuerKeys | None) -> TokenVerifier:
    """What checks tokens. InvalidToken when the development key is needed and cannot be read."""
    return TokenVerifier(
        issuer_keys.keys if issuer_keys else read_token_keys(settings.token_key_file),
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        leeway_seconds=settings.token_leeway_seconds,
    )


async def _connect(settings: ServiceSettings, keyring: KeyRing) -> Database:
    """The database; at start it may still be coming up, so it is tried for a while."""
    tls, attempts = database_tls(settings), 30
    while True:
        attempts -= 1
        try:
            return await Database.connect(
                settings.database_url,
                service=settings.service_name,
                keys=keyring,
                application_name=settings.instance,
                pool_size=settings.database_pool_size,
                tls=tls,
            )
        except Transient:
            if attempts == 0:
                raise
        await asyncio.sleep(1)
