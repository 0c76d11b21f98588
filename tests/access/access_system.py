"""The five services in one process on real databases and a broker in memory, with something of one tenant in each."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from joserfc import jwt
from revcycle_adjudication_gateway.bootstrap import service_parts as gateway_parts
from revcycle_adjudication_gateway.settings import GatewaySettings
from revcycle_analytics.bootstrap import PARTS as ANALYTICS
from revcycle_claims.bootstrap import build as claims_parts
from revcycle_claims.settings import Settings as ClaimsSettings
from revcycle_coding.bootstrap import service_parts as coding_parts
from revcycle_coding.settings import Settings as CodingSettings
from revcycle_messaging.transports.memory import MemoryTransport
from revcycle_registration.bootstrap import PARTS as REGISTRATION
from revcycle_registration.examples import FACILITY, encounter_file
from revcycle_service_kit import ServiceSettings
from revcycle_service_kit.access import AccessTable, operations
from revcycle_service_kit.auth import ISSUER, ensure_development_key
from revcycle_service_kit.testing import MakesDatabases, ServiceUnderTest, eventually, running_service

Json = Any
SERVICES: Final[Mapping[str, tuple[Any, type[ServiceSettings]]]] = {
    "registration": (REGISTRATION, ServiceSettings),
    "coding": (coding_parts, CodingSettings),
    "claims": (claims_parts, ClaimsSettings),
    "adjudication-gateway": (gateway_parts, GatewaySettings),
    "analytics": (ANALYTICS, ServiceSettings),
}
NO_LIMITS: Final = dict.fromkeys(("rate_limit_read", "rate_limit_write", "rate_limit_bulk"), 1_000_000)
_ADDRESS = {"line1": "1 TEST WAY", "city": "TESTVILLE", "state": "OR", "postal_code": "973010001"}


@dataclass(frozen=True)
class Operation:
    """One operation of one service, with a body that its own contract gives as an example."""

    service: str
    name: str
    method: str
    path: str
    body: Json | None

    def address(self, ids: Mapping[str, str]) -> str:
        """The path with its ids filled in."""
        return self.path.format_map(ids)


@dataclass
class System:
    """The running services by name, and what one tenant has in each."""

    services: dict[str, ServiceUnderTest] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)

    def operations(self) -> list[Operation]:
        """Every operation of every service."""
        found = []
        for service, running in self.services.items():
            document = running.app.openapi()
            for name, method, path in operations(running.app):
                spoken = document["paths"][path][method.lower()]
                found.append(Operation(service, name, method, path, _example(document, spoken)))
        return found

    def table(self, service: str) -> AccessTable:
        """The service's access table."""
        table: AccessTable = self.services[service].app.state.access
        return table

    def signed(self, tenant_id: UUID, role: str, **claims: object) -> str:
        """A token that is right in everything but what a test changes."""
        running = self.services["registration"]
        key = ensure_development_key(running.context.settings.token_key_file)
        now = int(running.clock.now().timestamp())
        whole = {
            "iss": ISSUER,
            "aud": "revcycle",
            "sub": f"matrix-{role}",
            "tenant_id": str(tenant_id),
            "roles": [role],
            "iat": now - 100,
            "nbf": now - 100,
            "exp": now + 600,
            **claims,
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, whole, key.key, algorithms=["ES256"])


def _example(document: Json, operation: Json) -> Json | None:
    """The example of a JSON body, where the contract has one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return content.get("example", schema.get("example", (schema.get("examples") or [{}])[0]))


@asynccontextmanager
async def running_system(postgresql: MakesDatabases, folder: Path) -> AsyncIterator[System]:
    """All five, with an encounter of the first tenant on its way through them.

    ``ids`` holds ids that we gave. Names that a tenant chooses, such as a payer's, are its own even when another tenant
    has the same.
    """
    system, transport = System(), MemoryTransport()
    async with AsyncExitStack() as stack:
        for name, (parts, settings_class) in SERVICES.items():
            system.services[name] = await stack.enter_async_context(
                running_service(
                    parts,
                    postgresql,
                    folder,
                    settings_class=settings_class,
                    transport=transport,
                    business_date=date(2026, 9, 30),
                    settings=NO_LIMITS,
                )
            )
        await _fill(system)
        yield system


async def _fill(system: System) -> None:
    clients = {name: service.client() for name, service in system.services.items()}
    intake = clients["registration"]
    facility = {"name": "SYNTHETIC CLINIC", "tax_id": "123456789", "address": _ADDRESS, "time_zone": "America/New_York"}
    await _sent(intake.put(f"/v1/locations/{FACILITY}", json=facility))
    await _sent(intake.put("/v1/payers/REVPAY1", json={"name": "SYNTHETIC PAYER", "filing_limit_days": 365}))
    prices = {"name": "standard", "rows": [{"code": "G0463", "effective_from": "2026-01-01", "price_cents": 10_000}]}
    await _sent(clients["claims"].post("/v1/fee-schedules", json=prices))
    taken = await _sent(intake.post("/v1/intake", json={"encounters": [encounter_file()]}))
    encounter_id = taken["results"][0]["encounter_id"]
    encounter = await _sent(intake.get(f"/v1/encounters/{encounter_id}"))

    async def first(service: str, path: str) -> Json:
        return next(iter((await _sent(clients[service].get(path)))["items"]), None)

    claim = await eventually(lambda: first("claims", f"/v1/claims?encounter_id={encounter_id}"), 30, "a claim")
    own = {"encounter_id": encounter_id, "side": "professional", "claim_id": claim["claim_id"]}
    own |= {"patient_id": encounter["patient_id"], "document_id": encounter["document"]["document_id"]}
    system.ids["registration"] = system.ids["coding"] = system.ids["claims"] = own
    submission = await eventually(lambda: first("adjudication-gateway", "/v1/submissions"), 30, "a submission")
    route = {"base_url": "https://127.0.0.1:9", "sender_id": "REVCYCLE01", "receiver_id": "REVPAY1"}
    gateway = clients["adjudication-gateway"]
    await _sent(gateway.put("/v1/routes/OTHERPAY", json=route))
    x12 = {"content-type": "application/edi-x12"}
    kept = await _sent(gateway.post("/v1/interchanges?payer_id=OTHERPAY", content=b"no X12", headers=x12))
    system.ids["adjudication-gateway"] = {
        "submission_id": submission["submission_id"],
        "interchange_id": kept["interchange_id"],
    }


async def _sent(call: Any) -> Json:
    answer: httpx.Response = await call
    assert answer.is_success, answer.text
    return answer.json()
