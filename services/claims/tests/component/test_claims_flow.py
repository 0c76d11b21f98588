"""One claim's way through real PostgreSQL: from facts in any order to money in the ledger."""

import random
from datetime import date

import pytest
from revcycle_claims.bootstrap import build
from revcycle_events import ClaimSubmitted
from revcycle_service_kit.testing import eventually, running_service

pytestmark = pytest.mark.component


async def test_a_visit_becomes_one_submission_with_its_charges(service, world):
    """A coded visit whose facts are all here is submitted once, and its charges stand in the ledger."""
    await service.prices()
    await service.consume([world.facility(), world.payer(), *world.visit("ann")])
    claim = await service.outcome(world.claim_id("ann"))
    assert (claim["state"], claim["outcome"], claim["waiting_for"]) == ("submitted", None, "transmission")
    assert claim["charge_cents"] == claim["open_cents"] == 12_500
    types = await service.event_types()
    assert types.count("ClaimDrafted") == types.count("ClaimSubmitted") == 1
    assert await service.ledger() == [
        "1234567893|E-ann|1|charges|-10000",
        "1234567893|E-ann|1|receivable_insurance|10000",
        "1234567893|E-ann|2|charges|-2500",
        "1234567893|E-ann|2|receivable_insurance|2500",
    ]
    await service.check_books()


async def test_a_paid_claim_bills_the_patient_and_closes(service, world):
    await service.prices()
    await service.consume([world.facility(), world.payer(), *world.visit("ann")])
    await service.consume(
        [world.transmitted("ann"), world.acknowledged("ann"), world.remittance("T1", [world.remitted("ann")])]
    )
    claim = await service.outcome(world.claim_id("ann"))
    assert (claim["outcome"], claim["waiting_for"]) == ("paid", None)
    assert (claim["paid_cents"], claim["contractual_cents"], claim["patient_cents"]) == (8_000, 3_500, 1_000)
    assert claim["open_cents"] == 0
    types = await service.event_types()
    assert types[-4:] == ["PaymentPosted", "AdjustmentPosted", "PatientBilled", "ClaimClosed"]
    await service.check_books()


def interleaved(log, seed):
    """The log in another order across streams, the order within each stream kept."""
    streams = {}
    for item in log:
        streams.setdefault((item.topic, item.key), []).append(item)
    chance, mixed = random.Random(seed), []
    while streams:
        key = chance.choice(sorted(streams))
        mixed.append(streams[key].pop(0))
        if not streams[key]:
            del streams[key]
    return mixed


def tell_a_month(world):
    """Paid, partly paid, denied, rejected, self-pay, held, reversed and corrected; advice nobody can place."""
    world.facility()
    world.payer()
    for name in ("paid", "partly", "denied", "rejected", "reversed", "pended"):
        world.visit(name)
        world.transmitted(name)
    for name in ("paid", "partly", "denied", "reversed"):
        world.acknowledged(name)
    world.rejected("rejected")
    world.patient("selfpay")
    cover = world.coverage("selfpay", "SELFPAY")
    world.coded("selfpay", depends_on=[world.documented("selfpay", depends_on=[cover.reference]).reference])
    world.patient("uncovered")
    cover = world.coverage("uncovered", effective_to=date(2026, 2, 1))
    world.coded("uncovered", depends_on=[world.documented("uncovered", depends_on=[cover.reference]).reference])
    partly = world.remitted("partly", [(1, 10_000, (("CO", "45", 100),)), (2, 2_500, (("CO", "96", 2_500),))])
    denied = world.remitted("denied", [(1, 10_000, (("CO", "29", 10_000),)), (2, 2_500, (("CO", "29", 2_500),))])
    world.remittance("T1", [world.remitted("paid"), partly, denied], [("WO", 700), ("L6", -50)])
    first = world.remitted("reversed")
    back = world.remitted("reversed", reversal=True)
    again = world.remitted(
        "reversed",
        [(1, 10_000, (("CO", "45", 2_000), ("PR", "1", 500))), (2, 2_500, ())],
        control_number="ICN-second",
    )
    world.remittance("T2", [first])
    world.remittance("T3", [back])
    world.remittance("T4", [again])
    unknown = world.remitted("paid", claim_id=world.id("nobody")).model_copy(update={"claim_id": None})
    world.remittance("T5", [unknown])
    world.remittance("T6", [world.remitted("pended", [(None, 10_000, ()), (2, 2_500, ())])])
    return world.log


