"""The doors of the service: what people and systems can do, and what they are refused."""

import asyncio
import hashlib
from datetime import date
from uuid import UUID

import asyncpg
import pytest
from revcycle_events import EncounterCancelled, EncounterNotBillable
from revcycle_messaging import DatabaseRefused
from revcycle_messaging.testing import TENANT

pytestmark = pytest.mark.component


@pytest.fixture
async def ready(service, world):
    """A service with facility, payer and prices."""
    await service.prices()
    await service.consume([world.facility(), world.payer()])
    return service


async def submit(client, claim_id, frequency, key, **more):
    return await client.post(
        f"/v1/claims/{claim_id}/submissions", json={"frequency": frequency, **more}, headers={"idempotency-key": key}
    )


async def test_a_rejected_claim_is_corrected_and_sent_as_a_new_one(ready, world):
    """Unchanged it is refused; corrected upstream it goes out with a new CLM01, and its work item is done."""
    await ready.consume(world.visit("ann"))
    await ready.consume([world.transmitted("ann"), world.rejected("ann")])
    claim_id, biller = world.claim_id("ann"), ready.client("biller")
    claim = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert (claim["outcome"], claim["submission"]) == ("rejected", "rejected")
    assert claim["submissions"][0]["reasons"] == ["277ca A7:562:85"]
    task = (await biller.get(f"/v1/tasks?kind=claim_rejected&claim_id={claim_id}")).json()["items"][0]
    assert "NEW claim" in task["remedy"] and task["money_at_stake_cents"] == 12_500

    refused = await submit(biller, claim_id, "1", "a")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_changed")
    replaced = await submit(biller, claim_id, "7", "b")
    assert (replaced.status_code, replaced.json()["code"]) == (409, "rejected")

    await ready.consume([world.coded("ann", ["G0463"], version=2)])
    assert (await biller.get(f"/v1/claims/{claim_id}")).json()["changed_since_submission"] is True
    sent = await submit(biller, claim_id, "1", "c")
    assert sent.status_code == 201, sent.text
    after = sent.json()
    first, second = after["submissions"]
    assert first["patient_control_number"] != second["patient_control_number"]
    assert (after["outcome"], after["waiting_for"], after["charge_cents"]) == (None, "transmission", 10_000)
    assert after["money"]["open_cents"] == after["money"]["charge_cents"] == 10_000
    again = await submit(biller, claim_id, "1", "c")
    assert again.json() == after and again.headers["idempotency-replayed"] == "true"
    tasks = (await biller.get(f"/v1/tasks?claim_id={claim_id}&state=open")).json()["items"]
    assert tasks == []
    await ready.consume([world.remittance("T1", [world.remitted("ann", [(1, 10_000, ())], chain=2)])])
    assert (await ready.outcome(claim_id))["outcome"] == "paid"
    await ready.check_books()


async def test_a_denied_claim_is_replaced_with_the_payers_number(ready, world):
    """Frequency 7 keeps CLM01, names the payer's number, and waits for the corrected answer, not the old one."""
    await ready.consume(world.visit("ann"))
    claim_id, biller = world.claim_id("ann"), ready.client("biller")
    denied = [(1, 10_000, (("CO", "29", 10_000),)), (2, 2_500, (("CO", "29", 2_500),))]
    await ready.consume([world.remittance("T1", [world.remitted("ann", denied)])])
    missing = await submit(biller, claim_id, "7", "a", confirm_unchanged=True)
    assert (missing.status_code, missing.json()["code"]) == (409, "payer_control_number_missing")
    await ready.consume([world.acknowledged("ann"), world.coded("ann", ["G0463"], version=2)])
    new = await submit(biller, claim_id, "1", "b")
    assert (new.status_code, new.json()["code"]) == (409, "not_rejected")
    sent = (await submit(biller, claim_id, "7", "c")).json()
    first, second = sent["submissions"]
    assert first["patient_control_number"] == second["patient_control_number"]
    assert second["payer_claim_control_number"] == "ICN-ann"
    assert (sent["outcome"], sent["waiting_for"]) == (None, "transmission")
    back = world.remitted("ann", denied, reversal=True)
    corrected = world.remitted("ann", [(1, 10_000, ())], control_number="ICN-2")
    await ready.consume([world.acknowledged("ann", 2), world.remittance("T2", [back, corrected])])
    claim = await ready.outcome(claim_id)
    assert (claim["outcome"], claim["paid_cents"], claim["open_cents"]) == ("paid", 10_000, 0)
    await ready.check_books()


