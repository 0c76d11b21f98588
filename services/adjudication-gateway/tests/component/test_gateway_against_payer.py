"""The gateway against a real payer process over HTTPS, on real PostgreSQL: claims arrive once, answers count once."""

import asyncio
from datetime import date
from uuid import UUID

import pytest
from revcycle_adjudication_gateway.jobs import answering
from revcycle_edi.x12 import build_277ca
from revcycle_edi.x12.records import (
    ClaimAcknowledgmentReport,
    ClaimStatus,
    Envelope,
    Name,
    ProviderAcknowledgment,
    StatusCode,
)
from revcycle_events import (
    ClaimAcknowledged,
    ClaimAdjudicated,
    ClaimPended,
    ClaimRejected,
    ClaimTransmitted,
    RemittanceReceived,
    TransmissionUnknown,
)
from revcycle_messaging.testing import OTHER_TENANT, TENANT

pytestmark = pytest.mark.component

OPEN = "SELECT count(*) FROM gateway.submission WHERE answer NOT IN ('adjudicated', 'rejected')"
STATE = "SELECT sending FROM gateway.submission"


async def test_twenty_claims_come_home(gateway, payer, make_claim) -> None:
    """Sent once, acknowledged, adjudicated per line, remitted; every event depends on the claim's own."""
    dependent = make_claim(20).subscriber.model_copy(update={"relationship": "child", "first_name": "PARENT"})
    await gateway.submit(*(make_claim(number) for number in range(1, 20)), make_claim(20, subscriber=dependent))
    await gateway.until(OPEN, 0)

    assert sum(raw.count(b"CLM*") for raw in payer.arrived()) == 20
    assert len(await gateway.published(ClaimTransmitted)) == 20
    acknowledged = await gateway.published(ClaimAcknowledged)
    assert len(acknowledged) == 20
    assert all(event.payer_claim_control_number for event in acknowledged)
    adjudicated = await gateway.published(ClaimAdjudicated)
    assert len(adjudicated) == 20
    assert {line.matched_by for event in adjudicated for line in event.lines} == {"line_control_number"}
    remitted = [claim for each in await gateway.published(RemittanceReceived) for claim in each.claims]
    assert {claim.claim_id for claim in remitted} == {event.claim_id for event in adjudicated}
    assert sum(claim.paid_cents for claim in remitted) == sum(event.paid_cents for event in adjudicated)
    received = gateway.service.published(ClaimTransmitted)[0]
    assert [(each.topic, each.key, each.sequence) for each in received.envelope.depends_on] == [
        ("revcycle.claims.v1", str(received.event.claim_id), 1)
    ]
    assert received.envelope.correlation_id
    assert await gateway.value("SELECT count(*) FROM gateway.exception_item") == 0


async def test_a_silent_payer_and_a_killed_worker_make_one_arrival(gateway, payer, make_claim) -> None:
    """The payer takes the bytes and falls silent, the worker dies: unknown, asked about, found, never sent again."""
    payer.plan(silent_after_bytes=1)
    await gateway.submit(make_claim(1))
    doomed = gateway.senders[0]
    await doomed.turn()
    await gateway.eventually(lambda: len(payer.arrived()) == 1)
    gateway.senders.remove(doomed)
    await doomed.close(patience_seconds=0)
    assert await gateway.value(STATE) == "intent"

    gateway.new_sender()
    await gateway.until(STATE, "unknown")
    async with gateway.service.client("biller", tenant_id=TENANT) as client:
        listed = (await client.get("/v1/submissions", params={"state": "unknown"})).json()["items"]
    assert [each["patient_control_number"] for each in listed] == ["RC00000001"]

    await gateway.until(OPEN, 0)
    assert len(payer.arrived()) == 1
    assert len(payer.arrived("ST*276*")) >= 1
    assert len(await gateway.published(TransmissionUnknown)) == 1
    assert len(await gateway.published(ClaimTransmitted)) == 1
    assert await gateway.value("SELECT max(attempt) FROM gateway.interchange WHERE kind = '837P'") == 1


async def test_an_answer_overtakes_the_outcome_of_a_killed_worker(gateway, payer, make_claim) -> None:
    """The door took the bytes, the worker died before it wrote so: the payer's answer says it, no question is put."""
    door = gateway.new_door()
    deliver = door.deliver

    async def deliver_and_hang(route, raw):
        await deliver(route, raw)
        await asyncio.Event().wait()

    door.deliver = deliver_and_hang
    await gateway.sender.close()
    gateway.senders.clear()
    doomed = gateway.new_sender(door)
    await gateway.submit(make_claim(1))
    await doomed.turn()
    await gateway.eventually(lambda: len(payer.arrived()) == 1)
    await doomed.close(patience_seconds=0)
    gateway.senders.clear()
    await gateway.until(OPEN, 0)
    assert await gateway.value(STATE) == "sent"
    assert await gateway.published(TransmissionUnknown) == []
    assert len(await gateway.published(ClaimTransmitted)) == 1
    assert payer.arrived("ST*276*") == []
    assert await gateway.value("SELECT count(*) FROM gateway.attempt WHERE outcome IS NULL") == 0