EXPECTED = {
    "paid": ("paid", 0),
    "partly": ("partly_paid", 2_500),
    "denied": ("denied", 12_500),
    "rejected": ("rejected", 12_500),
    "reversed": ("paid", 0),
    "selfpay": ("patient_only", 0),
    "uncovered": ("held", 0),
    "pended": ("paid", 0),
}


async def state_of(service, world):
    """Everything a reader can see of money and outcomes, without times."""
    outcomes = await service.fetch(
        "SELECT encounter_number, outcome, paid_cents, patient_cents, open_cents FROM claims.claim_outcome ORDER BY 1"
    )
    accounts = await service.fetch("SELECT account, sum(cents)::bigint FROM claims.entry GROUP BY 1 ORDER BY 1")
    tasks = await service.fetch("SELECT kind, state, cause FROM claims.task WHERE state = 'open' ORDER BY 1, 2, 3")
    billed = await service.value("SELECT sum(amount_cents)::bigint FROM claims.patient_bill")
    return [*map(tuple, outcomes)], [*map(tuple, accounts)], [*map(tuple, tasks)], billed, await service.ledger()


async def test_every_kind_of_claim_ends_where_it_should(service, world):
    await service.prices()
    await service.consume(tell_a_month(world))
    for name, (outcome, open_cents) in EXPECTED.items():
        claim = await service.outcome(world.claim_id(name))
        assert (name, claim["outcome"], claim["open_cents"]) == (name, outcome, open_cents)
    tasks = await service.fetch("SELECT kind FROM claims.task WHERE state = 'open' ORDER BY kind")
    assert [row["kind"] for row in tasks] == [
        "claim_denied",
        "claim_denied",
        "claim_held",
        "claim_rejected",
        "unknown_claim",
        "unmatched_line",
    ]
    balance = await service.value("SELECT sum(cents) FROM claims.entry WHERE account = 'clearing_remittance'")
    advised = await service.value("SELECT sum(paid_cents) FROM claims.remittance")
    assert balance == advised
    await service.check_books()


async def test_the_order_of_events_does_not_matter(make_service, world, world_class):
    """Across streams there is no order: any interleaving gives the same money, outcomes and open work."""
    log = tell_a_month(world)
    reference = await make_service()
    await reference.prices()
    await reference.consume(log)
    expected = await state_of(reference, world)
    for seed in range(4):
        service = await make_service()
        await service.prices()
        await service.consume(interleaved(log, seed), chunk_size=(1, 7, 500, 3)[seed])
        await service.ring("sweep")
        assert await state_of(service, world) == expected, f"interleaving {seed}"
        await service.check_books()


async def test_chunk_size_and_repeated_delivery_do_not_matter(make_service, world):
    """Chunks of 1, 7 and 500, stream by stream and all of it twice: same ledger, events, event ids and versions."""
    topics = ["directory", "patients", "encounters", "codings", "adjudications", "remittances"]
    log = tell_a_month(world)
    streams = [[item for item in log if item.topic == f"revcycle.{topic}.v1"] for topic in topics]
    seen = []
    for chunk_size in (1, 7, 500):
        service = await make_service()
        await service.prices()
        for stream in (*streams, *streams):
            await service.consume(stream, chunk_size)
        events = await service.fetch("SELECT topic, key, sequence, event_id FROM messaging.outbox ORDER BY 1, 2, 3")
        versions = await service.fetch("SELECT claim_id, version FROM claims.claim ORDER BY 1")
        seen.append((await state_of(service, world), [*map(tuple, events)], [*map(tuple, versions)]))
    assert seen[0] == seen[1] == seen[2]