async def test_a_void_takes_the_charges_back_when_the_payer_has_taken_it(ready, world):
    await ready.consume(world.visit("ann"))
    claim_id = world.claim_id("ann")
    await ready.consume([world.acknowledged("ann"), world.remittance("T1", [world.remitted("ann")])])
    assert (await submit(ready.client("biller"), claim_id, "8", "a")).status_code == 201
    assert (await ready.outcome(claim_id))["outcome"] is None
    back = world.remittance("T2", [world.remitted("ann", reversal=True)])
    await ready.consume([world.acknowledged("ann", 2), back])
    claim = await ready.outcome(claim_id)
    assert (claim["outcome"], claim["paid_cents"], claim["patient_cents"], claim["open_cents"]) == ("voided", 0, 0, 0)
    assert await ready.ledger() == []
    billed = await ready.value("SELECT sum(amount_cents) FROM claims.patient_bill")
    assert billed == 0
    await ready.check_books()


async def test_a_claim_held_by_hand_goes_out_when_released(ready, world):
    """Hold before the last fact arrives; release sends it at once. After submission both are refused."""
    patient, cover, documented, coded = world.visit("ann")
    await ready.consume([patient, documented, coded])
    claim_id, biller = world.claim_id("ann"), ready.client("biller")
    waiting = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert waiting["waiting"] == {"for": "coverage", "since": waiting["since"]}
    assert (await biller.post(f"/v1/claims/{claim_id}:hold", json={"reason": "signature"})).status_code == 200
    await ready.consume([cover])
    held = (await biller.get("/v1/claims?outcome=held")).json()["items"]
    assert [item["claim_id"] for item in held] == [str(claim_id)]
    resolved = (await biller.get("/v1/tasks?kind=claim_held")).json()["items"][0]
    etag = (await biller.get(f"/v1/tasks/{resolved['task_id']}")).headers["etag"]
    refused = await biller.patch(
        f"/v1/tasks/{resolved['task_id']}",
        json={"state": "resolved", "resolution": "done"},
        headers={"if-match": etag},
    )
    assert refused.json()["code"] == "resolves_itself"
    released = (await biller.post(f"/v1/claims/{claim_id}:release")).json()
    assert (released["state"], released["holds"]) == ("submitted", [])
    assert (await biller.post(f"/v1/claims/{claim_id}:hold", json={"reason": "late"})).status_code == 409


async def test_a_claim_that_the_edits_hold_names_rule_version_and_release_until_it_is_recoded(ready, world):
    """The claim, its event and its work item say which rule of which release holds it, and what would be right."""
    await ready.consume(world.visit("ann", ["J1030"]))
    claim_id, biller = world.claim_id("ann"), ready.client("biller")
    held, unpriced = (await biller.get(f"/v1/claims/{claim_id}")).json()["holds"]
    assert (held["rule"], held["rule_version"], held["release"]) == ("PX-01", "1", "demo-2026")
    assert (unpriced["rule"], unpriced["rule_version"], unpriced["release"]) == ("no_price", "2", "build-claim.v2")
    assert held["expected"] and held["owner"] == "coding"
    [item] = (await biller.get("/v1/tasks?kind=claim_held")).json()["items"]
    assert item["cause"] == "PX-01 version 1 (demo-2026), no_price version 2 (build-claim.v2)"
    assert held["expected"] in item["remedy"]
    await ready.consume([world.coded("ann", ["T1015"], version=2)])
    claim = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert (claim["state"], claim["holds"]) == ("submitted", [])


