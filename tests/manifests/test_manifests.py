"""Promise: every overlay renders, is valid against the real schemas, and says of a cluster what we promise of it."""

import copy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import validate_manifests as manifests
import yaml
from revcycle_devstack import SERVICES
from revcycle_devstack.topics import load_topics
from revcycle_events import REGISTRY
from revcycle_messaging.parking import dead_letter_topic
from revcycle_service_kit import ServiceSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
Resource = dict[str, Any]


@cache
def rendered(overlay: str) -> dict[tuple[str, str], Resource]:
    """The resources of an overlay by kind and name; rendered once for all tests."""
    try:
        resources = manifests.render(manifests.KUBERNETES / "overlays" / overlay)
    except manifests.ToolAbsent as absent:
        pytest.skip(str(absent))
    return {(one["kind"], one["metadata"]["name"]): one for one in resources}


@cache
def schemas() -> manifests.Schemas:
    try:
        return manifests.custom_schemas()
    except manifests.ToolAbsent as absent:
        pytest.skip(str(absent))


def errors(resource: Resource) -> list[str]:
    return list(manifests.errors_of(resource, schemas()))


def workloads(overlay: str) -> Iterator[tuple[str, Resource]]:
    """Name and pod template of everything that runs our programs."""
    for (kind, name), resource in rendered(overlay).items():
        if kind in {"Deployment", "Job"}:
            yield name, resource["spec"]["template"]


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_every_resource_is_valid_against_its_real_schema(overlay: str) -> None:
    assert [error for resource in rendered(overlay).values() for error in errors(resource)] == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "claims-api", ("spec", "replicas"), "two"),
        ("NetworkPolicy", "to-identity-provider", ("spec", "egress", 0, "to", 1, "ipBlock", "cidr"), 10),
        ("NetworkPolicy", "to-payers", ("spec", "egress", 0, "ports", 0, "prot"), "TCP"),
        ("Job", "claims-migrate", ("spec", "backoffLimit"), "six"),
        ("PodDisruptionBudget", "claims-api", ("spec", "maxUnavailabel"), 1),
        ("Kafka", "revcycle", ("spec", "kafka", "listeners", 0, "port"), "9093"),
        ("KafkaNodePool", "brokers", ("spec", "replicas"), "3"),
        ("KafkaTopic", "revcycle.claims.v1", ("spec", "partitions"), "12"),
        ("KafkaUser", "claims-kafka", ("spec", "authorization", "acls", 0, "operations"), "Write"),
        ("Cluster", "claims-postgresql", ("spec", "instances"), "three"),
        ("Cluster", "claims-postgresql", ("spec", "postgresql", "synchronous", "method"), "some"),
        ("ScaledObject", "claims-worker", ("spec", "maxReplicaCount"), "12"),
        ("ScaledObject", "claims-worker", ("spec", "triggers", 0, "metadata", "lagThreshold"), 9000),
        ("TriggerAuthentication", "kafka-lag", ("spec", "secretTargetRef", 0, "key"), 1),
        ("ExternalSecret", "claims-keys", ("spec", "dataFrom", 0, "extract", "ky"), "x"),
        ("SecretStore", "revcycle", ("spec", "provider", "vault", "server"), 8200),
    ],
)
def test_a_planted_wrong_type_or_name_is_found(
    kind: str, name: str, path: tuple[str | int, ...], value: object
) -> None:
    resource = copy.deepcopy(rendered("prod")[kind, name])
    assert errors(resource) == []
    place: Any = resource
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = errors(resource)
    assert found, f"{kind} {name} with {path} = {value!r} passed"
    assert found[0].startswith(f"{kind} {name}: ")


def test_a_schema_that_is_not_the_locked_one_is_refused() -> None:
    schemas()
    folder, (first, *others) = manifests.crd_folder(), manifests.locked_crds()
    with pytest.raises(manifests.SchemaMismatch, match=f"the CRD of {first.kind} has SHA-256 {first.sha256}"):
        manifests._verify([*others, replace(first, sha256="0" * 64)], folder)


def test_a_tool_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(manifests.ToolAbsent, match="go is not installed: install Go"):
        manifests.run_go("version")


