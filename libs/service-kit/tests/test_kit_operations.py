"""The operations side over HTTP: the same figures everywhere, what waits and why, and decisions of named persons."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit_sample_service.parts import build, on_notes
from revcycle_messaging import Permanent, Received, UnitOfWork
from revcycle_messaging.testing import NoteTaken, make_cause
from revcycle_messaging.transports import Standing
from revcycle_service_kit.lag import REMEMBERED_ENDS, LagClock
from revcycle_service_kit.operations import MessagingFigures
from revcycle_service_kit.testing import OTHER_TENANT, START, TENANT, ServiceUnderTest, eventually, running_service

pytestmark = pytest.mark.component
KEYS = ("a", "b", "c")


class Fault:
    """A planted fault: the second note of some keys cannot be applied, until the corrected version is deployed."""

    def __init__(self) -> None:
        self.planted = True

    async def handle(self, uow: UnitOfWork, received: Sequence[Received[NoteTaken]]) -> None:
        for one in received:
            if self.planted and one.event.number == 2 and one.event.note_id in KEYS:
                raise Permanent(f"rule 7 does not know note {one.event.cents}")
        await on_notes(uow, received)


@pytest.fixture
def fault() -> Fault:
    return Fault()


@pytest.fixture
async def service(postgresql: Any, tmp_path: Path, fault: Fault) -> AsyncIterator[ServiceUnderTest]:
    """Three dead keys of one tenant with two events behind each, one of another tenant, and one key that flows."""
    parts = replace(build(), handlers={NoteTaken: fault.handle})
    async with running_service(parts, postgresql, tmp_path, run=("consumer",)) as running:
        told = [
            (NoteTaken(note_id=key, number=number, cents=100 * number), make_cause(index * 10 + number))
            for index, key in enumerate((*KEYS, "flows"))
            for number in range(1, 5)
        ]
        told += [
            (NoteTaken(note_id="a", number=number, cents=7), make_cause(900 + number, tenant_id=OTHER_TENANT))
            for number in (1, 2)
        ]
        await running.feed(told)
        consumer = running.runtime.consumer
        assert consumer is not None
        await eventually(lambda: consumer.dead == 4 and consumer.applied >= 8, 20)
        yield running


async def decide(client: httpx.AsyncClient, action: str, once: str | None, **body: Any) -> httpx.Response:
    headers = {"idempotency-key": once} if once else {}
    return await client.post(f"/v1/ops/dead-letters:{action}", json=body, headers=headers)


async def seen(service: ServiceUnderTest, key: str) -> list[int]:
    async with service.database.unit_of_work(TENANT) as uow:
        rows = await uow.fetch("SELECT number FROM sample.seen WHERE note_id = $1 ORDER BY number", key)
    return [row["number"] for row in rows]


async def test_numbers_that_are_none_or_no_database_holds_are_refused(service: ServiceUnderTest) -> None:
    """Promise: what the contract calls an integer is one in plain digits, and none is too large to be looked for."""
    client = service.client("operator")
    for limit in ("%0B5", "+5", "1_0", "5.0"):
        assert (await client.get(f"/v1/ops/dead-letters?limit={limit}")).status_code == 422, limit
    told = await decide(client, "discard", None, sequence=10**12 + 1, reason="too large")
    assert told.status_code == 422


async def test_dead_letters_are_counted_with_their_money_then_redriven_under_a_name(
    service: ServiceUnderTest, fault: Fault
) -> None:
    """Promise 4 over HTTP: order and ids stay, a named person decides, and it is written down for good."""
    client = service.client("operator", subject="A. Operator")
    groups = (await client.get("/v1/ops/dead-letters?group_by=fingerprint")).json()["items"]
    assert [(one["events"], one["behind"], one["state"]) for one in groups] == [(3, 6, "dead")]
    group = groups[0]["group"]
    dry = (await decide(client, "redrive", None, group=group, reason="fixed in 1.2")).json()
    assert (dry["dry_run"], dry["events"], dry["behind"], dry["money_at_stake_cents"]) == (True, 3, 6, 0)
    listed = (await client.get("/v1/ops/dead-letters?limit=2")).json()
    rest = (
        await client.get("/v1/ops/dead-letters", params={"limit": 2, "page_token": listed["next_page_token"]})
    ).json()
    before = [(one["key"], one["sequence"], one["event_id"]) for one in listed["items"] + rest["items"]]
    assert [one[:2] for one in before] == [(key, 2) for key in KEYS]
    fault.planted = False
    done = await decide(client, "redrive", "once", group=group, reason="fixed in 1.2", dry_run=False)
    again = await decide(client, "redrive", "once", group=group, reason="fixed in 1.2", dry_run=False)
    assert (done.status_code, done.json()["events"], done.json()["decided_by"]) == (200, 3, "A. Operator")
    assert again.content == done.content and again.headers["idempotency-replayed"] == "true"
    for key in KEYS:
        await eventually(lambda key=key: seen_all(service, key), 10, f"{key} goes on in order")
    audit = (await client.get("/v1/ops/interventions")).json()["items"]
    found = sorted((one["key"], one["sequence"], one["event_id"]) for one in audit)
    assert found == before, "written once per event, ids as they were"
    assert {(one["action"], one["actor"], one["reason"]) for one in audit} == {
        ("redrive", "A. Operator", "fixed in 1.2")
    }
    more = await decide(client, "redrive", "twice", reason="fixed in 1.2", dry_run=False)
    assert more.json()["events"] == 0, "what was redriven is no dead letter any more"


async def seen_all(service: ServiceUnderTest, key: str) -> bool:
    return await seen(service, key) == [1, 2, 3, 4]


async def test_discard_lets_one_key_go_on_and_touches_no_other(service: ServiceUnderTest) -> None:
    client = service.client("operator", subject="A. Operator")
    answer = await decide(
        client, "discard", "d", topic="revcycle.testing.v1", key="a", reason="entered by hand", dry_run=False
    )
    assert (answer.status_code, answer.json()["events"], answer.json()["remaining"]) == (200, 1, 0)

    async def goes_on() -> bool:
        return await seen(service, "a") == [1, 3, 4]

    await eventually(goes_on)
    assert await seen(service, "b") == [1]
    parked = (await client.get("/v1/ops/parked-keys")).json()["items"]
    assert [(one["key"], one["state"], one["events"]) for one in parked] == [("b", "dead", 3), ("c", "dead", 3)]


async def test_a_decision_about_very_many_says_what_is_left(service: ServiceUnderTest) -> None:
    """A thousand at a time: the answer says how many remain, and the same call with a new key goes on."""
    async with service.database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO messaging.parked_event
            SELECT consumer, tenant_id, topic, 'many-' || number, 1, gen_random_uuid(), headers, payload,
                'dead', 'many', 1, NULL, first_failed_at
            FROM messaging.parked_event, generate_series(1, 1003) AS number
            WHERE key = 'b' AND sequence = 2 AND tenant_id = $1
            """,
            TENANT,
        )
    client = service.client("operator", subject="A. Operator")
    groups = (await client.get("/v1/ops/dead-letters?group_by=fingerprint")).json()["items"]
    assert (groups[0]["reason"], groups[0]["events"]) == ("many", 1003)
    body = {"group": groups[0]["group"], "reason": "fixed in 1.2", "dry_run": False}
    first = (await decide(client, "redrive", "1", **body)).json()
    assert (first["events"], first["remaining"]) == (1000, 3)
    rest = (await client.get("/v1/ops/dead-letters?group_by=fingerprint")).json()["items"]
    assert next(one["events"] for one in rest if one["reason"] == "many") == 3
    last = (await decide(client, "redrive", "2", **body)).json()
    assert (last["events"], last["remaining"]) == (3, 0)


