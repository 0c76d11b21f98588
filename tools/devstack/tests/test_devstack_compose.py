"""What the containers promise without an engine: the files, who may see which secret, which ports are taken."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from revcycle_devstack import SERVICES, DevstackError
from revcycle_devstack.compose import addresses, choose_ports, port_variable
from revcycle_devstack.containers import CHOICE, contained_properties, wanted_servers
from revcycle_devstack.kafka import server_properties
from revcycle_devstack.layout import checkout_root
from revcycle_devstack.provision import hand_out_secrets

PROFILES = ("demo", "observability")
ROOT = checkout_root()
COMPOSE_FILE = ROOT / "docker-compose.yml"
FOREIGN = {"postgres", "kafka", "prometheus", "grafana"}


def has_compose() -> bool:
    """Whether the plugin is there; it needs no engine to read a file."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the file, anchors resolved."""
    content: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    assert "version" not in content
    found: dict[str, Any] = content["services"]
    return found


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Volume, where it is seen, whether it can be written; for the volumes with secrets."""
    for text in service.get("volumes", ()):
        volume, target, *options = str(text).rsplit(":", 2) if text.endswith(":ro") else str(text).rsplit(":", 1)
        if target.startswith("/run/revcycle/"):
            yield volume, target, options != ["ro"]


@pytest.mark.skipif(not has_compose(), reason="no docker compose plugin on this machine")
@pytest.mark.parametrize("profiles", [(), ("demo",), ("observability",), PROFILES])
def test_compose_takes_every_combination_of_profiles(profiles: tuple[str, ...]) -> None:
    chosen = [part for name in profiles for part in ("--profile", name)]
    done = subprocess.run(
        ["docker", "compose", "--file", str(COMPOSE_FILE), *chosen, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_runs_as_three_processes_that_wait_for_migration_and_topics(services: dict[str, Any]) -> None:
    for service in SERVICES:
        module = f"revcycle_{service.replace('-', '_')}"
        for name, command in ((service, "api"), (f"{service}-worker", "worker"), (f"{service}-relay", "relay")):
            assert services[name]["command"] == [module, command]
            assert services[name]["depends_on"] == {
                f"migrate-{service}": {"condition": "service_completed_successfully"},
                "topics": {"condition": "service_completed_successfully"},
            }
            assert services[name]["environment"]["REVCYCLE_INSTANCE"] == name


def test_what_is_ours_runs_read_only_without_rights_and_with_limits(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert {"mem_limit", "stop_grace_period"} <= service.keys() or name.startswith("migrate-"), name
        if name not in FOREIGN:
            assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert "privileged" not in service and "user" not in service, name


def test_ports_are_published_on_this_machine_alone(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_workers_and_relays_may_be_several(services: dict[str, Any]) -> None:
    """Nothing has a fixed container name; only workers publish a port, and its variable may be a range."""
    assert not any("container_name" in service for service in services.values())
    for service in SERVICES:
        assert "ports" not in services[f"{service}-relay"]
        (port,) = services[f"{service}-worker"]["ports"]
        assert re.fullmatch(rf"127\.0\.0\.1:\$\{{{port_variable(f'{service}-worker')}:-\d+}}:8080", port), port


@pytest.mark.skipif(not has_compose(), reason="no docker compose plugin on this machine")
def test_compose_takes_a_range_for_a_worker_s_port() -> None:
    done = subprocess.run(
        ["docker", "compose", "--file", str(COMPOSE_FILE), "config", "--format", "json"],
        env={**os.environ, "REVCYCLE_CLAIMS_WORKER_PORT": "8213-8214"},
        capture_output=True,
        text=True,
        check=True,
    )
    (port,) = json.loads(done.stdout)["services"]["claims-worker"]["ports"]
    assert (port["published"], port["host_ip"], port["target"]) == ("8213-8214", "127.0.0.1", 8080)


def test_a_service_sees_its_own_secrets_and_nobody_elses(services: dict[str, Any]) -> None:
    seen = {name: list(mounts(service)) for name, service in services.items()}
    assert {name for name, found in seen.items() if any(volume == "vault" for volume, _, _ in found)} == {
        "secrets",
        "databases",
    }
    for service in SERVICES:
        for name in (service, f"{service}-worker", f"{service}-relay"):
            secret = [(volume, writable) for volume, _, writable in seen[name] if volume != "payer-ca"]
            assert secret == [(service, False)], name
        assert [volume for volume, _, _ in seen[f"migrate-{service}"]] == [f"owner-{service}"]
    assert "POSTGRES_PASSWORD" not in services["postgres"]["environment"]


def test_every_mount_point_is_made_for_the_images_user(services: dict[str, Any]) -> None:
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    made = dockerfile.split("for folder in ", 1)[1].split("; \\", 1)[0].replace("\\\n", " ").split()
    ours = (service for name, service in services.items() if name not in FOREIGN)
    wanted = {target.removeprefix("/run/revcycle/") for service in ours for _, target, _ in mounts(service)}
    assert wanted == set(made)


def test_kafka_is_set_as_on_devstack(services: dict[str, Any]) -> None:
    """The places of listeners differ, and what only tests of devstack need; no other setting has two values."""
    contained = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in services["kafka"]["environment"].items()
    }
    ours = server_properties(9092, 9093, Path("/data"))
    apart = {"listeners", "advertised.listeners", "inter.broker.listener.name", "listener.security.protocol.map"}
    apart |= {"log.dirs", "controller.quorum.voters"}
    differing = {name for name, value in ours.items() if name in contained and contained[name] != value}
    assert differing <= apart
    missing = ours.keys() - contained.keys()
    assert missing == {
        "group.min.session.timeout.ms",
        "num.network.threads",
        "num.io.threads",
        "num.recovery.threads.per.data.dir",
        "controlled.shutdown.enable",
    }


def test_ports_are_chosen_apart_and_the_file_takes_every_one(services: dict[str, Any]) -> None:
    text = COMPOSE_FILE.read_text()
    ports = choose_ports(lambda port, promised: next(p for p in range(port, port + 50) if p not in promised))
    assert len(set(ports.values())) == len(ports) == 13
    for name, port in ports.items():
        assert f"${{{name}:-{port}}}" in text, name
    assert addresses(ports)["claims-worker"] == f"http://127.0.0.1:{ports['REVCYCLE_CLAIMS_WORKER_PORT']}"


def test_prometheus_asks_every_process() -> None:
    scrape = yaml.safe_load((ROOT / "deploy" / "docker" / "prometheus.yaml").read_text())
    asked = {one["labels"]["service"]: one["targets"] for one in scrape["scrape_configs"][0]["static_configs"]}
    assert asked == {service: [f"{service}{role}:8080" for role in ("", "-worker", "-relay")] for service in SERVICES}


def test_the_images_lists_are_part_of_the_lock() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.image_requirements", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), "run make lock"


def test_secrets_are_handed_out_by_grant_and_stay_the_same(tmp_path: Path) -> None:
    hand_out_secrets(tmp_path, "postgresql://postgres:5432")
    first = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    hand_out_secrets(tmp_path, "postgresql://postgres:5432")
    assert {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()} == first

    grants = yaml.safe_load((ROOT / "deploy" / "keys.yaml").read_text())["grants"]
    for service in SERVICES:
        ring = json.loads((tmp_path / service / "keyring.json").read_text())
        assert all(held.keys() == {"envelope", *grants[service]} for held in ring["tenants"].values())
        assert "d" not in json.loads((tmp_path / service / "token-key.json").read_text())
        told = {file.name for file in (tmp_path / service).iterdir()}
        assert told == {"keyring.json", "token-key.json", "revcycle_database_url"}
        role = f"revcycle_{service.replace('-', '_')}"
        assert f"//{role}_service:" in (tmp_path / service / "revcycle_database_url").read_text()
        assert f"//{role}_owner:" in (tmp_path / f"owner-{service}" / "revcycle_database_owner_url").read_text()
    assert "d" in json.loads((tmp_path / "operator" / "keys" / "token-key.json").read_text())
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("*/*.json")} <= {0o400, 0o600}


def test_tests_get_their_servers_from_devstack_unless_asked_otherwise() -> None:
    assert wanted_servers({}) == wanted_servers({CHOICE: "devstack"}) == "devstack"
    with pytest.raises(DevstackError, match="devstack, containers or auto"):
        wanted_servers({CHOICE: "docker"})


def test_a_contained_broker_differs_from_devstacks_in_its_places_alone() -> None:
    own, contained = server_properties(9092, 9093, Path("/var/lib/kafka/data")), contained_properties(29092)
    assert contained["advertised.listeners"] == "CLIENT://127.0.0.1:29092"
    differing = {name for name in own if own[name] != contained[name]}
    assert differing == {
        "listeners",
        "advertised.listeners",
        "controller.quorum.voters",
        "listener.security.protocol.map",
    }
