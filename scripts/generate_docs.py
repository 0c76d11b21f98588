"""Write the generated contracts under docs/contracts: event schemas and index, AsyncAPI, an OpenAPI per service.

With ``--check`` nothing is written. With ``--release`` what the code says is also kept as the last release, which later
changes are compared with; it refuses when they are incompatible. Exit status 1 when what is committed differs from
what the code says.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from revcycle_cli.contracts import asyncapi_document, event_schema, incompatibilities, published_events
from revcycle_events import Compartment
from revcycle_service_kit.operations_api import OPERATIONS_ACCESS

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "docs" / "contracts"
RELEASED = CONTRACTS / "released"
TOPICS = ROOT / "deploy" / "kafka" / "topics.yaml"
SEAL = ROOT / "docs" / "seal.md"
SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")
ROLES_IN_ORDER = ("integration", "coder", "biller", "operator", "auditor")


def event_index() -> str:
    """A table of every event: topic, key, who seals what; then the seal, byte for byte."""
    lines = [
        "# Events",
        "",
        "Generated from `revcycle_events`; `make docs` writes it. Sealed fields travel encrypted per compartment.",
        "",
        "| type | topic | key | clear | identity | clinical | document |",
        "|---|---|---|---|---|---|---|",
    ]
    for contract in sorted(published_events(), key=lambda each: (each.contract.topic, each.contract.type)):
        cells = [
            ", ".join(name for name, where in contract.compartments.items() if where is compartment)
            for compartment in Compartment
        ]
        identity = contract.contract
        lines.append(
            f"| [{identity.type}](events/{identity.type}.json) | {identity.topic} | {identity.key_field} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines) + "\n\n" + SEAL.read_text()


def as_text(document: Any, *, sort: bool = False) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, sort_keys=sort, ensure_ascii=False) + "\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with its content."""
    for contract in published_events():
        yield CONTRACTS / "events" / f"{contract.contract.type}.json", as_text(event_schema(contract))
    yield CONTRACTS / "events.md", event_index()
    topics = yaml.safe_load(TOPICS.read_text())["topics"]
    yield CONTRACTS / "asyncapi.json", as_text(asyncapi_document(published_events(), topics))
    yield CONTRACTS / "access.md", access_page()
    for service in SERVICES:
        yield CONTRACTS / "rest" / f"{service}.openapi.json", openapi(service)


def access_page() -> str:
    """Who may do what, of all services, as each declares it."""
    lines = [
        "# Who may do what",
        "",
        "Generated from the services' access tables (`api/access.py`); `make docs` writes it. An operation without",
        "a row keeps its service from starting. *Data*: what of patients it shows or changes; each call is audited.",
        "",
        f"| service | operation | {' | '.join(ROLES_IN_ORDER)} | data | limit |",
        f"|---|---|{'---|' * len(ROLES_IN_ORDER)}---|---|",
    ]
    tables = {service: import_module(f"{package(service)}.api.access").ACCESS for service in SERVICES}
    for service, table in {**tables, "every service": OPERATIONS_ACCESS}.items():
        for name, row in table.items():
            cells = " | ".join("yes" if role in row.roles else "" for role in ROLES_IN_ORDER)
            lines.append(f"| {service} | {name} | {cells} | {row.data or ''} | {'bulk' if row.bulk else ''} |")
    return "\n".join(lines) + "\n"


def package(service: str) -> str:
    """The Python package of a service."""
    return f"revcycle_{service.replace('-', '_')}"


def openapi(service: str) -> str:
    """What the service itself prints."""
    printed = subprocess.run(
        [sys.executable, "-m", package(service), "openapi"], stdout=subprocess.PIPE, text=True, check=True
    )
    return as_text(json.loads(printed.stdout), sort=True)


def comparable(wanted: dict[Path, str]) -> dict[str, dict[str, Any]]:
    """The documents that must stay compatible, by kind and name."""
    kinds = {CONTRACTS / "events": "event", CONTRACTS / "rest": "rest"}
    return {
        f"{kinds[path.parent]}:{path.name.removesuffix('.json').removesuffix('.openapi')}": json.loads(text)
        for path, text in wanted.items()
        if path.parent in kinds
    }


def released() -> dict[str, dict[str, Any]]:
    """The documents of the last release; none before the first."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(RELEASED.glob("*.json")):
        found |= json.loads(path.read_text())
    return found


_PROSE = frozenset({"description", "summary", "title", "example", "examples"})


def bare(node: Any, *, names: bool = False) -> Any:
    """A document without prose and examples; under ``properties`` and the like every name is kept."""
    if isinstance(node, list):
        return [bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: bare(part, names=name in ("properties", "schemas", "$defs", "paths") and not names)
        for name, part in node.items()
        if names or name not in _PROSE
    }


def keep_release(present: dict[str, dict[str, Any]]) -> None:
    """Keep what the code says as the last release: one line per document, as nobody reads it."""
    RELEASED.mkdir(exist_ok=True)
    for kind in ("event", "rest"):
        documents = {name: document for name, document in present.items() if name.startswith(f"{kind}:")}
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(bare(each), sort_keys=True)}" for name, each in documents.items()
        )
        (RELEASED / f"{kind}.json").write_text(f"{{\n{lines}\n}}\n")


def main() -> int:
    """Write or check; say what differed and what is incompatible."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--release", action="store_true", help="keep what the code says as the last release")
    asked = parser.parse_args()
    wanted = dict(pages())
    broken = incompatibilities(released(), comparable(wanted))
    for what in broken:
        sys.stdout.write(f"incompatible with the last release: {what}\n")
    if broken:
        sys.stdout.write("give the new shape a new major version beside the old one, or make the change additive\n")
    elif asked.release:
        keep_release(comparable(wanted))
    drifted = drift(wanted, write=not asked.check)
    for path in drifted:
        sys.stdout.write(f"drifted: {path.relative_to(ROOT)}\n")
    if drifted:
        sys.stdout.write(
            "docs/contracts differed from the code" + ("; run make docs\n" if asked.check else "; now written\n")
        )
    return 1 if drifted or broken else 0


def drift(wanted: dict[Path, str], *, write: bool) -> list[Path]:
    """Files that are not what the code says, or that nothing generates any more; written or removed on request."""
    drifted = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    stale = [
        path for path in CONTRACTS.rglob("*.*") if path.is_file() and path not in wanted and path.parent != RELEASED
    ]
    if write:
        for path in drifted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        for path in stale:
            path.unlink()
    return [*drifted, *stale]


if __name__ == "__main__":
    sys.exit(main())