REFUSED: list[tuple[tuple[str, ...], str, str | None, dict[str, Any], tuple[int, str]]] = [
    (("auditor",), "A. Auditor", "k", {"reason": "why not", "dry_run": False}, (403, "forbidden")),
    (("operator",), "A. Operator", "k", {"dry_run": False}, (422, "invalid")),
    (("operator",), "A. Operator", "k", {"reason": "     ", "dry_run": False}, (422, "invalid")),
    (("operator",), "   ", "k", {"reason": "why not", "dry_run": False}, (422, "nobody_named")),
    (("operator",), "A. Operator", None, {"reason": "why not", "dry_run": False}, (400, "idempotency_key_required")),
    (("operator",), "A. Operator", "k", {"reason": "why not", "group": "every"}, (422, "invalid")),
]


async def test_who_may_not_decide_is_told_why(service: ServiceUnderTest) -> None:
    """Wrong role, no reason, nobody named, no key, no such group, no token: a problem each, and nothing is done."""
    for roles, subject, once, body, expected in REFUSED:
        for action in ("redrive", "discard"):
            answer = await decide(service.client(*roles, subject=subject), action, once, **body)
            assert (answer.status_code, answer.json()["code"]) == expected
            assert answer.headers["content-type"] == "application/problem+json"
    anonymous = await decide(service.anonymous_client(), "redrive", "k", reason="why not", dry_run=False)
    assert anonymous.status_code == 401
    assert (await service.client("auditor").get("/v1/ops/interventions")).json()["items"] == []


