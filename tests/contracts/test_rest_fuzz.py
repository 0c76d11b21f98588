"""Promise: whatever is sent to a service, it answers as its contract says: no 5xx, no other status, no other shape.

schemathesis runs all its phases over every operation, over HTTP, on a real database. ``-s`` shows the figures;
``REVCYCLE_FUZZ_EXAMPLES`` makes it longer (``make fuzz-rest``).
"""

import os
import socket
import sys
from pathlib import Path

import pytest
from revcycle_adjudication_gateway.bootstrap import service_parts as gateway_parts
from revcycle_adjudication_gateway.settings import GatewaySettings
from revcycle_analytics.bootstrap import PARTS as ANALYTICS
from revcycle_claims.bootstrap import build as claims_parts
from revcycle_cli.contracts import event_example
from revcycle_coding.bootstrap import service_parts as coding_parts
from revcycle_coding.settings import Settings as CodingSettings
from revcycle_devstack.testing import PostgresServer
from revcycle_events import (
    ClaimAcknowledged,
    ClaimAdjudicated,
    ClaimSubmitted,
    CoverageRecorded,
    EncounterCoded,
    EncounterDocumented,
    FacilityRecorded,
    PatientRegistered,
    PayerRecorded,
    RemittanceReceived,
)
from revcycle_registration.bootstrap import PARTS as REGISTRATION
from revcycle_service_kit import ServiceSettings
from revcycle_service_kit.context import PartsBuilder
from revcycle_service_kit.testing import ServiceUnderTest, eventually, make_cause, running_service

EXAMPLES = int(os.environ.get("REVCYCLE_FUZZ_EXAMPLES", "1"))
SEED = int(os.environ.get("REVCYCLE_FUZZ_SEED", "7"))
SERVICES: dict[str, tuple[PartsBuilder, type[ServiceSettings]]] = {
    "registration": (REGISTRATION, ServiceSettings),
    "coding": (coding_parts, CodingSettings),
    "claims": (claims_parts, ServiceSettings),
    "adjudication-gateway": (gateway_parts, GatewaySettings),
    "analytics": (ANALYTICS, ServiceSettings),
}


VISIT = (
    FacilityRecorded,
    PayerRecorded,
    PatientRegistered,
    CoverageRecorded,
    EncounterDocumented,
    EncounterCoded,
    ClaimSubmitted,
    ClaimAcknowledged,
    RemittanceReceived,
    ClaimAdjudicated,
)


async def tell_of_the_example_visit(service: ServiceUnderTest) -> None:
    """The events the examples tell of, so that what the examples name is there to be answered with."""
    events = [contract.model_validate(event_example(contract)) for contract in VISIT]
    own = service.context.settings.service_name
    told = [event for event in events if event.contract.type.split(".")[1] != own]
    await service.feed([(event, make_cause(number)) for number, event in enumerate(told, start=1)])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.component
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", SERVICES)
async def test_every_answer_is_in_the_contract(
    name: str, postgresql: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from .rest_fuzzing import PHASES, fuzz  # not above: schemathesis would cost every run of other tests a second

    parts, settings_class = SERVICES[name]
    port = free_port()
    running = running_service(
        parts,
        postgresql,
        tmp_path,
        settings_class=settings_class,
        run=("api", "consumer", "relay"),
        settings={"http_port": port},
    )
    async with running as service:
        await eventually(lambda: service.app.state.health.started, what="the door")
        await tell_of_the_example_visit(service)
        figures = await fuzz(service, port, SEED, EXAMPLES)
    with capsys.disabled():
        sys.stderr.write(f"\n{figures}\n")
    assert not figures.failures, "\n".join(sorted(set(figures.failures))[:20])
    assert len(figures.tested) == figures.operations
    # Without an operation whose answer leads to another one, there is nothing stateful to walk.
    assert figures.not_applicable <= {"stateful"}
    assert set(PHASES) <= figures.phases | figures.not_applicable
