"""Runs schemathesis against a service that listens on a real port, and counts what it finds."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from revcycle_service_kit.testing import ServiceUnderTest
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.run import PhaseSkipReason

X12: Final = "application/edi-x12"
PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")


@schemathesis.serializer(X12)
def _as_x12(_context: Any, value: Any) -> bytes:
    """Whatever is drawn goes out as the bytes of the file."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()


@dataclass
class Figures:
    """What one run did and found."""

    service: str
    operations: int = 0
    cases: int = 0
    phases: set[str] = field(default_factory=set)
    not_applicable: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.service:21} operations={self.operations} tested={len(self.tested)} cases={self.cases} "
            f"failures={len(self.failures)}  {statuses}"
        )


def _settings(base_url: str, token: str, seed: int, max_examples: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "cache": {"enabled": False},
        "base-url": base_url,
        "headers": {"Authorization": f"Bearer {token}"},
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "generation": {"max-examples": max_examples, "no-shrink": True, "deterministic": True},
        "checks": {
            # A schema cannot say every rule: a check digit, a known payer, a cursor that is ours.
            "positive_data_acceptance": {"enabled": False},
            # RFC 6585: a missing If-Match is answered 428.
            "missing_required_header": {"expected-statuses": [400, 401, 422, 428]},
        },
        "phases": {
            **{name: {"enabled": True} for name in PHASES},
            # One method no path has is as good as all of them.
            "coverage": {"enabled": True, "unexpected-methods": ["TRACE"]},
        },
        # A path that ends in a verb is also the plain path of a thing with that name: other methods find no such thing.
        "operations": [
            {
                "include-path-regex": ":[a-z-]+$",
                "checks": {"allow_header_conformance": {"enabled": False}, "unsupported_method": {"enabled": False}},
            }
        ],
    }


def run(service: str, base_url: str, token: str, document: dict[str, Any], seed: int, max_examples: int) -> Figures:
    """All phases over all operations; blocks until done."""
    config = SchemathesisConfig.from_dict(_settings(base_url, token, seed, max_examples))
    schema = schemathesis.openapi.from_dict(document, config=config)
    figures = Figures(service, operations=sum(len(methods) for methods in document["paths"].values()))
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(figures, event)
        elif isinstance(event, events.PhaseFinished) and event.phase.skip_reason is PhaseSkipReason.NOT_APPLICABLE:
            figures.not_applicable.add(event.phase.name.value)
        elif isinstance(event, events.NonFatalError):
            figures.failures.append(f"{event.label}: {event.value!r}"[:2000])
        elif isinstance(event, events.FatalError):
            raise event.exception
    return figures


def _count(figures: Figures, scenario: events.ScenarioFinished) -> None:
    figures.phases.add(scenario.phase.value)
    recorder = scenario.recorder
    figures.cases += len(recorder.interactions)
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            figures.statuses[interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        case = recorder.cases[case_id].value
        figures.tested.add(case.operation.label)
        for check in checks:
            if check.status is Status.FAILURE and check.failure_info is not None:
                request = recorder.interactions.get(case_id)
                sent = f"{case.operation.label} [{scenario.phase.value}] {check.name}: {check.failure_info.failure}"
                shown = request.request.uri + " " + repr(request.request.body)[:300] if request else ""
                figures.failures.append(f"{sent}\n    {shown}"[:3000])


async def fuzz(service: ServiceUnderTest, port: int, seed: int, max_examples: int) -> Figures:
    """Run beside the service's event loop."""
    return await asyncio.to_thread(
        run,
        service.context.settings.service_name,
        f"http://127.0.0.1:{port}",
        service.token(),
        service.app.openapi(),
        seed,
        max_examples,
    )
