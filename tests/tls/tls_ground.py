"""An authority, certificates of it, and real servers that use them: what production has, on one machine."""

import ipaddress
import os
import platform
import ssl
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from revcycle_devstack import DevstackError
from revcycle_devstack.discovery import PostgresPrograms, find_java
from revcycle_devstack.jars import JarMismatchError, ensure_jars
from revcycle_devstack.kafka import KafkaNode
from revcycle_devstack.layout import StateLayout, cache_folder, checkout_root, default_state_folder
from revcycle_devstack.ports import accepts_connections, choose_port
from revcycle_devstack.postgresql import PostgresCluster, accepts_queries
from revcycle_devstack.processes import Command, ProcessIdentity, last_lines, stop_all
from revcycle_devstack.topics import load_topics
from revcycle_devstack.waiting import run_async, wait_until_ready

DAYS = 2
SCRAM_PASSWORD = "synthetic-password"
_NUMBERS = {"topic": 2, "group": 3, "literal": 3, "prefix": 4, "Read": 3, "Write": 4, "Describe": 8, "allow": 3}


class Authority:
    """Signs certificates and writes them as files."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._now = datetime.now(UTC)
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.crt"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(hours=1))
            .not_valid_after(self._now + timedelta(days=DAYS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )

    def issue(self, name: str, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Files of a certificate and its key: for a server at ``host``, and for a client of this ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        made = self._builder(subject, key).add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        certificate, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key_file

    def context(self, name: str) -> ssl.SSLContext:
        """A client of this name."""
        context = ssl.create_default_context(cafile=str(self.file))
        context.load_cert_chain(*self.issue(name))
        return context


@dataclass
class Ground:
    """The running servers."""

    folder: Path
    authority: Authority
    stranger: Authority
    admin_url: str = ""
    mutual_address: str = ""
    sasl_address: str = ""
    running: list[ProcessIdentity] = field(default_factory=list)

    def start(self, name: str, command: Command, is_ready: Any) -> None:
        """Start a server and wait for it."""
        identity = ProcessIdentity.of(command.start().pid, command.stop_signal)
        assert identity is not None
        self.running.append(identity)
        wait_until_ready(name, is_ready, identity, 90, lambda: last_lines(command.log_file))

    def stop(self) -> None:
        """Stop all servers."""
        stop_all(self.running, 10)

    def admin(self) -> AIOKafkaAdminClient:
        """The broker's administrator."""
        return AIOKafkaAdminClient(
            bootstrap_servers=self.mutual_address,
            security_protocol="SSL",
            ssl_context=self.authority.context("admin"),
            request_timeout_ms=15_000,
        )

    async def create_topics(self) -> None:
        """Every topic of the platform, of two partitions."""
        names = [topic.name for topic in load_topics(checkout_root() / "deploy" / "kafka" / "topics.yaml")]
        admin = self.admin()
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1) for name in names])
        finally:
            await admin.close()

    async def allow(self, principal: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Give a principal the access rules of a KafkaUser."""
        admin = self.admin()
        await admin.start()
        try:
            for rule in rules:
                resource = rule["resource"]
                for operation in rule["operations"]:
                    await admin._send_request(
                        CreateAclsRequest(
                            _NUMBERS[resource["type"]],
                            resource["name"],
                            _NUMBERS[resource["patternType"]],
                            principal,
                            "*",
                            _NUMBERS[operation],
                            _NUMBERS["allow"],
                        )
                    )
        finally:
            await admin.close()


def rules_of(user: str) -> Sequence[Mapping[str, Any]]:
    """The access rules that the manifests give a user."""
    file = checkout_root() / "deploy" / "kubernetes" / "components" / "strimzi" / "users.yaml"
    users = {one["metadata"]["name"]: one for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))}
    rules: Sequence[Mapping[str, Any]] = users[user]["spec"]["authorization"]["acls"]
    return rules


def lay_ground() -> Ground:
    """Make authority and certificates, start both servers, create the topics."""
    # PostgreSQL runs as a user of its own, who has no way into pytest's folders.
    folder = default_state_folder() / f"tls-{os.getpid()}"
    ground = Ground(folder, Authority(folder / "tls", "ours"), Authority(folder / "stranger", "somebody else's"))
    try:
        _start_postgresql(ground, StateLayout(folder))
        _start_kafka(ground, StateLayout(folder))
        run_async(ground.create_topics())
    except BaseException:
        ground.stop()
        raise
    return ground


def _start_postgresql(ground: Ground, layout: StateLayout) -> None:
    tls = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "fsync": "off"}
    cluster = PostgresCluster(
        programs=PostgresPrograms(_programs_with_tls(ground.folder), "18.4", "tests/tls/postgresql.lock"),
        data_folder=layout.postgresql,
        port=choose_port(55732),
        password="synthetic",
        log_file=layout.log_file("postgresql"),
        settings=tls,
    )
    cluster.initialise()
    data, owner = layout.postgresql, layout.postgresql.stat()
    files = zip(("server.crt", "server.key"), ground.authority.issue("postgresql"), strict=True)
    for name, made in files:
        (data / name).write_bytes(made.read_bytes())
        (data / name).chmod(0o600)
        os.chown(data / name, owner.st_uid, owner.st_gid)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\nhost all all all reject\n")
    ground.admin_url = cluster.admin_url
    ground.start("postgresql", cluster.serve_command(), lambda: run_async(accepts_queries(cluster.admin_url)))


def _programs_with_tls(folder: Path) -> Path:
    """The folder of a PostgreSQL built with TLS; the one of the Python package is built without."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the PostgreSQL with TLS of tests/tls/postgresql.lock is for Linux on x86_64")
    try:
        jars = ensure_jars(Path(__file__).parent / "postgresql.lock", cache_folder())
    except JarMismatchError:
        raise
    except DevstackError as absent:
        pytest.skip(f"no PostgreSQL with TLS: {absent}")
    with (
        ZipFile(next(jars.glob("*.jar"))) as jar,
        jar.open("postgres-linux-x86_64.txz") as packed,
        tarfile.open(fileobj=packed, mode="r:xz") as programs,
    ):
        programs.extractall(folder / "programs", filter="data")
    return folder / "programs" / "bin"


def _start_kafka(ground: Ground, layout: StateLayout) -> None:
    sasl, mutual = choose_port(19392), choose_port(19492)
    controller = choose_port(19592, {sasl, mutual})
    certificate, key = ground.authority.issue("broker")
    store = ground.folder / "tls" / "broker.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    node = KafkaNode(
        java=find_java().program.executable,
        jar_folder=ensure_jars(checkout_root() / "deploy" / "kafka" / "jars.lock", cache_folder()),
        folder=layout.kafka,
        port=sasl,
        controller_port=controller,
        log_file=layout.log_file("kafka"),
        scram_passwords={"claims": SCRAM_PASSWORD},
        overrides={
            "listeners": f"SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}",
            "listener.security.protocol.map": "SASL:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "MUTUAL",
            "listener.name.mutual.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(ground.authority.file),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controller's own listener is the one plain one, and nobody else comes there.
            "super.users": "User:CN=broker;User:CN=admin;User:ANONYMOUS",
        },
    )
    node.prepare()
    ground.sasl_address, ground.mutual_address = f"127.0.0.1:{sasl}", f"127.0.0.1:{mutual}"
    ground.start("kafka", node.serve_command(), partial(_answers, ground, mutual))


def _answers(ground: Ground, port: int) -> bool:
    return accepts_connections(port) and run_async(_describes(ground))


async def _describes(ground: Ground) -> bool:
    admin = ground.admin()
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