async def test_not_found_at_another_door_permits_nothing(gateway, payer, make_claim) -> None:
    """The route now speaks under another name: that nobody knows the claim under that name proves nothing."""
    payer.plan(silent_before_bytes=1)
    await gateway.submit(make_claim(1))
    await gateway.until(STATE, "unknown")
    await gateway.put_route(sender_id="OTHERNAME")
    await gateway.until("SELECT count(*) > 0 FROM gateway.inquiry WHERE finding = 'not_found'", True)
    assert await gateway.value(STATE) == "unknown"
    assert payer.arrived() == []


async def test_bytes_that_never_arrived_go_once_more_under_the_same_numbers(gateway, payer, make_claim) -> None:
    """Silent before anything is recorded: unknown, "not found", then the stored bytes exactly once."""
    payer.plan(silent_before_bytes=1)
    dependent = make_claim(2).subscriber.model_copy(update={"relationship": "spouse", "first_name": "PARTNER"})
    await gateway.submit(make_claim(1), make_claim(2, subscriber=dependent))
    await gateway.until(OPEN, 0)

    arrived = payer.arrived()
    assert len(arrived) == 1
    assert arrived[0] == await gateway.value("SELECT raw FROM gateway.interchange WHERE kind = '837P'")
    assert await gateway.value("SELECT count(*) FROM gateway.interchange WHERE kind = '837P'") == 1
    outcomes = """
        SELECT array_agg(outcome ORDER BY attempt.attempt) FROM gateway.attempt
        JOIN gateway.interchange USING (tenant_id, interchange_id) WHERE kind = '837P'
    """
    assert await gateway.value(outcomes) == ["unknown", "taken"]
    assert len(await gateway.published(TransmissionUnknown)) == 2
    assert len(await gateway.published(ClaimTransmitted)) == 2


async def test_a_door_that_does_not_open_gets_the_same_bytes_later(gateway, payer, make_claim) -> None:
    """Not one byte has left: no unknown, no question, the same interchange once the door opens."""
    await gateway.put_route(base_url="https://127.0.0.1:9")
    await gateway.submit(make_claim(1))
    await gateway.until(STATE, "not_sent")
    await gateway.put_route()
    await gateway.until(OPEN, 0)
    assert len(payer.arrived()) == 1
    assert payer.arrived("ST*276*") == []
    assert await gateway.published(TransmissionUnknown) == []


