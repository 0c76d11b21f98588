"""Sets up a tenant: its facilities, payers, prices and the routes to its payers. Doing it again changes nothing."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from revcycle_payer_simulator import benefit_plan

from revcycle_hospital_simulator.catalogue import FACILITY, PAYER_NAMES, Facility
from revcycle_hospital_simulator.fee_schedule import SCHEDULE_NAME, fee_schedule_rows
from revcycle_hospital_simulator.rest import Api, Body
from revcycle_hospital_simulator.visits import JsonObject

_SENDER_ID = "REVCYCLE01"
_CLAIMS_PER_INTERCHANGE = 100
_POLL_SECONDS = 0.25
_NPI = re.compile(r"[12]\d{9}", re.ASCII)


async def set_up_tenant(api: Api, payer_url: str | None, facilities: Iterable[Facility] = (FACILITY,)) -> None:
    """Record everything through REST; without the address of the payers' door, no routes: claims then wait queued.

    Raises:
        ServiceUnreachableError, UnexpectedAnswerError: see `Api.call`.
    """
    for facility in facilities:
        path = f"/v1/locations/{facility.npi}"
        await api.call("integration", "registration", "PUT", path, Body.of(_facility_body(facility)))
    for payer_id, name in PAYER_NAMES.items():
        payer = {"name": name, "filing_limit_days": benefit_plan.filing_limit_days(payer_id)}
        await api.call("integration", "registration", "PUT", f"/v1/payers/{payer_id}", Body.of(payer))
    await api.call("biller", "claims", "POST", "/v1/fee-schedules", Body.of(schedule_body()))
    if payer_url is None:
        return
    for payer_id in PAYER_NAMES:
        route = Body.of(_route_body(payer_id, payer_url))
        await api.call("operator", "adjudication-gateway", "PUT", f"/v1/routes/{payer_id}", route)


def facilities_of(files: Iterable[Mapping[str, object]]) -> tuple[Facility, ...]:
    """Our facility and, if it is another one, the facility that sends most of the files; the others stay unknown."""
    sent = Counter(npi for file in files if isinstance(npi := file.get("facility_npi"), str) and _valid(npi))
    if not sent or (sender := sent.most_common(1)[0][0]) == FACILITY.npi:
        return (FACILITY,)
    return (FACILITY, replace(FACILITY, npi=sender, name="Revcycle Demonstration Clinic"))


def _valid(npi: str) -> bool:
    return _NPI.fullmatch(npi) is not None and benefit_plan.npi_is_valid(npi)


def _facility_body(facility: Facility) -> JsonObject:
    return {
        "name": facility.name,
        "tax_id": facility.tax_id,
        "taxonomy": facility.taxonomy,
        "address": {
            "line1": facility.line1,
            "city": facility.city,
            "state": facility.state,
            "postal_code": facility.postal_code,
        },
        "time_zone": facility.time_zone,
    }


def schedule_body() -> JsonObject:
    """The prices, as claims takes them in."""
    rows = [
        {
            "code": row.code,
            "modifier": None,
            "effective_from": row.effective_from.isoformat(),
            "effective_to": row.effective_to.isoformat() if row.effective_to else None,
            "price_cents": row.price_cents,
        }
        for row in fee_schedule_rows()
    ]
    return {"name": SCHEDULE_NAME, "rows": rows}


def _route_body(payer_id: str, payer_url: str) -> JsonObject:
    return {
        "base_url": payer_url,
        "sender_id": _SENDER_ID,
        "receiver_id": payer_id,
        "usage_indicator": "T",
        "enabled": True,
        "max_claims_per_interchange": _CLAIMS_PER_INTERCHANGE,
        "poll_seconds": _POLL_SECONDS,
    }