async def test_a_price_that_comes_later_releases_the_claim(ready, world):
    """No price: held with rule, field and what would be right. A new fee schedule has it tried again."""
    await ready.consume(world.visit("ann", ["G0101"]))
    claim_id, biller = world.claim_id("ann"), ready.client("biller")
    claim = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert [(item["rule"], item["field"], item["line_number"]) for item in claim["holds"]] == [
        ("no_price", "services[0].code", 1)
    ]
    rows = [
        {"code": "G0101", "effective_from": "2026-01-01", "price_cents": 777},
        {"code": "G0101", "effective_from": "2026-01-01", "price_cents": 0},
        {"code": "G0101", "effective_from": "2026-02-01", "effective_to": "2026-01-01", "price_cents": 5},
        {"code": "toolong", "effective_from": "yesterday", "price_cents": "5", "colour": "red"},
    ]
    answer = await ready.client("integration").post("/v1/fee-schedules", json={"name": "extra", "rows": rows})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["version"], body["accepted"]) == (1, 1)
    assert {(item["row"], item["field"]) for item in body["rejected"]} == {
        (2, "price_cents"),
        (3, ""),
        (4, "code"),
        (4, "effective_from"),
        (4, "price_cents"),
        (4, "colour"),
    }
    again = await ready.client("integration").post("/v1/fee-schedules", json={"name": "extra", "rows": rows})
    assert (again.status_code, again.json()["version"]) == (200, 1)
    refused = await biller.post("/v1/fee-schedules", json={"name": "extra", "rows": rows[1:]})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_acceptable_row")
    await ready.ring("sweep")
    claim = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert (claim["state"], claim["charge_cents"]) == ("submitted", 777)
    resolved = (await biller.get("/v1/tasks?kind=claim_held")).json()["items"]
    assert [(item["state"], item["resolved_by"]) for item in resolved] == [("resolved", "policy:build-claim")]
    prices = (await biller.get("/v1/fee-schedules/extra")).json()["items"]
    assert [row["price_cents"] for row in prices] == [777]


def deposit(number, trace, cents, **changes):
    return {
        "deposit_id": f"BANK-{number}",
        "date": "2026-09-21",
        "payer_id": "TESTPAY",
        "trace_number": trace,
        "amount_cents": cents,
        **changes,
    }


async def test_deposits_and_remittances_meet_in_any_order(ready, world):
    """Exact, short, late and early: exceptions are named, and money stands where it should."""
    for name in ("a", "b", "c"):
        await ready.consume(world.visit(name))
    biller = ready.client("biller")
    early = await biller.post("/v1/deposits", json={"deposits": [deposit(1, "T1", 8_000), deposit(2, "T9", 5)]})
    assert [item["match"] for item in early.json()["results"]] == ["unmatched", "unmatched"]
    await ready.consume([world.remittance(f"T{n}", [world.remitted(name)]) for n, name in enumerate("abc", start=1)])
    csv = "deposit_id,date,payer_id,trace_number,amount_cents\nBANK-3,2026-09-21,TESTPAY,T2,7000\n"
    short = await biller.post("/v1/deposits", content=csv, headers={"content-type": "text/csv"})
    assert short.json()["results"] == [
        {"deposit_id": "BANK-3", "status": "created", "match": "difference", "errors": []}
    ]
    exceptions = {
        (row["kind"], row["trace_number"]): (row["expected_cents"], row["deposited_cents"])
        for row in await ready.fetch("SELECT * FROM claims.clearing_exception")
    }
    assert exceptions == {
        ("difference", "T2"): (8_000, 7_000),
        ("advice_without_money", "T3"): (8_000, 0),
        ("money_without_advice", "T9"): (0, 5),
    }
    listed = (await biller.get("/v1/remittances?exception=advice_without_money")).json()["items"]
    assert [(item["trace_number"], item["clearing_cents"]) for item in listed] == [("T3", 8_000)]
    assert (await biller.get("/v1/deposits?exception=money_without_advice")).json()["items"][0]["trace_number"] == "T9"
    assert await ready.ring("advice-without-money") == 1
    assert await ready.ring("money-without-advice") == 1
    kinds = [item["kind"] for item in (await biller.get("/v1/tasks?state=open")).json()["items"]]
    assert sorted(kinds) == ["advice_without_money", "deposit_difference", "money_without_advice"]
    await biller.post("/v1/deposits", json={"deposits": [deposit(4, "T3", 8_000)]})
    kinds = [item["kind"] for item in (await biller.get("/v1/tasks?state=open")).json()["items"]]
    assert sorted(kinds) == ["deposit_difference", "money_without_advice"]
    cash = await ready.value("SELECT sum(cents) FROM claims.entry WHERE account = 'cash'")
    assert cash == 8_000 + 5 + 7_000 + 8_000
    await ready.check_books()


