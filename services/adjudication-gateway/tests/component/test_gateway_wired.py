"""The gateway as it is wired in production: nobody turns it, and three payers with different manners are served."""

import pytest
from revcycle_adjudication_gateway.bootstrap import service_parts
from revcycle_adjudication_gateway.settings import GatewaySettings
from revcycle_events import ClaimAdjudicated, RemittanceReceived
from revcycle_messaging import Cause
from revcycle_messaging.testing import TENANT
from revcycle_service_kit import new_id
from revcycle_service_kit.testing import eventually, running_service

pytestmark = pytest.mark.component

PAYERS = ("REVPAY1", "REVPAY2", "REVPAY3")
OPEN = "SELECT count(*) FROM gateway.submission WHERE answer <> 'adjudicated'"


async def test_claims_to_three_payers_come_home_by_themselves(postgresql, tmp_path, payer, make_claim) -> None:
    """Claims submitted before there is a route wait; once it stands they leave, and every line is tied by a rule."""
    folder = tmp_path / "service"
    folder.mkdir()
    async with running_service(
        service_parts,
        postgresql,
        folder,
        settings_class=GatewaySettings,
        run=("consumer", "relay", "background"),
        settings={"ca_file": payer.ca_file, "inquiry_after_seconds": 0.5},
    ) as service:
        now = service.clock.now()
        claims = [make_claim(number, payer_id=PAYERS[number % 3]) for number in range(1, 31)]
        await service.feed([(claim, Cause(TENANT, new_id(now), now, "claims")) for claim in claims])
        await service.drain()
        operator = service.client("operator")
        waiting = (await operator.get("/v1/submissions", params={"state": "queued", "limit": 200})).json()["items"]
        assert len(waiting) == 30
        for payer_id in PAYERS:
            body = {"base_url": payer.url, "sender_id": "REVCYCLE01", "receiver_id": payer_id, "poll_seconds": 0.1}
            assert (await operator.put(f"/v1/routes/{payer_id}", json=body)).status_code == 201

        async def all_answered() -> bool:
            async with service.database.unit_of_work(TENANT, read_only=True) as uow:
                return bool(await uow.fetch_value(OPEN) == 0)

        await eventually(all_answered, limit_seconds=40)
        await service.drain()
        adjudicated = [received.event for received in service.published(ClaimAdjudicated)]
        rules = {(event.payer_id, line.matched_by) for event in adjudicated for line in event.lines}
        assert rules == {
            ("REVPAY1", "line_control_number"),
            ("REVPAY2", "code_and_modifiers"),
            ("REVPAY3", "line_control_number"),
        }
        remitted = [claim for each in service.published(RemittanceReceived) for claim in each.event.claims]
        assert {claim.claim_id for claim in remitted} == {claim.claim_id for claim in claims}
        assert sum(raw.count(b"CLM*") for raw in payer.arrived()) == 30
        assert (await operator.get("/v1/exceptions")).json()["items"] == []
