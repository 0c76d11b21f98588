"""One check: read everything, judge everything."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from revcycle_messaging.keys import KeyRing

from revcycle_checker import claims, events, money, rows
from revcycle_checker.outcomes import Ending, ends_explained, nothing_planted_lost, read_endings
from revcycle_checker.raw_log import RawLog, read_deposits, read_planted_exceptions, read_raw_log
from revcycle_checker.report import OutcomeRow, Report
from revcycle_checker.topics import TopicRecord, read_topics

OUTCOME_ORDER = (
    "paid",
    "partly_paid",
    "denied",
    "rejected",
    "held",
    "patient_only",
    "worklist",
    "blocked",
    "not_billable",
    "refused",
)
Connections = Mapping[str, "asyncpg.Connection[Any]"]


@dataclass(frozen=True, slots=True)
class CheckInputs:
    """Where to look: read-only database addresses by service, the broker, the payer's folder, the planted truth.

    ``kafka_security`` goes to the broker's client as it is; ``database_tls`` None: as the addresses say.
    """

    database_urls: Mapping[str, str]
    bootstrap_servers: str
    keyring_file: Path
    payer_dir: Path
    truth_file: Path | None
    tenant_id: UUID
    kafka_security: Mapping[str, Any] = field(default_factory=dict)
    database_tls: ssl.SSLContext | None = None


@asynccontextmanager
async def open_databases(urls: Mapping[str, str], tls: ssl.SSLContext | None) -> AsyncIterator[Connections]:
    """A connection per service."""
    async with AsyncExitStack() as stack:
        connections = {}
        for service, url in urls.items():
            connection = await asyncpg.connect(url, timeout=10, command_timeout=120, ssl=tls)
            stack.push_async_callback(connection.close)
            connections[service] = connection
        yield connections


async def run_check(
    inputs: CheckInputs,
    *,
    final: bool = True,
    records: Sequence[TopicRecord] | None = None,
    connections: Connections | None = None,
) -> Report:
    """Check every invariant. ``final``: the system is quiet, so everything must have been sent and applied.

    ``records`` and ``connections`` stand in for the topics and the databases, for whoever checks the checker.
    """
    async with AsyncExitStack() as stack:
        opened = connections
        if opened is None:
            opened = await stack.enter_async_context(open_databases(inputs.database_urls, inputs.database_tls))
        if final and records is None:
            records = await read_topics(inputs.bootstrap_servers, KeyRing(inputs.keyring_file), inputs.kafka_security)
        return await _judge(inputs, opened, records if final else None)


async def _judge(inputs: CheckInputs, connections: Connections, records: Sequence[TopicRecord] | None) -> Report:
    report = Report()
    raw = await asyncio.to_thread(read_raw_log, inputs.payer_dir / "raw.jsonl")
    _count_endings(report, await read_endings(connections, inputs.tenant_id), inputs.truth_file, records is not None)
    await _judge_money(report, connections["claims"], inputs.tenant_id)
    await _judge_claims(report, connections, inputs, raw)
    if records is not None:
        await _judge_events(report, connections, inputs, records)
        await _judge_books(report, connections, inputs, raw)
    report.sums |= await _sums(connections["claims"], inputs, raw)
    report.ledger_sha256 = await ledger_hash(connections["claims"], inputs.tenant_id)
    report.violations += report.lost + report.doubled
    return report


async def ledger_hash(connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> str:
    """SHA-256 over the sorted lines ``facility_npi|encounter_number|line|account|cents`` of the claims' ledger."""
    rows = await connection.fetch(
        "SELECT facility_npi, encounter_number, line_number, account, cents FROM claims.ledger_line_balance"
        " WHERE tenant_id = $1",
        tenant_id,
    )
    lines = sorted("|".join(str(value) for value in row.values()).encode() for row in rows)
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def _count_endings(
    report: Report, endings: dict[tuple[str, str], Ending], truth_file: Path | None, quiet: bool
) -> None:
    """Outcomes and their money; while traffic flows, an encounter between two services is not yet lost."""
    truth = [json.loads(line) for line in truth_file.read_text().splitlines() if line] if truth_file else None
    if truth is not None:
        report.as_expected, report.mismatches, lost = nothing_planted_lost(endings, truth)
        report.lost += lost if quiet else []
    report.lost += ends_explained(endings.values()) if quiet else []
    report.encounters = len(truth) if truth is not None else len(endings)
    totals: dict[str, OutcomeRow] = {}
    for ending in endings.values():
        report.settled += int(ending.settled)
        report.waiting += int(not ending.settled and ending.explained is not None)
        row = totals.setdefault(ending.outcome, OutcomeRow(ending.outcome))
        row.encounters += 1
        row.charged_cents += ending.charged_cents
        row.paid_cents += ending.paid_cents
        row.adjusted_cents += ending.adjusted_cents
        row.patient_cents += ending.patient_cents
        row.open_cents += ending.open_cents
    order = {name: place for place, name in enumerate(OUTCOME_ORDER)}
    report.outcomes = sorted(totals.values(), key=lambda row: (order.get(row.outcome, 99), row.outcome))