async def test_an_exact_deposit_takes_the_place_of_a_short_one(ready, world):
    """Trace numbers are used again: when the right deposit comes, the earlier match is reversed, not overwritten."""
    await ready.consume([*world.visit("a"), world.remittance("T1", [world.remitted("a")])])
    biller = ready.client("biller")
    await biller.post("/v1/deposits", json={"deposits": [deposit(1, "T1", 100)]})
    await biller.post("/v1/deposits", json={"deposits": [deposit(2, "T1", 8_000, date="2026-09-25")]})
    kinds = await ready.fetch("SELECT kind FROM claims.journal WHERE deposit_id IS NOT NULL ORDER BY kind")
    assert [row["kind"] for row in kinds] == [
        "deposit",
        "deposit",
        "deposit_match",
        "deposit_match",
        "deposit_unmatch",
    ]
    remittance = (await biller.get("/v1/remittances?trace_number=T1")).json()["items"][0]
    assert (remittance["clearing_cents"], remittance["exception"]) == (0, None)
    await ready.check_books()


async def test_the_banks_number_is_the_natural_key(ready, world):
    """The same again is unchanged; other content under the same number is refused by field; so is a bad row."""
    biller = ready.client("biller")
    rows = [
        deposit(1, "T1", 100),
        deposit(1, "T1", 100),
        deposit(1, "T1", 200),
        deposit(2, "T1", 0),
        {"deposit_id": "BANK-3", "date": "soon"},
    ]
    results = (await biller.post("/v1/deposits", json={"deposits": rows})).json()["results"]
    assert [item["status"] for item in results] == ["created", "unchanged", "refused", "refused", "refused"]
    assert [error["field"] for error in results[2]["errors"]] == ["amount_cents"]
    assert [error["rule"] for error in results[3]["errors"]] == ["greater_than"]
    assert {error["field"] for error in results[4]["errors"]} == {"date", "payer_id", "trace_number", "amount_cents"}
    bad = await biller.post("/v1/deposits", content="number,amount\n", headers={"content-type": "text/csv"})
    assert (bad.status_code, bad.json()["code"]) == (400, "csv_invalid")
    none = await biller.post("/v1/deposits", json={"deposits": []})
    assert none.status_code == 422


async def test_the_same_remittance_is_posted_once(ready, world):
    """Same content under another id: a duplicate. Same payment with other content: held whole, with the reason."""
    await ready.consume(world.visit("a"))
    claims = [world.remitted("a")]
    await ready.consume([world.remittance("T1", claims), world.remittance("T1", claims, copy=2)])
    await ready.consume([world.remittance("T1", claims, copy=3, identity="other content")])
    await ready.consume([world.remittance("T2", claims, paid_cents=1)])
    items = (await ready.client("operator").get("/v1/remittances")).json()["items"]
    states = sorted((item["trace_number"], item["state"], bool(item["held_because"])) for item in items)
    assert states == [("T1", "duplicate", False), ("T1", "held", True), ("T1", "posted", False), ("T2", "held", True)]
    claim = await ready.outcome(world.claim_id("a"))
    assert (claim["paid_cents"], claim["open_cents"]) == (8_000, 0)
    tasks = (await ready.client("biller").get("/v1/tasks?kind=remittance_held")).json()["items"]
    assert len(tasks) == 2
    etag = (await ready.client("biller").get(f"/v1/tasks/{tasks[0]['task_id']}")).headers["etag"]
    patch = {"state": "resolved", "resolution": "payer_corrected_it"}
    biller = ready.client("biller", subject="bo")
    assert (await biller.patch(f"/v1/tasks/{tasks[0]['task_id']}", json=patch)).status_code == 428
    stale = await biller.patch(f"/v1/tasks/{tasks[0]['task_id']}", json=patch, headers={"if-match": '"99"'})
    assert stale.status_code == 412
    done = await biller.patch(f"/v1/tasks/{tasks[0]['task_id']}", json=patch, headers={"if-match": etag})
    assert (done.json()["state"], done.json()["resolved_by"]) == ("resolved", "bo")
    twice = await biller.patch(
        f"/v1/tasks/{tasks[0]['task_id']}", json=patch, headers={"if-match": done.headers["etag"]}
    )
    assert twice.json()["code"] == "already_resolved"
    await ready.check_books()


