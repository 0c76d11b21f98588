"""Kafka is a transport that can be rebuilt, and order across its topics means nothing: shown on a whole stack."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recovery_harness import (
    BUSINESS_DATE,
    ENCOUNTERS,
    SEED,
    Hospital,
    caller,
    figures_in,
    hospital,
    kpis_of,
    ledger_of,
    revcycle,
    wait_quiet,
)
from revcycle_checker import run_check
from revcycle_cli.stack import check_inputs
from revcycle_devstack import SERVICES
from revcycle_devstack.connections import connect_to
from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.stack import Stack
from revcycle_devstack.topics import delete_topics, load_topics
from revcycle_hospital_simulator.tenant import schedule_body
from revcycle_hospital_simulator.watch import Board, Calm
from revcycle_messaging import Database, KeyRing
from revcycle_messaging.recovery import relays_stopped

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(400)]

LONG_ENCOUNTERS = 400
DOWNSTREAM = ("claims", "analytics")
POSTED_BEFORE_THE_LOSS = 5


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    ledger: str
    kpis: dict[str, Any]


@asynccontextmanager
async def downstream(state_dir: Path, source: Stack) -> AsyncIterator[Stack]:
    """Claims and analytics with empty databases, an empty broker, the keys of ``source`` and the same set-up."""

    def same_keys(layout: StateLayout, options: StackOptions) -> None:
        shutil.copytree(StateLayout(source.state_dir).keys, layout.keys)

    options = StackOptions(state_dir=state_dir, services=DOWNSTREAM, business_date=BUSINESS_DATE, fresh=True)
    async with Stack(options, write_keys=same_keys) as stack:
        yield stack


@asynccontextmanager
async def silent_claims(stack: Stack) -> AsyncIterator[None]:
    """Keep claims from publishing: what it has to say is among what is copied."""
    keys = KeyRing(StateLayout(stack.state_dir).keyring_file("claims"))
    database = await Database.connect(stack.database_url("claims"), service="claims", keys=keys)
    try:
        async with relays_stopped(database, actor="test", reason="fed from a copy", now=datetime.now(UTC)):
            yield
    finally:
        await database.close()


async def fed_from_a_copy(source: Hospital, state_dir: Path, seed: int) -> Outcome:
    """The outcome of databases that got the events of ``source`` in an order drawn from ``seed``, some repeated."""
    async with downstream(state_dir, source.stack) as stack, silent_claims(stack), caller(stack) as client:
        prices = await client.post(
            f"{stack.urls['claims']}/v1/fee-schedules", json=schedule_body(), headers={"idempotency-key": "prices"}
        )
        assert prices.status_code < 300, prices.text
        brokers = ("--from", source.stack.kafka_bootstrap_servers, "--to", stack.kafka_bootstrap_servers)
        copied = await revcycle("copy-topics", *brokers, "--seed", str(seed), "--repeat", "3")
        sys.stdout.write(copied)
        await wait_quiet(stack, DOWNSTREAM, 90)
        return Outcome(await ledger_of(stack), await kpis_of(stack))


class HoldsOn(Calm):
    """Never settled before the topics are ``back``."""

    def __init__(self) -> None:
        Calm.__init__(self)
        self.back = False

    def settled(self, waiting: Any, fingerprint: object, now: float) -> bool:
        return Calm.settled(self, waiting if self.back else [*waiting, "topics to be rebuilt"], fingerprint, now)


async def play_and_lose_all_topics(made: Hospital, seed: int, encounters: int) -> None:
    """Play; when the first money is posted, delete every topic under everybody's hands, and bring them back."""
    calm = HoldsOn()
    posted = asyncio.Event()

    def tell(board: Board) -> None:
        if board.stages()["posted"][0] >= POSTED_BEFORE_THE_LOSS:
            posted.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.play(seed, encounters, lambda: calm, tell))
        await posted.wait()
        topics = [topic.name for topic in load_topics(checkout_root() / "deploy/kafka/topics.yaml")]
        await delete_topics(made.stack.kafka_bootstrap_servers, topics)
        for service in SERVICES:
            who = ("--by", "A. Operator", "--reason", "all topics lost", "--state-dir", str(made.stack.state_dir))
            sys.stdout.write(await revcycle("archive", "rebuild", service, "--recreate", *who))
        calm.back = True


def assert_same_kpis(found: Outcome, expected: Outcome, title: str) -> None:
    """Figure by figure; a failure names the KPIs that differ."""
    assert found.kpis.keys() == expected.kpis.keys()
    assert {name for name in expected.kpis if found.kpis[name] != expected.kpis[name]} == set()
    sys.stdout.write(f"{title}: {figures_in(found.kpis)} figures equal\n")


async def check_all(tmp_path: Path, encounters: int, seeds: tuple[int, ...]) -> None:
    async with hospital(tmp_path / "calm", SEED) as calm:
        await calm.play(SEED, encounters)
        expected = Outcome(await ledger_of(calm.stack), await kpis_of(calm.stack))
        assert figures_in(expected.kpis) > 100
        for seed in seeds:
            found = await fed_from_a_copy(calm, tmp_path / f"copy-{seed}", seed)
            assert_same_kpis(found, expected, f"copy seed={seed} ledger={found.ledger[:16]}")
            assert found.ledger == expected.ledger
    async with hospital(tmp_path / "loss", SEED) as made:
        await play_and_lose_all_topics(made, SEED, encounters)
        found = Outcome(await ledger_of(made.stack), await kpis_of(made.stack))
        report = await run_check(check_inputs(connect_to(made.stack.state_dir)))
    assert (report.violations, report.lost, report.doubled, report.unbalanced_cents) == ([], [], [], 0)
    assert_same_kpis(found, expected, "loss of all topics")
    assert found.ledger == expected.ledger
    sys.stdout.write(f"loss of all topics: ledger {report.ledger_sha256[:16]}, no violation\n")


async def test_lost_topics_are_rebuilt_and_copied_ones_give_the_same_ledger_and_kpis(tmp_path: Path) -> None:
    """Promise: topics are a transport. Whatever their order across keys and topics, however often an event comes, and
    even when all of them are lost in the middle of a run: the ledger and every KPI end as in the calm run.
    """
    await check_all(tmp_path, ENCOUNTERS, (7,))


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_many_orders_of_a_longer_run_give_the_same_ledger_and_kpis(tmp_path: Path) -> None:
    """Promise: as above, for more encounters and several orders."""
    await check_all(tmp_path, LONG_ENCOUNTERS, (1, 2, 3))


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_kpis_of_a_run_with_a_coder_and_a_biller_come_again_from_a_copy(tmp_path: Path) -> None:
    """Promise: what people commanded is in the events too, so the KPIs are the same (the ledger is not: claims does not
    hear commands from topics).
    """
    async with hospital(tmp_path / "calm", SEED) as calm:
        await calm.play(SEED, LONG_ENCOUNTERS, corrections=True)
        expected = Outcome(await ledger_of(calm.stack), await kpis_of(calm.stack))
        assert_same_kpis(await fed_from_a_copy(calm, tmp_path / "copy", 4), expected, "with commands")