def test_what_follows_from_the_code_is_generated_from_it() -> None:
    check = subprocess.run(
        [sys.executable, "scripts/generate_manifests.py", "--check"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert check.returncode == 0, f"run make manifests and commit what it writes:\n{check.stdout}{check.stderr[-2000:]}"


def test_every_topic_of_the_platform_is_there_with_its_partitions() -> None:
    defined = load_topics(ROOT / "deploy" / "kafka" / "topics.yaml")
    found = {name: one["spec"] for (kind, name), one in rendered("prod").items() if kind == "KafkaTopic"}
    assert {topic.name: topic.partitions for topic in defined} == {n: spec["partitions"] for n, spec in found.items()}
    assert {spec["replicas"] for spec in found.values()} == {3}
    assert {spec["config"]["min.insync.replicas"] for spec in found.values()} == {2}


def test_only_the_producer_of_a_topic_may_write_it() -> None:
    writers: dict[str, list[str]] = {}
    for (kind, name), user in rendered("prod").items():
        if kind == "KafkaUser":
            for rule in user["spec"]["authorization"]["acls"]:
                if "Write" in rule["operations"]:
                    writers.setdefault(rule["resource"]["name"], []).append(name)
    defined = load_topics(ROOT / "deploy" / "kafka" / "topics.yaml")
    # A topic that no contract names yet is nobody's to write.
    written = {contract.contract.topic for contract in REGISTRY.values()} | {dead_letter_topic(one) for one in SERVICES}
    defined = tuple(topic for topic in defined if topic.name in written)
    assert writers == {topic.name: [f"{topic.producer}-kafka"] for topic in defined}


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_every_pod_is_restricted(overlay: str) -> None:
    for name, template in workloads(overlay):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security, resources = container["securityContext"], container["resources"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert resources["limits"]["memory"] == resources["requests"]["memory"], name
            assert resources["requests"]["cpu"], name


def test_every_deployment_survives_a_rollout_a_drain_and_a_zone() -> None:
    prod = rendered("prod")
    deployments = {name: one for (kind, name), one in prod.items() if kind == "Deployment"}
    # Registration has nothing for a worker to do.
    assert len(deployments) == 3 * len(SERVICES) - 1
    for name, deployment in deployments.items():
        budget = prod["PodDisruptionBudget", name]["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == deployment["spec"]["selector"], name
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        pod = deployment["spec"]["template"]["spec"]
        assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
            "topology.kubernetes.io/zone", "kubernetes.io/hostname",
        }  # fmt: skip
        program = pod["containers"][0]
        assert program["lifecycle"]["preStop"]["sleep"]["seconds"] == 5
        paths = [program[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
        assert paths == ["/startupz", "/livez", "/readyz"]
        drain_seconds = float(settings_of(name, prod)["REVCYCLE_DRAIN_SECONDS"])
        assert pod["terminationGracePeriodSeconds"] > 5 + drain_seconds


def settings_of(workload: str, resources: dict[tuple[str, str], Resource]) -> dict[str, str]:
    """What a workload will be told: its environment, and addresses in place of the files that hold real ones."""
    template = next(one for (_, name), one in resources.items() if name == workload and "template" in one["spec"])
    container = template["spec"]["template"]["spec"]["containers"][0]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= resources["ConfigMap", source["configMapRef"]["name"]]["data"]
    for variable in container["env"]:
        found[variable["name"]] = variable.get("value", "filled-in-by-the-kubelet")
    volumes = {one["name"]: one for one in template["spec"]["template"]["spec"]["volumes"]}
    for source in volumes["secrets"]["projected"]["sources"]:
        for item in source["secret"]["items"]:
            found[item["path"].upper()] = "postgresql://nobody@somewhere/revcycle"
    return found


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_every_program_accepts_its_settings_and_speaks_tls_only(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, template in workloads(overlay):
        environment = settings_of(name, rendered(overlay))
        package = environment["REVCYCLE_MODULE"]
        assert template["spec"]["containers"][0]["command"][:3] == ["python", "-m", "$(REVCYCLE_MODULE)"]
        with monkeypatch.context() as patched:
            for variable, value in environment.items():
                patched.setenv(variable, value)
            settings = settings_class(package)()  # type: ignore[call-arg]  # the environment has what it needs
        known = {f"REVCYCLE_{field.upper()}" for field in type(settings).model_fields}
        unknown = (
            {one for one in environment if one.startswith("REVCYCLE_")}
            - known
            - {"REVCYCLE_MODULE", "REVCYCLE_SECRETS_DIR"}
        )
        assert not unknown, f"{name} is given settings that it does not have"
        assert settings.require_tls, name


def settings_class(package: str) -> type[ServiceSettings]:
    try:
        own = vars(import_module(f"{package}.settings"))
    except ModuleNotFoundError:
        return ServiceSettings
    kinds = [kind for kind in own.values() if isinstance(kind, type) and issubclass(kind, ServiceSettings)]
    return next(kind for kind in kinds if kind is not ServiceSettings)


def test_files_named_by_settings_are_mounted_from_secrets_that_somebody_makes() -> None:
    prod = rendered("prod")
    made = {name for kind, name in prod if kind in {"ExternalSecret", "KafkaUser"}}
    made |= {f"{name}-ca" for kind, name in prod if kind == "Cluster"}
    made |= {f"{name}-cluster-ca-cert" for kind, name in prod if kind == "Kafka"}
    for name, template in workloads("prod"):
        pod = template["spec"]
        wanted: set[str] = set()
        for volume in pod["volumes"]:
            wanted |= {one["secret"]["name"] for one in volume.get("projected", {}).get("sources", [])}
            wanted |= {volume["secret"]["secretName"]} if "secret" in volume else set()
        assert wanted <= made, f"{name} mounts secrets that nobody makes"
        mounts = [Path(one["mountPath"]) for one in pod["containers"][0]["volumeMounts"]]
        for variable, value in settings_of(name, prod).items():
            # Only the worker speaks to payers, so only it has their files.
            if variable.endswith("_FILE") and "/payer/" not in value:
                assert Path(value).parent in mounts, f"{name}: {variable}"


def test_nothing_is_allowed_by_default_and_only_the_gateway_leaves_the_cluster() -> None:
    policies = {name: one["spec"] for (kind, name), one in rendered("prod").items() if kind == "NetworkPolicy"}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    leaving = {
        name: spec["podSelector"]
        for name, spec in policies.items()
        for rule in spec.get("egress", [])
        if "to" not in rule or any(to.get("ipBlock", {}).get("cidr", "").endswith("/0") for to in rule["to"])
    }
    gateway = {"app.kubernetes.io/name": "adjudication-gateway", "app.kubernetes.io/component": "worker"}
    assert leaving == {"to-payers": {"matchLabels": gateway}}
    for service in SERVICES:
        to = policies[f"{service}-to-database"]["egress"][0]["to"][0]["podSelector"]["matchLabels"]
        assert to["cnpg.io/cluster"] == f"{service}-postgresql"


def test_production_takes_tokens_of_the_provider_and_reaches_it_and_the_collector() -> None:
    prod = rendered("prod")
    for name, _ in workloads("prod"):
        told = settings_of(name, prod)
        assert told["REVCYCLE_ENVIRONMENT"] == "production", name
        assert told["REVCYCLE_TOKEN_JWKS_URL"].startswith("https://"), name
        assert told["REVCYCLE_OTLP_ENDPOINT"].endswith(":4318"), name
    ways = {
        "to-identity-provider": ("identity", {443, 8443}),
        "to-collector": ("monitoring", {4318}),
    }
    for policy, (role, ports) in ways.items():
        spec = prod["NetworkPolicy", policy]["spec"]
        rule = spec["egress"][0]
        assert {"namespaceSelector": {"matchLabels": {"revcycle/role": role}}} in rule["to"], policy
        assert {one["port"] for one in rule["ports"]} == ports, policy
        for name, template in workloads("prod"):
            assert is_selected(template, spec["podSelector"]) or name.endswith("-migrate"), (policy, name)
    told = settings_of("claims-api", rendered("dev"))
    assert {"REVCYCLE_TOKEN_JWKS_URL", "REVCYCLE_OTLP_ENDPOINT"}.isdisjoint(told), "dev has neither of them"


def is_selected(template: Resource, selector: Resource) -> bool:
    labels = template["metadata"]["labels"]
    return selector["matchLabels"].items() <= labels.items() and all(
        (labels[one["key"]] in one["values"]) == (one["operator"] == "In")
        for one in selector.get("matchExpressions", [])
    )


def test_workers_scale_on_the_lag_of_every_topic_they_read_up_to_its_partitions() -> None:
    prod = rendered("prod")
    partitions = {name: one["spec"]["partitions"] for (kind, name), one in prod.items() if kind == "KafkaTopic"}
    for service in SERVICES:
        if ("Deployment", f"{service}-worker") not in prod:
            continue
        scaled = prod["ScaledObject", f"{service}-worker"]["spec"]
        assert scaled["scaleTargetRef"]["name"] == f"{service}-worker"
        assert "replicas" not in prod["Deployment", f"{service}-worker"]["spec"]
        rules = prod["KafkaUser", f"{service}-kafka"]["spec"]["authorization"]["acls"]
        readable = {one["resource"]["name"] for one in rules if "Read" in one["operations"]}
        topics = {one["metadata"]["topic"] for one in scaled["triggers"]}
        assert topics <= readable
        assert scaled["minReplicaCount"] == 1
        assert scaled["maxReplicaCount"] <= min(partitions[topic] for topic in topics)
        assert all(one["metadata"]["excludePersistentLag"] == "true" for one in scaled["triggers"])


def test_every_file_is_well_kept_yaml() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "-c", "deploy/kubernetes/.yamllint.yaml", "deploy/kubernetes"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout


def test_only_the_migration_comes_as_the_owner_and_no_secret_is_in_an_environment() -> None:
    for name, template in workloads("prod"):
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        sources = {one["secret"]["name"] for one in volumes["secrets"]["projected"]["sources"]}
        assert any(one.endswith("-database-owner") for one in sources) == name.endswith("-migrate"), name
        variables = template["spec"]["containers"][0]["env"]
        assert all("secretKeyRef" not in one["valueFrom"] for one in variables), name


def test_no_secret_is_in_the_manifests() -> None:
    for path in manifests.KUBERNETES.rglob("*.yaml"):
        documents = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if isinstance(one, dict)]
        assert all(one.get("kind") != "Secret" for one in documents), path