async def test_recoding_after_submission_is_a_billers_decision(ready, world):
    await ready.consume(world.visit("a"))
    await ready.consume([world.coded("a", ["G0463"], version=2)])
    claim_id, biller = world.claim_id("a"), ready.client("biller")
    claim = (await biller.get(f"/v1/claims/{claim_id}")).json()
    assert (claim["charge_cents"], claim["coding_version"], claim["changed_since_submission"]) == (12_500, 1, True)
    tasks = (await biller.get(f"/v1/tasks?claim_id={claim_id}")).json()["items"]
    assert [(item["kind"], item["cause"]) for item in tasks] == [
        ("changed_after_submission", "recoded_after_submission")
    ]


async def test_the_filing_clock_rings_for_unsettled_claims_only(ready, world):
    """Timers are set with the submission, cancelled when the payer has adjudicated, and open work when they ring."""
    await ready.consume([world.payer("OTHER", limit_days=70)])
    for name in ("settled", "silent"):
        await ready.consume(world.visit(name))
    await ready.consume([world.remittance("T1", [world.remitted("settled")])])
    due = await ready.fetch("SELECT aggregate, due_at FROM messaging.timer WHERE name = 'filing-deadline'")
    assert [row["aggregate"] for row in due] == [f"claim/{world.claim_id('silent')}"]
    assert due[0]["due_at"].date() == date(2026, 10, 17)
    await ready.ring("filing-deadline")
    assert (await ready.client("biller").get("/v1/tasks?kind=filing_deadline_near")).json()["items"] == []


async def test_another_tenants_id_looks_like_none(ready, world):
    """404 for each thing by id, empty lists, and no token is 401, the wrong role 403."""
    await ready.consume(world.visit("a"))
    await ready.consume([world.remittance("T1", [world.remitted("a")], [("WO", 1)])])
    claim_id = world.claim_id("a")
    stranger = ready.client("biller", "operator", tenant_id=UUID("0190a000-0000-7000-8000-00000000000b"))
    for path in (
        f"/v1/claims/{claim_id}",
        f"/v1/claims/{claim_id}/timeline",
        f"/v1/claims/{claim_id}/explanation",
        f"/v1/remittances/{world.id('remittance', 'T1', 1)}",
        "/v1/fee-schedules/standard",
        f"/v1/tasks/{claim_id}",
    ):
        assert (await stranger.get(path)).status_code == 404, path
    assert (await submit(stranger, claim_id, "1", "x")).status_code == 404
    assert (await stranger.post(f"/v1/claims/{claim_id}:hold", json={"reason": "x"})).status_code == 404
    found = await stranger.post("/v1/claims:search", json={"encounter_ids": [str(world.id("encounter", "a"))]})
    assert found.json() == {"items": []}
    for path in ("/v1/claims", "/v1/tasks", "/v1/remittances", "/v1/deposits", "/v1/unapplied-payments"):
        assert (await stranger.get(path)).json()["items"] == []
    assert (await stranger.get("/v1/ledger/hash")).json()["lines"] == 0
    assert (await ready.under_test.anonymous_client().get(f"/v1/claims/{claim_id}")).status_code == 401
    assert (await submit(ready.client("auditor"), claim_id, "1", "x")).status_code == 403
    assert (await ready.client("coder").get("/v1/claims")).status_code == 403