async def _judge_money(report: Report, connection: "asyncpg.Connection[Any]", tenant_id: UUID) -> None:
    """The ledger against itself: this holds at every instant."""
    for findings, off_cents in (
        await money.journals_balance(connection, tenant_id),
        await money.lines_add_up(connection, tenant_id),
    ):
        report.violations += findings
        report.unbalanced_cents += off_cents
    for judge in (
        money.ledger_only_grows,
        money.charges_are_booked,
        money.clearing_is_explained,
        money.payments_are_placed,
    ):
        report.violations += await judge(connection, tenant_id)


async def _judge_claims(report: Report, connections: Connections, inputs: CheckInputs, raw: RawLog) -> None:
    """What went to the payer, and the rows everything is kept in."""
    tenant = inputs.tenant_id
    claims_service, gateway = connections["claims"], connections["adjudication-gateway"]
    rejected = await gateway.fetch(
        "SELECT patient_control_number FROM gateway.submission WHERE tenant_id = $1 AND answer = 'rejected'", tenant
    )
    report.doubled += claims.arrivals_once(raw, {row["patient_control_number"] for row in rejected})
    report.doubled += await claims.one_live_claim(claims_service, tenant)
    report.doubled += await claims.control_number_given_once(claims_service, tenant)
    report.doubled += await money.posted_once(claims_service, tenant)
    report.violations += claims.control_numbers_once(raw) + claims.envelopes_count(raw)
    report.violations += await claims.chains_have_one_head(claims_service, tenant)
    report.violations += await claims.bounds_hold(claims_service, tenant)
    report.violations += await claims.intents_committed(gateway, raw, tenant)
    report.violations += await claims.charges_agree(gateway, raw, tenant)
    report.violations += await rows.parents_are_of_the_tenant(connections)
    report.violations += await rows.answers_hold(connections, tenant)
    report.checked["arrivals"] = len(raw.claims)
    report.checked["remittances"] = len(raw.advices)


async def _judge_events(
    report: Report, connections: Connections, inputs: CheckInputs, records: Sequence[TopicRecord]
) -> None:
    """Events, when everything has been sent and applied."""
    archived = await events.read_archives(connections)
    report.checked["records"] = len(records)
    report.checked["archived_events"] = len(archived)
    report.violations += events.seals_hold(records) + events.order_on_topics(records)
    for judge in (
        events.sequences_contiguous,
        events.causes_exist,
        events.causes_belong_together,
        events.histories_are_paths,
    ):
        report.violations += judge(archived)
    report.violations += events.known_tenants(archived, {str(inputs.tenant_id)})
    report.violations += events.topics_match_archives(archived, records)
    report.violations += await events.everything_sent(connections, archived)
    report.violations += await events.everything_applied(connections, records)
    report.violations += await events.nothing_set_aside(connections)
    report.violations += await rows.nothing_hangs(connections)


async def _judge_books(report: Report, connections: Connections, inputs: CheckInputs, raw: RawLog) -> None:
    """The books of different parties against each other, when all have heard everything."""
    tenant = inputs.tenant_id
    claims_service, gateway = connections["claims"], connections["adjudication-gateway"]
    for findings, off_cents in (
        await money.advices_posted(claims_service, raw, tenant),
        await money.deposits_posted(claims_service, read_deposits(inputs.payer_dir), tenant),
    ):
        report.violations += findings
        report.unbalanced_cents += off_cents
    planted = read_planted_exceptions(inputs.payer_dir)
    findings, named = await money.exceptions_are_planted(claims_service, planted, tenant)
    report.violations += findings
    report.sums |= {"exceptions_named": named, "exceptions_planted": len(planted)}
    report.violations += await claims.decided_is_handed_over(claims_service, gateway, tenant)
    report.violations += await claims.everything_acknowledged(gateway, tenant)
    report.violations += await claims.dates_agree(connections["registration"], claims_service, raw, tenant)
    report.violations += await money.analytics_agree(connections, tenant)


async def _sums(connection: "asyncpg.Connection[Any]", inputs: CheckInputs, raw: RawLog) -> dict[str, int]:
    """What the payers advised and the bank holds, beside what is posted of it."""
    posted = "SELECT sum(paid_cents) FROM claims.remittance WHERE tenant_id = $1 AND state = 'posted'"
    cash = "SELECT sum(cents) FROM claims.entry WHERE tenant_id = $1 AND account = 'cash'"
    return {
        "advice_cents_raw": sum(one.paid_cents for one in raw.advices),
        "advice_cents_posted": int(await connection.fetchval(posted, inputs.tenant_id) or 0),
        "deposit_cents_bank": sum(amount for _, _, amount in read_deposits(inputs.payer_dir).values()),
        "cash_cents_posted": int(await connection.fetchval(cash, inputs.tenant_id) or 0),
    }