async def test_an_operator_sees_and_decides_for_one_tenant_only(service: ServiceUnderTest) -> None:
    """Promise 11: another tenant's dead letters are neither shown nor touched."""
    theirs = service.client("operator", tenant_id=OTHER_TENANT)
    parked = (await theirs.get("/v1/ops/parked-keys")).json()["items"]
    assert [(one["key"], one["events"]) for one in parked] == [("a", 1)]
    done = await decide(theirs, "discard", "k", reason="ours alone", dry_run=False)
    assert done.json()["events"] == 1
    ours = (await service.client("operator").get("/v1/ops/dead-letters")).json()["items"]
    assert [one["key"] for one in ours] == list(KEYS)
    assert (await service.client("auditor").get("/v1/ops/interventions")).json()["items"] == []


async def test_one_page_metrics_and_figures_say_the_same(service: ServiceUnderTest) -> None:
    cause = make_cause(77, now=service.clock.now())
    async with service.database.unit_of_work(TENANT) as uow:
        uow.add_job("send_letter", cause.derive("job"), {"address": "x"}, cause)
        uow.set_timer("claim/1", "overdue", service.clock.now() - timedelta(seconds=90))
        uow.add_event(NoteTaken(note_id="waits", number=1), cause)
    async with service.database.connection() as connection:
        await connection.execute("UPDATE messaging.job SET state = 'unknown', last_error = 'TimeoutError while acting'")
    client = service.client("auditor")
    page = (await client.get("/v1/ops")).json()
    figures = page["figures"]
    assert (figures["dead_letters"], figures["parked_keys"], figures["jobs"]["unknown"]) == (4, 4, 1)
    assert (figures["outbox_rows"], figures["timers_due"]) == (5, 1), "four tell of dead letters, one is new"
    assert figures["timers_oldest_due_seconds"] >= 90 and figures["outbox_oldest_age_seconds"] >= 0
    assert (figures["lag"], figures["lag_seconds"]) == (0, 0.0)
    assert len(page["parked_keys"]) == 3 and len(page["dead_letters"]) == 1, "lists are the caller's tenant's"
    assert [one["last_error"] for one in page["jobs_unknown"]] == ["TimeoutError while acting"]
    assert [one["aggregate"] for one in page["timers_due"]] == ["claim/1"]
    assert (await client.get("/v1/ops/jobs")).json()["items"] == page["jobs_unknown"]
    assert (await client.get("/v1/ops/timers")).json()["items"] == page["timers_due"]
    assert (await client.get("/v1/ops/outbox")).json()["rows"] == 5
    lag = (await client.get("/v1/ops/lag")).json()
    assert lag["events"] == 0 and lag["partitions"]
    await service.runtime.probe()
    metrics = (await client.get("/metrics")).text
    for name, figure in (
        ("outbox_waiting_events", "outbox_rows"),
        ("consumer_parked_keys", "parked_keys"),
        ("consumer_dead_events", "dead_letters"),
        ("timer_due_timers", "timers_due"),
        ("consumer_lag_seconds", "lag_seconds"),
    ):
        assert f"revcycle_{name} {float(figures[figure])}" in metrics
    assert 'revcycle_job_open_jobs{state="unknown"} 1.0' in metrics


def test_every_figure_that_is_a_number_is_a_metric(tmp_path: Path) -> None:
    from revcycle_service_kit.metrics import Metrics

    numbers = {
        name
        for name, one in MessagingFigures.model_fields.items()
        if one.annotation in (int, float, bool, int | None, float | None)
    }
    assert set(Metrics("x").figures) == numbers


def test_lag_in_seconds_counts_from_when_the_oldest_waiting_record_came() -> None:
    clock, place = LagClock(), ("t", 0)

    def at(seconds: int, position: int, records: int) -> float:
        return clock.seconds({place: Standing(position, position + records)}, START + timedelta(seconds=seconds))[place]

    assert at(0, 10, 0) == 0
    assert at(5, 10, 3) == 0, "seen just now"
    assert at(9, 10, 3) == 4
    assert at(12, 10, 8) == 7
    assert at(15, 13, 5) == 3, "the first three are done; the others came at 12"
    assert at(20, 18, 0) == 0
    for second in range(REMEMBERED_ENDS + 50):
        at(30 + second, 18, second + 1)
    assert at(30 + REMEMBERED_ENDS + 50, 18, REMEMBERED_ENDS + 50) == REMEMBERED_ENDS + 50, "the oldest stays known"


def test_a_topic_made_anew_waits_whole_and_since_now() -> None:
    clock, place = LagClock(), ("t", 0)

    def at(seconds: int, committed: int, end: int) -> tuple[int, float]:
        standing = Standing(committed, end)
        return standing.lag, clock.seconds({place: standing}, START + timedelta(seconds=seconds))[place]

    assert at(0, 10, 30) == (20, 0)
    assert at(5, 10, 30) == (20, 5)
    assert at(6, 10, 7) == (7, 0), "who stands beyond the end knew the former topic"
    assert at(9, 10, 7) == (7, 3)
    assert at(11, 5, 7) == (2, 5)
    assert at(12, 7, 7) == (0, 0)