async def test_what_can_be_read_of_a_claim(ready, world):
    """Search, timeline, explanation and ledger tell one story, and the hash is what its definition says."""
    await ready.consume(world.visit("a"), 1)
    unknown = world.remitted("a", claim_id=UUID(int=5)).model_copy(update={"claim_id": None})
    await ready.consume([world.remittance("T1", [world.remitted("a"), unknown])])
    claim_id, auditor = world.claim_id("a"), ready.client("auditor")
    found = await auditor.post("/v1/claims:search", json={"encounter_ids": [str(world.id("encounter", "a"))]})
    assert found.json()["items"][0]["money"]["paid_cents"] == 8_000
    what = [item["what"] for item in (await auditor.get(f"/v1/claims/{claim_id}/timeline")).json()["items"]]
    assert what == [
        "claim-draft",
        "coded",
        "journal charge",
        "submitted",
        "journal remittance",
        "patient billed",
        "remittance-posting",
    ]
    decisions = (await auditor.get(f"/v1/claims/{claim_id}/explanation")).json()["items"]
    assert [item["rule_id"] for item in decisions] == ["build-claim", "post-remittance"]
    assert decisions[0]["output"]["lines"][0]["unit_price_cents"] == 10_000
    unapplied = (await auditor.get("/v1/unapplied-payments")).json()["items"]
    assert [(item["why"], item["paid_cents"]) for item in unapplied] == [("unknown_claim", 8_000)]
    remittance = (await auditor.get(f"/v1/remittances/{world.id('remittance', 'T1', 1)}")).json()
    assert [item["state"] for item in remittance["claims"]] == ["posted", "unknown_claim"]
    lines = await ready.ledger()
    expected = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert (await auditor.get("/v1/ledger/hash")).json() == {"sha256": expected, "lines": len(lines)}
    books = (await auditor.get("/v1/ledger/rollforward")).json()
    assert (books["total"], books["unbalanced_cents"], books["unbalanced_journals"]) == (0, 0, 0)
    balances = {item["account"]: item["cents"] for item in books["accounts"]}
    assert balances["unapplied"] == -8_000 and balances["receivable_patient"] == 1_000


async def test_the_ledger_can_only_grow(ready, world):
    """The service's own role can neither change nor delete an entry; a cent moved by the owner changes the hash."""
    await ready.consume(world.visit("a"))
    before = (await ready.client("auditor").get("/v1/ledger/hash")).json()["sha256"]
    for statement in (
        "UPDATE claims.entry SET cents = cents + 1",
        "DELETE FROM claims.entry",
        "DELETE FROM claims.journal",
    ):
        with pytest.raises(DatabaseRefused, match="42501"):
            async with ready.database.unit_of_work(TENANT) as uow:
                await uow.execute(statement)
    owner = await asyncpg.connect(ready.under_test.made.owner_url)
    await owner.execute(f"SET app.tenant = '{TENANT}'")
    await owner.execute("UPDATE claims.entry SET cents = cents + 1 WHERE account = 'charges' AND line_number = 2")
    await owner.close()
    assert (await ready.client("auditor").get("/v1/ledger/hash")).json()["sha256"] != before
    books = (await ready.client("auditor").get("/v1/ledger/rollforward")).json()
    assert (books["total"], books["unbalanced_cents"], books["unbalanced_journals"]) == (1, 1, 1)


