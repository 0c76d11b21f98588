"""Write the parts of deploy/kubernetes that follow from the code: topics, who may touch which, what scales the workers.

With ``--check`` nothing is written. Exit status 1 when what is committed differs from what the code says.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from revcycle_devstack import SERVICES
from revcycle_devstack.topics import TopicDefinition, load_topics
from revcycle_service_kit import ServiceSettings
from revcycle_service_kit.context import ServiceParts, build_parts
from revcycle_service_kit.program import offline_context
from revcycle_service_kit.runtime import produced_topics

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
CLUSTER = "revcycle"
BOOTSTRAP_SERVERS = f"{CLUSTER}-kafka-bootstrap:9093"
COPIES, COPIES_IN_SYNC = 3, 2
DAY_MILLISECONDS = 86_400_000
LAG_READER = "keda"
CLEARING_SECONDS = 30
WORKER_CORES = 0.5
# Microseconds of one core per encounter, docs/performance.md. The gateway waits for payers rather than for its core,
# but lag is what it has not even taken in.
COST_US: Mapping[str, int] = {"coding": 653, "claims": 1_613, "adjudication-gateway": 393, "analytics": 560}
GENERATED = "# Generated: make manifests\n"
Manifest = dict[str, Any]


def parts_of(service: str) -> ServiceParts:
    """The parts of a service, wired without anything running."""
    package = "revcycle_" + service.replace("-", "_")
    wiring = import_module(f"{package}.bootstrap")
    builder = next(getattr(wiring, name) for name in ("PARTS", "build", "service_parts") if hasattr(wiring, name))
    try:
        own = vars(import_module(f"{package}.settings"))
    except ModuleNotFoundError:
        own = {}
    kinds = [kind for kind in own.values() if isinstance(kind, type) and issubclass(kind, ServiceSettings)]
    kind = next((kind for kind in kinds if kind is not ServiceSettings), ServiceSettings)
    settings = kind(service_name=service, database_url="postgresql://nobody@localhost/none")
    return build_parts(builder, offline_context(settings))


def consumed_topics(service: str) -> list[str]:
    """The topics a service reads as a group."""
    return sorted({event.contract.topic for event in parts_of(service).handlers})


def topic_manifest(topic: TopicDefinition) -> Manifest:
    """A topic as the topic operator makes it."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "partitions": topic.partitions,
            "replicas": COPIES,
            "config": {"retention.ms": topic.retention_days * DAY_MILLISECONDS, "min.insync.replicas": COPIES_IN_SYNC},
        },
    }


def rule(kind: str, name: str, *operations: str, pattern: str = "literal") -> Manifest:
    """One access rule."""
    return {"resource": {"type": kind, "name": name, "patternType": pattern}, "operations": list(operations)}


def user_manifest(name: str, rules: list[Manifest]) -> Manifest:
    """A user with a client certificate, in the secret of the same name."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": f"{name}-kafka", "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": rules}},
    }


def rules_of(service: str) -> list[Manifest]:
    """Exactly what a service does: writes its own topics and reads their ends (after a restore), reads what it handles.

    Dead letters of its own are among its topics. The group bears the service's name.
    """
    rules = [rule("topic", topic, "Describe", "Read", "Write") for topic in produced_topics(service)]
    consumed = consumed_topics(service)
    own = set(produced_topics(service))
    rules += [rule("topic", topic, "Describe", "Read") for topic in consumed if topic not in own]
    if consumed:
        rules.append(rule("group", service, "Describe", "Read"))
    return rules


def triggers(service: str, topics: Mapping[str, TopicDefinition]) -> list[Manifest]:
    """One trigger a topic: only with its topic named does KEDA stop at the partitions that have lag."""
    threshold = round(CLEARING_SECONDS * WORKER_CORES * 1e6 / COST_US[service], -3)
    return [
        {
            "type": "kafka",
            "authenticationRef": {"name": "kafka-lag"},
            "metadata": {
                "bootstrapServers": BOOTSTRAP_SERVERS,
                "tls": "enable",
                "consumerGroup": service,
                "topic": topics[topic].name,
                "offsetResetPolicy": "earliest",
                "lagThreshold": str(int(threshold)),
                "activationLagThreshold": "5",
                "limitToPartitionsWithLag": "true",
                "excludePersistentLag": "true",
            },
        }
        for topic in consumed_topics(service)
    ]


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with its content."""
    topics = {topic.name: topic for topic in load_topics(ROOT / "deploy" / "kafka" / "topics.yaml")}
    yield KUBERNETES / "components" / "strimzi" / "topics.yaml", dump(map(topic_manifest, topics.values()))
    users = [user_manifest(service, rules_of(service)) for service in SERVICES]
    watching = [rule("topic", CLUSTER, "Describe", pattern="prefix"), rule("group", "*", "Describe")]
    users.append(user_manifest(LAG_READER, watching))
    yield KUBERNETES / "components" / "strimzi" / "users.yaml", dump(users)
    for service in SERVICES:
        if consumed_topics(service):
            patch = [{"op": "replace", "path": "/spec/triggers", "value": triggers(service, topics)}]
            yield KUBERNETES / "services" / service / "triggers.yaml", dump([patch])


def dump(documents: Any) -> str:
    """YAML with the name of its generator."""
    return GENERATED + str(yaml.safe_dump_all(documents, sort_keys=False, width=120))


def main() -> int:
    """Write, or compare; names each file that differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args().check
    differing = 0
    for path, content in pages():
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            continue
        differing += 1
        sys.stdout.write(f"{path.relative_to(ROOT)}: {'differs from the code' if check else 'written'}\n")
        if not check:
            path.write_text(content, encoding="utf-8")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
