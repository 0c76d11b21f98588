"""Write the generated contracts under docs/contracts: a JSON Schema per event, an index, an OpenAPI per service.

With ``--check`` nothing is written. Exit status 1 when what is committed differs from what the code says.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from revcycle_events import REGISTRY, Compartment, Event

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "docs" / "contracts"
SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")


def event_schema(contract: type[Event]) -> dict[str, object]:
    """JSON Schema 2020-12 of a contract; every property says in which compartment it travels."""
    schema = contract.model_json_schema(mode="serialization")
    for name, compartment in contract.compartments.items():
        schema["properties"][name]["x-compartment"] = compartment.value
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-type": contract.contract.type,
        "x-topic": contract.contract.topic,
        "x-key": contract.contract.key_field,
        **schema,
    }


def event_index() -> str:
    """A table of every event: topic, key, who seals what."""
    lines = [
        "# Events",
        "",
        "Generated from `revcycle_events`; `make docs` writes it. Sealed fields travel encrypted per compartment.",
        "",
        "| type | topic | key | clear | identity | clinical | document |",
        "|---|---|---|---|---|---|---|",
    ]
    for event_type, contract in sorted(REGISTRY.items(), key=lambda item: (item[1].contract.topic, item[0])):
        if not event_type.startswith("revcycle.testing."):
            cells = [
                ", ".join(name for name, where in contract.compartments.items() if where is compartment)
                for compartment in Compartment
            ]
            identity = contract.contract
            lines.append(
                f"| [{event_type}](events/{event_type}.json) | {identity.topic} | {identity.key_field} | "
                + " | ".join(cells)
                + " |"
            )
    return "\n".join(lines) + "\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with its content."""
    for event_type, contract in sorted(REGISTRY.items()):
        if not event_type.startswith("revcycle.testing."):
            yield CONTRACTS / "events" / f"{event_type}.json", json.dumps(event_schema(contract), indent=2) + "\n"
    yield CONTRACTS / "events.md", event_index()
    for service in SERVICES:
        yield CONTRACTS / "rest" / f"{service}.openapi.json", openapi(service)


def openapi(service: str) -> str:
    """What the service itself prints."""
    module = f"revcycle_{service.replace('-', '_')}"
    printed = subprocess.run(
        [sys.executable, "-m", module, "openapi"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return json.dumps(json.loads(printed), indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write or check; say what differed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    drifted = []
    wanted = dict(pages())
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            drifted.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    stale = [path for path in CONTRACTS.rglob("*.*") if path.is_file() and path not in wanted]
    for path in stale:
        drifted.append(path)
        if not check:
            path.unlink()
    for path in drifted:
        sys.stdout.write(f"drifted: {path.relative_to(ROOT)}\n")
    if drifted:
        sys.stdout.write(
            "docs/contracts differed from the code" + ("; run make docs\n" if check else "; now written\n")
        )
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