async def test_pages_hold_every_claim_once(ready, world):
    for number in range(5):
        await ready.consume(world.visit(f"p{number}"))
    client, seen, token = ready.client("biller"), [], None
    for _ in range(4):
        query = "?limit=2" + (f"&page_token={token}" if token else "")
        page = (await client.get(f"/v1/claims{query}")).json()
        seen += [item["encounter_number"] for item in page["items"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert sorted(seen) == [f"E-p{number}" for number in range(5)]


async def test_remittances_and_deposits_at_the_same_moment_find_each_other(ready, world):
    """Two instances post advice and cash of the same trace numbers at once: every one is matched, none is lost."""
    for number in range(8):
        await ready.consume(world.visit(f"p{number}"))
    remittances = [world.remittance(f"T{n}", [world.remitted(f"p{n}")]) for n in range(8)]
    client = ready.client("biller")
    await asyncio.gather(
        *(ready.consume([item]) for item in remittances),
        *(client.post("/v1/deposits", json={"deposits": [deposit(n, f"T{n}", 8_000)]}) for n in reversed(range(8))),
    )
    assert await ready.fetch("SELECT * FROM claims.clearing_exception") == []
    left = await ready.fetch(
        "SELECT account FROM claims.entry WHERE account LIKE 'clearing%' GROUP BY account HAVING sum(cents) <> 0"
    )
    assert left == []
    await ready.check_books()


async def test_facts_that_arrive_at_the_same_moment_find_each_other(ready, world):
    """Patient, coverage, note and codes of many visits at once, by two instances: every claim goes out, once."""
    logs = [world.visit(f"p{number}") for number in range(10)]
    topics = [
        [item for log in logs for item in log if item.topic == topic]
        for topic in ("revcycle.codings.v1", "revcycle.encounters.v1", "revcycle.patients.v1")
    ]
    await asyncio.gather(*(ready.consume(topic, 3) for topic in topics))
    states = await ready.fetch("SELECT state, count(*) AS n FROM claims.claim GROUP BY state")
    assert [tuple(row) for row in states] == [("submitted", 10)]
    assert await ready.value("SELECT count(*) FROM claims.submission") == 10


async def test_an_unprocessable_denial_is_answered_by_a_new_claim(ready, world):
    """MA130: no appeal and no replacement of the old claim; the denial of the first does not stick to the second."""
    await ready.consume(world.visit("a"))
    claim_id, biller = world.claim_id("a"), ready.client("biller")
    lines = [(1, 10_000, (("CO", "16", 10_000),)), (2, 2_500, (("CO", "16", 2_500),))]
    denied = world.remitted("a", lines)
    remarked = [line.model_copy(update={"rarcs": ["MA130"]}) for line in denied.lines]
    await ready.consume(
        [
            world.adjudicated("a", "unprocessable"),
            world.remittance("T1", [denied.model_copy(update={"lines": remarked})]),
        ]
    )
    task = (await biller.get(f"/v1/tasks?kind=claim_denied&claim_id={claim_id}")).json()["items"][0]
    assert "NEW claim" in task["remedy"] and "MA130" in task["cause"]
    sent = await submit(biller, claim_id, "1", "a", confirm_unchanged=True)
    assert sent.status_code == 201, sent.text
    assert (sent.json()["outcome"], sent.json()["money"]["open_cents"]) == (None, 12_500)
    await ready.consume([world.remittance("T2", [world.remitted("a", chain=2)])])
    claim = await ready.outcome(claim_id)
    assert (claim["outcome"], claim["open_cents"]) == ("paid", 0)
    await ready.check_books()


async def test_a_coverage_that_is_corrected_releases_the_claim(ready, world):
    """Held for want of coverage on the date; the correction sends it without anybody calling here."""
    world.patient("a")
    cover = world.coverage("a", effective_to=date(2026, 2, 1))
    world.coded("a", depends_on=[world.documented("a", depends_on=[cover.reference]).reference])
    await ready.consume(world.log[2:])
    claim_id = world.claim_id("a")
    assert (await ready.outcome(claim_id))["outcome"] == "held"
    await ready.consume([world.coverage("a")])
    claim = await ready.outcome(claim_id)
    assert (claim["state"], claim["waiting_for"]) == ("submitted", "transmission")
    assert await ready.fetch("SELECT 1 FROM claims.task WHERE state = 'open'") == []


async def test_what_is_not_billed_says_so_and_may_come_back(ready, world):
    """Not billable closes the claim without a cent; a coding after all sends it; a cancellation is then a decision."""
    encounter_id = world.id("encounter", "a")
    world.patient("a")
    world.coverage("a")
    world.documented("a")
    not_billable = EncounterNotBillable(
        encounter_id=encounter_id,
        billing_side="professional",
        coding_version=1,
        decided_by="coder",
        reason="no service",
    )
    first = world.tell(not_billable, encounter=encounter_id)
    await ready.consume(world.log[2:])
    claim_id = first.cause.derive("claim:professional")
    assert (await ready.outcome(claim_id))["outcome"] == "not_billable"
    assert await ready.ledger() == []
    await ready.consume([world.coded("a", version=2)])
    assert (await ready.outcome(claim_id))["state"] == "submitted"
    cancelled = EncounterCancelled(
        encounter_id=encounter_id, patient_id=world.id("patient", "a"), facility_npi="1234567893", reason="error"
    )
    await ready.consume([world.tell(cancelled, encounter=encounter_id)])
    tasks = (await ready.client("biller").get("/v1/tasks?state=open")).json()["items"]
    assert [(item["kind"], item["cause"]) for item in tasks] == [("changed_after_submission", "encounter_cancelled")]
