"""Promise: with TLS on, every way into and out of a service is encrypted and checked, and nothing plain works.

Real PostgreSQL, Kafka and HTTP; two real services, one with a client certificate, one with SASL; the access rules are
those of the Kubernetes manifests.
"""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from revcycle_adjudication_gateway.clients.payer_door import PayerDoor
from revcycle_adjudication_gateway.domain.route import Route
from revcycle_adjudication_gateway.domain.submission import Outcome
from revcycle_checker.topics import read_topics
from revcycle_devstack.connections import Connections
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.ports import choose_port
from revcycle_devstack.roles import ensure_checker, ensure_database
from revcycle_devstack.state import write_state
from revcycle_devstack.testing import PostgresServer
from revcycle_messaging import Transient
from revcycle_messaging.testing import TENANT, make_key_ring
from revcycle_messaging.transports import OutgoingRecord
from revcycle_messaging.transports.kafka import KafkaTransport
from revcycle_service_kit import ServiceSettings, ensure_development_key, issue_token
from revcycle_service_kit.testing import eventually
from revcycle_service_kit.transport_security import client_context, database_tls, kafka_security
from tls_ground import SCRAM_PASSWORD, Ground, rules_of

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(240)]


def common(ground: Ground, folder: Path, service: str, made: Any, port: int) -> dict[str, str]:
    """The environment of a service, without its Kafka."""
    certificate, key = ground.authority.issue(f"{service}-http")
    make_key_ring(folder, service=service)
    ensure_development_key(folder / "token-key.json")
    return {
        "PATH": os.environ["PATH"],
        "REVCYCLE_SERVICE_NAME": service,
        "REVCYCLE_REQUIRE_TLS": "true",
        "REVCYCLE_DATABASE_URL": made.service_url,
        "REVCYCLE_DATABASE_OWNER_URL": made.owner_url,
        "REVCYCLE_DATABASE_TLS": "verify-full",
        "REVCYCLE_DATABASE_CA_FILE": str(ground.authority.file),
        "REVCYCLE_HTTP_PORT": str(port),
        "REVCYCLE_HTTP_CERTIFICATE_FILE": str(certificate),
        "REVCYCLE_HTTP_KEY_FILE": str(key),
        "REVCYCLE_KEYRING_FILE": str(folder / f"{service}.json"),
        "REVCYCLE_TOKEN_KEY_FILE": str(folder / "token-key.json"),
        "REVCYCLE_KAFKA_CA_FILE": str(ground.authority.file),
    }


def with_certificate(ground: Ground, name: str) -> dict[str, str]:
    """Kafka by client certificate, as in the manifests."""
    certificate, key = ground.authority.issue(name)
    return {
        "REVCYCLE_KAFKA_BOOTSTRAP_SERVERS": ground.mutual_address,
        "REVCYCLE_KAFKA_SECURITY_PROTOCOL": "SSL",
        "REVCYCLE_KAFKA_CERTIFICATE_FILE": str(certificate),
        "REVCYCLE_KAFKA_KEY_FILE": str(key),
    }


def with_password(ground: Ground, folder: Path, user: str) -> dict[str, str]:
    """Kafka by name and password."""
    password = folder / "kafka-password"
    password.write_text(SCRAM_PASSWORD + "\n")
    return {
        "REVCYCLE_KAFKA_BOOTSTRAP_SERVERS": ground.sasl_address,
        "REVCYCLE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "REVCYCLE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "REVCYCLE_KAFKA_SASL_USERNAME": user,
        "REVCYCLE_KAFKA_SASL_PASSWORD_FILE": str(password),
    }