async def test_a_named_person_resolves_and_is_recorded(gateway, payer, make_claim) -> None:
    """`not_sent` by a person sends the same bytes again; a second decision is refused."""
    payer.plan(silent_before_bytes=1)
    await gateway.submit(make_claim(1))
    await gateway.until(STATE, "unknown")
    path = f"/v1/submissions/{make_claim(1).submission_id}:resolve"
    async with gateway.service.client("biller", tenant_id=TENANT) as client:
        answer = await client.post(path, json={"resolution": "not_sent", "reason": "asked the payer's EDI desk"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "not_sent"
        again = await client.post(path, json={"resolution": "sent", "reason": "changed my mind"})
        assert (again.status_code, again.json()["code"]) == (409, "not_unknown")
    await gateway.until(OPEN, 0)
    assert len(payer.arrived()) == 1
    assert await gateway.value("SELECT count(*) FROM gateway.resolution WHERE resolved_by <> ''") == 1


async def test_an_answer_that_comes_twice_counts_once(gateway, payer, make_claim) -> None:
    """Every answer twice: one remittance, one decision per claim, and the copies are counted."""
    payer.plan(answer_twice=50)
    await gateway.submit(*(make_claim(number) for number in range(1, 4)))
    await gateway.until(OPEN, 0)
    await gateway.until("SELECT count(*) FROM gateway.interchange WHERE direction = 'in' AND copies = 1", 0)
    remittances = await gateway.value("SELECT count(*) FROM gateway.remittance")
    assert len(await gateway.published(RemittanceReceived)) == remittances
    assert len(await gateway.published(ClaimAdjudicated)) == 3
    assert len(await gateway.published(ClaimAcknowledged)) == 3


async def test_an_unbalanced_835_is_held_with_its_equation_and_the_right_one_flows(gateway, payer, make_claim) -> None:
    payer.plan(unbalanced_835=1)
    await gateway.submit(make_claim(1))
    await gateway.until("SELECT count(*) FROM gateway.remittance", 2)
    async with gateway.service.client("biller", tenant_id=TENANT) as client:
        held = (await client.get("/v1/remittances", params={"state": "held"})).json()["items"]
        assert len(held) == 1
        detail = (await client.get(f"/v1/remittances/{held[0]['remittance_id']}")).json()
        exceptions = (await client.get("/v1/exceptions", params={"kind": "remittance_held"})).json()["items"]
    assert all(each["left_cents"] != each["right_cents"] for each in detail["failing"])
    assert detail["claims"]
    assert len(exceptions) == 1
    received = await gateway.published(RemittanceReceived)
    assert [each.trace_number for each in received] != [held[0]["trace_number"]]
    assert len(received) == 1
    assert len(await gateway.published(ClaimAdjudicated)) == 1


async def test_a_malformed_answer_is_kept_with_its_place_and_delays_nothing(gateway, payer, make_claim) -> None:
    payer.plan(malformed_answer=1)
    await gateway.submit(make_claim(1))
    await gateway.until(OPEN, 0)
    async with gateway.service.client("operator", tenant_id=TENANT) as client:
        kept = (await client.get("/v1/interchanges", params={"state": "malformed"})).json()["items"]
        assert len(kept) == 1
        assert kept[0]["finding"]["rule"]
        assert kept[0]["finding"]["expected"]
        raw = await client.get(f"/v1/interchanges/{kept[0]['interchange_id']}/raw")
    assert raw.headers["content-type"] == "application/edi-x12"
    assert raw.content.startswith(b"ISA*")


async def test_a_remitted_claim_nobody_knows_is_advice_all_the_same(gateway, payer, make_claim) -> None:
    payer.plan(unknown_claim_835=1)
    await gateway.submit(make_claim(1))
    await gateway.until("SELECT count(*) FROM gateway.remittance", 2)
    claims = [claim for each in await gateway.published(RemittanceReceived) for claim in each.claims]
    assert {claim.claim_id for claim in claims} == {None, make_claim(1).claim_id}
    unknown = "SELECT count(*) FROM gateway.exception_item WHERE kind = 'remittance_claim_unknown'"
    assert await gateway.value(unknown) == 1


async def test_a_pended_claim_says_so_and_is_decided_later(gateway, payer, make_claim) -> None:
    payer.plan(pend_all=1)
    await gateway.submit(make_claim(1))
    await gateway.until(OPEN, 0)
    assert len(await gateway.published(ClaimPended)) == 1
    assert len(await gateway.published(ClaimAdjudicated)) == 1


async def test_a_rejected_claim_names_category_status_and_entity(gateway, payer, make_claim) -> None:
    """The payer's front end refuses the NPI; the claim beside it in the same interchange goes on."""
    wrong = make_claim(1).rendering_provider.model_copy(update={"npi": "1700000412"})
    await gateway.submit(make_claim(1, rendering_provider=wrong), make_claim(2))
    await gateway.until(OPEN, 0)
    rejected = await gateway.published(ClaimRejected)
    assert [each.claim_id for each in rejected] == [make_claim(1).claim_id]
    reason = rejected[0].reasons[0]
    assert reason.source == "277ca" or reason.source == "gateway"
    assert [each.claim_id for each in await gateway.published(ClaimAdjudicated)] == [make_claim(2).claim_id]


async def test_a_claim_that_cannot_be_written_is_refused_alone(gateway, payer, make_claim) -> None:
    """CLM01 beyond 20 characters: refused with the rule, and its neighbours leave."""
    await gateway.submit(make_claim(1, patient_control_number="R" * 40), make_claim(2))
    await gateway.until(OPEN, 0)
    rejected = await gateway.published(ClaimRejected)
    assert [(each.claim_id, each.reasons[0].source) for each in rejected] == [(make_claim(1).claim_id, "gateway")]
    assert sum(raw.count(b"CLM*") for raw in payer.arrived()) == 1


async def test_the_same_claim_number_and_frequency_is_never_queued_twice(gateway, payer, make_claim) -> None:
    await gateway.submit(make_claim(1))
    await gateway.submit(make_claim(2, patient_control_number=make_claim(1).patient_control_number))
    await gateway.until(OPEN, 0)
    assert await gateway.value("SELECT count(*) FROM gateway.submission") == 1
    assert await gateway.value("SELECT kind FROM gateway.exception_item") == "contradiction"


async def test_a_replacement_reverses_the_old_decision_and_decides_anew(gateway, payer, make_claim) -> None:
    """Frequency 7 keeps the CLM01; the payer's own numbers tell the reversal from the correction."""
    await gateway.submit(make_claim(1))
    await gateway.until(OPEN, 0)
    first = (await gateway.published(ClaimAdjudicated))[0]
    lines = [line.model_copy(update={"charge_cents": line.charge_cents + 100}) for line in make_claim(1).lines]
    replacement = make_claim(
        1,
        submission_id=UUID(int=77),
        frequency="7",
        payer_claim_control_number=first.payer_claim_control_number,
        charge_cents=35200,
        lines=lines,
    )
    await gateway.submit(replacement)
    await gateway.until("SELECT count(*) FROM gateway.submission WHERE answer = 'adjudicated'", 1)
    await gateway.until("SELECT count(*) FROM gateway.submission WHERE answer = 'reversed'", 1)
    decisions = {
        (each.submission_id, each.is_reversal, each.charge_cents) for each in await gateway.published(ClaimAdjudicated)
    }
    assert decisions == {
        (make_claim(1).submission_id, False, 35000),
        (make_claim(1).submission_id, True, -35000),
        (UUID(int=77), False, 35200),
    }
    assert await gateway.value("SELECT count(*) FROM gateway.exception_item") == 0


async def test_an_answer_we_fail_to_read_delays_no_other(gateway, payer, make_claim, monkeypatch) -> None:
    """A fault of ours with one answer: it waits and is tried again, the others are read meanwhile."""
    read = answering.read_inbound

    async def stumble(uow, unread, understood, policy):
        if b"ST*277*" in unread.raw:
            raise RuntimeError("a fault of ours")
        await read(uow, unread, understood, policy)

    monkeypatch.setattr(answering, "read_inbound", stumble)
    await gateway.submit(make_claim(1))
    processed = "SELECT count(*) FROM gateway.interchange WHERE kind = '835' AND state = 'processed'"
    await gateway.until(processed, 1, faults_of_ours=True)
    monkeypatch.undo()
    await gateway.until("SELECT count(*) FROM gateway.acknowledgment WHERE kind = '277CA'", 1, faults_of_ours=True)


async def test_two_instances_at_once_send_each_claim_once(gateway, payer, make_claim) -> None:
    await gateway.put_route(max_claims_per_interchange=5)
    gateway.new_sender()
    await gateway.submit(*(make_claim(number) for number in range(1, 61)))
    await gateway.until(OPEN, 0, seconds=60)
    arrived = [line for raw in payer.arrived() for line in raw.split(b"~") if line.startswith(b"CLM*")]
    assert len(arrived) == 60
    assert len({line.split(b"*")[1] for line in arrived}) == 60
    numbers = "SELECT count(*) = count(DISTINCT control_number) FROM gateway.interchange WHERE direction = 'out'"
    assert await gateway.value(numbers) is True


async def test_an_operator_drops_a_file_and_it_is_read_like_one_from_the_mailbox(gateway, payer, make_claim) -> None:
    """The same 835 by hand is absorbed, other content under its payment is held, a broken file is kept as malformed."""
    await gateway.submit(make_claim(1))
    await gateway.until(OPEN, 0)
    raw = await gateway.value("SELECT raw FROM gateway.interchange WHERE kind = '835'")
    assert isinstance(raw, bytes)
    headers = {"content-type": "application/edi-x12"}
    async with gateway.service.client("operator", tenant_id=TENANT) as client:
        drop = f"/v1/interchanges?payer_id={(await client.get('/v1/routes')).json()['items'][0]['payer_id']}"
        again = await client.post(drop, content=raw, headers=headers)
        assert (again.status_code, again.json()["copies"]) == (202, 2)
        # Another envelope around the same advice: other bytes, the same remittance.
        other = raw.replace(b"*P*:~", b"*T*:~") if b"*P*:~" in raw else raw.replace(b"*T*:~", b"*P*:~")
        assert (await client.post(drop, content=other, headers=headers)).status_code == 202
        conflicting = raw.replace(b"CLP*RC00000001*1*", b"CLP*RC00000001*2*")
        assert conflicting != raw
        assert (await client.post(drop, content=conflicting, headers=headers)).status_code == 202
        assert (await client.post(drop, content=b"hello", headers=headers)).status_code == 202
        assert (await client.post(drop, content=raw, headers={"content-type": "text/plain"})).status_code == 415
        unknown = await client.post("/v1/interchanges?payer_id=NOBODY", content=raw, headers=headers)
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "payer_id")
    await gateway.until("SELECT count(*) FROM gateway.interchange WHERE state = 'malformed'", 1)
    assert await gateway.value("SELECT copies FROM gateway.remittance WHERE state = 'published'") == 2
    assert (
        await gateway.value("SELECT failing -> 0 ->> 'level' FROM gateway.remittance WHERE state = 'held'")
        == "identity"
    )
    assert len(await gateway.published(RemittanceReceived)) == 1


async def test_a_person_may_ask_and_the_answer_permits_no_second_sending(gateway, payer, make_claim) -> None:
    await gateway.submit(make_claim(1))
    await gateway.until(OPEN, 0)
    async with gateway.service.client("biller", tenant_id=TENANT) as client:
        body = {"submission_ids": [str(make_claim(1).submission_id)]}
        asked = await client.post("/v1/status-inquiries", json=body)
        assert asked.status_code == 202, asked.text
        await gateway.until("SELECT count(*) FROM gateway.inquiry WHERE state = 'answered'", 1)
        answers = (await client.get("/v1/status-inquiries")).json()["items"]
        assert answers[0]["finding"] in ("paid", "denied", "finalized")
        nobody = await client.post("/v1/status-inquiries", json={"submission_ids": [str(OTHER_TENANT)]})
        assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "submission_ids[0]")
    assert len(payer.arrived()) == 1