async def test_the_whole_process_carries_a_visit_from_topic_to_topic(postgresql, tmp_path, world):
    """Consumer, timers and relay together: events in, the set-up last, ClaimSubmitted out, nothing left in flight."""
    async with running_service(
        build, postgresql, tmp_path, run=("consumer", "relay", "timers"), business_date=date(2026, 9, 30)
    ) as service:
        log = [*world.visit("ann"), world.payer(), world.facility()]
        await service.feed([(item.event, item.cause) for item in log])
        await service.drain()
        rows = [{"code": code, "effective_from": "2026-01-01", "price_cents": 5} for code in ("G0463", "T1015")]
        answer = await service.client("integration").post("/v1/fee-schedules", json={"name": "standard", "rows": rows})
        assert answer.status_code == 201
        await eventually(lambda: service.published(ClaimSubmitted), what="a submission")
        await service.drain()
        submitted = service.published(ClaimSubmitted)[0]
        assert (submitted.event.charge_cents, submitted.event.encounter_number) == (10, "E-ann")
        assert len(submitted.event.patient_control_number) <= 17
        assert {item.topic.split(".")[1] for item in submitted.envelope.depends_on} == {
            "patients",
            "encounters",
            "codings",
        }


async def test_money_is_conserved_at_every_instant(service, world, world_class):
    """Promise 12: per line, claim, remittance and deposit, after every single commit, not only at the end."""
    await service.prices()
    tell_a_month(world)
    biller = service.client("biller")
    deposits = iter(DEPOSITS)
    for number, item in enumerate(world.log):
        await service.consume([item], chunk_size=1)
        if number % 5 == 4 and (deposit := next(deposits, None)):
            await biller.post("/v1/deposits", json={"deposits": [deposit]})
        await check_every_balance(service)
    assert await service.value("SELECT count(*) FROM claims.deposit") > 2
    assert await service.value("SELECT count(*) FROM claims.entry WHERE account = 'clearing_remittance'") > 2


DEPOSITS = [
    {"deposit_id": f"BANK-{number}", "date": "2026-09-21", "payer_id": "TESTPAY", "trace_number": trace,
     "amount_cents": cents}
    for number, (trace, cents) in enumerate([("T1", 8_000), ("T2", 7_000), ("T9", 5), ("T1", 100), ("T3", 1)])
]  # fmt: skip


async def check_every_balance(service):
    """Journals and lines as always; clearing accounts are what was advised, deposited and matched, to the cent."""
    await service.check_books()
    claims = await service.fetch(
        """
        SELECT c.claim_id FROM claims.claim_outcome AS c JOIN (
            SELECT claim_id, sum(charge_cents) AS charge, sum(open_cents) AS open FROM claims.line_money GROUP BY 1
        ) AS l USING (claim_id)
        WHERE c.open_cents <> l.open
        """
    )
    assert claims == [], "a claim is the sum of its lines"
    deposits = await service.fetch(
        """
        SELECT d.deposit_id FROM claims.deposit AS d LEFT JOIN claims.entry AS e
            ON e.deposit_id = d.deposit_id AND e.account = 'clearing_deposit'
        GROUP BY d.deposit_id, d.amount_cents, d.remittance_id
        HAVING coalesce(sum(e.cents), 0) <> CASE WHEN d.remittance_id IS NULL THEN -d.amount_cents ELSE 0 END
        """
    )
    assert deposits == [], "a deposit stands in clearing until it is matched, then nothing of it does"
    remittances = await service.fetch(
        """
        SELECT r.remittance_id FROM claims.remittance AS r
        LEFT JOIN claims.entry AS e ON e.remittance_id = r.remittance_id AND e.account = 'clearing_remittance'
        WHERE r.state = 'posted' GROUP BY r.remittance_id, r.paid_cents
        HAVING coalesce(sum(e.cents), 0) <> r.paid_cents - coalesce((
            SELECT sum(d.amount_cents) FROM claims.deposit AS d WHERE d.remittance_id = r.remittance_id), 0)
        """
    )
    assert remittances == [], "what is open in a remittance's clearing is what was advised and not yet deposited"