async def run(service: str, command: str, environment: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"revcycle_{service}", command, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@asynccontextmanager
async def serving(service: str, environment: Mapping[str, str], folder: Path) -> AsyncIterator[None]:
    """Migrate and serve."""
    status, out = await run(service, "migrate", environment)
    assert status == 0, out
    with (folder / f"{service}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"revcycle_{service}", "serve", env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


async def answer(client: httpx.AsyncClient, path: str) -> httpx.Response | None:
    try:
        return await client.get(path)
    except httpx.TransportError:
        return None


async def is_ready(client: httpx.AsyncClient) -> bool:
    found = await answer(client, "/readyz")
    return found is not None and found.status_code == 200


async def test_two_services_work_over_tls_with_the_rights_of_the_manifests(ground: Ground, tmp_path: Path) -> None:
    await ensure_checker(ground.admin_url, "unused")
    lent = PostgresServer(ground.admin_url, "unused")
    await ground.allow("User:CN=registration-kafka", rules_of("registration-kafka"))
    await ground.allow("User:claims", rules_of("claims-kafka"))
    ports = [choose_port(18801), choose_port(18901)]
    registration = {
        **common(ground, tmp_path, "registration", await lent.create_database("tls_registration"), ports[0]),
        **with_certificate(ground, "registration-kafka"),
    }
    claims = {
        **common(ground, tmp_path, "claims", await lent.create_database("tls_claims"), ports[1]),
        **with_password(ground, tmp_path, "claims"),
        "REVCYCLE_HTTP_CLIENT_CA_FILE": str(ground.authority.file),
    }
    trust = client_context("TEST", ground.authority.file)
    sender = httpx.AsyncClient(base_url=f"https://127.0.0.1:{ports[0]}", verify=trust)
    reader = httpx.AsyncClient(base_url=f"https://127.0.0.1:{ports[1]}", verify=ground.authority.context("biller"))
    token = issue_token(
        ensure_development_key(tmp_path / "token-key.json"), TENANT, "tester", ["integration", "operator", "biller"]
    )
    async with (
        serving("registration", registration, tmp_path),
        serving("claims", claims, tmp_path),
        sender,
        reader,
    ):
        await eventually(lambda: is_ready(sender), 90, "registration ready over TLS")
        await eventually(lambda: is_ready(reader), 90, "claims ready over TLS")
        sender.headers["authorization"] = f"Bearer {token}"
        body = {"name": "Example Health Plan", "filing_limit_days": 90}
        made = await sender.put("/v1/payers/REVPAY1", json=body, headers={"idempotency-key": "a"})
        assert made.status_code == 201, made.text

        async def has_arrived() -> bool:
            text = (await reader.get("/metrics")).text
            return 'revcycle_consumer_handled_events_total{outcome="applied"} 1.0' in text

        await eventually(has_arrived, 60, "the event from registration to claims")

        # Nothing plain, nothing unchecked, nobody unknown.
        plain = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[0]}")
        doubting = httpx.AsyncClient(base_url=sender.base_url, verify=client_context("TEST", ground.stranger.file))
        nameless = httpx.AsyncClient(base_url=reader.base_url, verify=trust)
        for client in (plain, doubting, nameless):
            async with client:
                assert await answer(client, "/livez") is None


async def test_the_broker_refuses_what_the_manifests_do_not_allow(ground: Ground, tmp_path: Path) -> None:
    """A plain client, a certificate of another authority, a wrong password, and a topic of another service."""
    await ground.allow("User:claims", rules_of("claims-kafka"))
    right = settings(with_password(ground, tmp_path, "claims"), ground)
    unknown = tmp_path / "other-password"
    unknown.write_text("not-the-password")
    wrong = {
        "plain": {"security_protocol": "PLAINTEXT"},
        "another authority": {**kafka_security(right), "ssl_context": client_context("T", ground.stranger.file)},
        "wrong password": kafka_security(right.model_copy(update={"kafka_sasl_password_file": unknown})),
    }
    for what, security in wrong.items():
        transport = KafkaTransport(ground.sasl_address, client_id="tls-test", security=security)
        with pytest.raises(Transient):
            await transport.producer()
            pytest.fail(f"{what} was let in")
    transport = KafkaTransport(ground.sasl_address, client_id="tls-test", security=kafka_security(right))
    producer = await transport.producer()
    record = OutgoingRecord("revcycle.claims.v1", "key", b"{}", [])
    foreign = OutgoingRecord("revcycle.patients.v1", "key", b"{}", [])
    try:
        assert await producer.send([record]) == [True]
        assert await producer.send([foreign]) == [False]
    finally:
        await producer.close()
        await transport.close()


async def test_the_database_is_reached_encrypted_or_not_at_all(ground: Ground, tmp_path: Path) -> None:
    """Without TLS the server refuses; with another authority, or under another name, the client does."""
    right = settings({}, ground)
    connection = await asyncpg.connect(ground.admin_url, ssl=database_tls(right))
    assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await connection.close()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(ground.admin_url, ssl=False)
    stranger = right.model_copy(update={"database_ca_file": ground.stranger.file})
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(ground.admin_url, ssl=database_tls(stranger))
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(ground.admin_url.replace("127.0.0.1", "localhost"), ssl=database_tls(right))


async def test_the_command_speaks_as_its_environment_says(ground: Ground, tmp_path: Path) -> None:
    """The services' variables let doctor and checker in; without them, or with another authority, nobody."""
    address = ground.admin_url.rsplit("/", 1)[0]
    layout = StateLayout(tmp_path)
    connections = Connections(layout, address, ground.mutual_address)
    await ensure_checker(ground.admin_url, "unused")
    await ensure_database(ground.admin_url, connections.grant("claims"))
    write_state(layout, connections, {}, (), "stopped", ())
    right = {
        "REVCYCLE_DATABASE_TLS": "verify-full",
        "REVCYCLE_DATABASE_CA_FILE": str(ground.authority.file),
        "REVCYCLE_KAFKA_CA_FILE": str(ground.authority.file),
        **with_certificate(ground, "admin"),
    }
    doubting = {name: str(ground.stranger.file) for name in right if name.endswith("_CA_FILE")}
    reached = await look_as(right, tmp_path)
    assert (reached["broker"], reached["database claims"]) == ("ok", "ok")
    for wrong in ({}, {**right, **doubting}):
        assert (await look_as(wrong, tmp_path))["broker"] == "fail"
    assert (await look_as({**right, **doubting}, tmp_path))["database claims"] == "fail"
    keys = make_key_ring(tmp_path, service="checker")
    security = kafka_security(settings(with_certificate(ground, "admin"), ground))
    await read_topics(ground.mutual_address, keys, security)
    with pytest.raises(Transient):
        await read_topics(ground.mutual_address, keys)


async def look_as(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The level that `revcycle doctor` gives each area."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("revcycle"), "doctor", "--json", "--state-dir", folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **environment},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return {one["area"]: one["level"] for one in map(json.loads, out.splitlines())}


async def test_the_gateway_shows_its_certificate_to_payers_that_ask(ground: Ground) -> None:
    """With it the interchange is taken; without it, or with somebody else's, nothing is."""
    asks = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ground.authority.file))
    asks.load_cert_chain(*ground.authority.issue("payer"))
    asks.verify_mode = ssl.CERT_REQUIRED

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"ISA")
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=asks)
    port = server.sockets[0].getsockname()[1]
    route = Route("REVPAY1", f"https://127.0.0.1:{port}", "REVCYCLE01", "REVPAY1", "T", True, 100, 1.0)
    outcomes = []
    async with server:
        for files in (ground.authority.issue("gateway"), (None, None), ground.stranger.issue("gateway")):
            door = PayerDoor(
                ground.authority.file,
                certificate_file=files[0],
                key_file=files[1],
                connect_timeout_seconds=5,
                read_timeout_seconds=5,
            )
            outcomes.append((await door.deliver(route, b"ISA")).outcome)
            await door.close()
    assert outcomes[0] is Outcome.TAKEN
    assert Outcome.TAKEN not in outcomes[1:]


def settings(more: Mapping[str, str], ground: Ground) -> ServiceSettings:
    values = {name.removeprefix("REVCYCLE_").lower(): value for name, value in more.items()}
    if more:
        values["kafka_ca_file"] = str(ground.authority.file)
    return ServiceSettings(
        service_name="claims",
        database_url="postgresql://nobody@127.0.0.1/none",
        database_tls="verify-full",
        database_ca_file=ground.authority.file,
        **values,  # type: ignore[arg-type]  # pydantic reads text
    )