async def test_a_drained_route_sends_nothing_and_another_tenant_sees_nothing(gateway, payer, make_claim) -> None:
    async with gateway.service.client("operator", tenant_id=TENANT) as client:
        assert (await client.post("/v1/routes/REVPAY1:drain")).json()["enabled"] is False
        await gateway.submit(make_claim(1))
        for _ in range(5):
            await gateway.turn()
        assert (await client.get("/v1/routes/REVPAY1")).json()["queued"] == 1
        refused = await client.put(
            "/v1/routes/REVPAY1", json={"base_url": "http://x", "sender_id": "A1", "receiver_id": "B1"}
        )
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "base_url")
    async with gateway.service.client("operator", tenant_id=OTHER_TENANT) as stranger:
        assert (await stranger.get("/v1/routes/REVPAY1")).status_code == 404
        assert (await stranger.get(f"/v1/submissions/{make_claim(1).submission_id}")).status_code == 404
        assert (await stranger.get("/v1/submissions")).json()["items"] == []
    async with gateway.service.client("coder", tenant_id=TENANT) as coder:
        assert (await coder.get("/v1/submissions")).status_code == 403
    assert payer.arrived() == []


async def test_a_provider_the_payer_rejects_as_a_whole_has_its_claims_rejected(gateway, payer, make_claim) -> None:
    """The 277CA lists no claim below a rejected billing provider: its claims, and no others, are rejected."""
    other = make_claim(2).billing_provider.model_copy(update={"npi": "1900000013"})
    await gateway.submit(make_claim(1), make_claim(2, billing_provider=other))
    await gateway.sender.turn()
    await gateway.eventually(lambda: len(payer.arrived()) == 1)
    reference = await gateway.value("SELECT batch_reference FROM gateway.interchange WHERE kind = '837P'")
    payer_name = Name(entity_type="2", last_name="PAYER ONE", id_qualifier="PI", id="REVPAY1")
    refused = ProviderAcknowledgment(
        provider=Name(entity_type="2", last_name="SAMPLE CLINIC", id_qualifier="XX", id="1900000005"),
        trace_number="0",
        statuses=(ClaimStatus(codes=(StatusCode("A3", "562", "85"),), effective_date=date(2026, 9, 30), action="U"),),
    )
    report = ClaimAcknowledgmentReport(
        envelope=Envelope(
            sender_id="REVPAY1", receiver_id="REVCYCLE01", control_number=900, created_at=gateway.service.clock.now()
        ),
        transaction_control_number="0001",
        reference="R900",
        source=payer_name,
        source_trace="S900",
        received_date=date(2026, 9, 30),
        processed_date=date(2026, 9, 30),
        receiver=Name(entity_type="2", last_name="REVCYCLE", id_qualifier="46", id="REVCYCLE01"),
        batch_reference=str(reference),
        providers=(refused,),
    )
    async with gateway.service.client("operator", tenant_id=TENANT) as client:
        headers = {"content-type": "application/edi-x12"}
        answer = await client.post("/v1/interchanges?payer_id=REVPAY1", content=build_277ca([report]), headers=headers)
        assert answer.status_code == 202
    await gateway.reader.turn()
    assert not gateway.failures
    assert [each.claim_id for each in await gateway.published(ClaimRejected)] == [make_claim(1).claim_id]
