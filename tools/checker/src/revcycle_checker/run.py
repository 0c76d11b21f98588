"""One check: read everything, judge everything."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from revcycle_messaging.keys import KeyRing

from revcycle_checker import invariants
from revcycle_checker.outcomes import Ending, read_endings
from revcycle_checker.raw_log import RawLog, read_deposits, read_planted_exceptions, read_raw_log
from revcycle_checker.report import Finding, Mismatch, OutcomeRow, Report
from revcycle_checker.topics import read_topics

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
    """Where to look: read-only database addresses by service, the broker, the payer's folder, the planted truth."""

    database_urls: Mapping[str, str]
    bootstrap_servers: str
    keyring_file: Path
    payer_dir: Path
    truth_file: Path | None
    tenant_id: UUID


@asynccontextmanager
async def open_databases(urls: Mapping[str, str]) -> AsyncIterator[Connections]:
    """A connection per service."""
    async with AsyncExitStack() as stack:
        connections = {}
        for service, url in urls.items():
            connection = await asyncpg.connect(url, timeout=10, command_timeout=120)
            stack.push_async_callback(connection.close)
            connections[service] = connection
        yield connections


async def run_check(inputs: CheckInputs, *, final: bool = True) -> Report:
    """Check every invariant. ``final``: the system is quiet, so everything must have been sent and applied."""
    report = Report()
    raw = await asyncio.to_thread(read_raw_log, inputs.payer_dir / "raw.jsonl")
    async with open_databases(inputs.database_urls) as connections:
        endings = await read_endings(connections, inputs.tenant_id)
        _judge_endings(report, endings, inputs.truth_file)
        await _judge_money(report, connections["claims"], inputs, raw)
        await _judge_claims(report, connections, inputs, raw)
        if final:
            await _judge_events(report, connections, inputs)
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


def _judge_endings(report: Report, endings: dict[tuple[str, str], Ending], truth_file: Path | None) -> None:
    truth = [json.loads(line) for line in truth_file.read_text().splitlines() if line] if truth_file else None
    if truth is not None:
        _compare(report, endings, truth)
    report.encounters = len(truth) if truth is not None else len(endings)
    rows: dict[str, OutcomeRow] = {}
    for ending in endings.values():
        report.settled += int(ending.settled)
        report.waiting += int(not ending.settled and ending.explained is not None)
        if ending.explained is None:
            report.lost.append(Finding("R3", f"an encounter of {ending.facility_npi} is {ending.outcome}"))
        row = rows.setdefault(ending.outcome, OutcomeRow(ending.outcome))
        row.encounters += 1
        row.charged_cents += ending.charged_cents
        row.paid_cents += ending.paid_cents
        row.adjusted_cents += ending.adjusted_cents
        row.patient_cents += ending.patient_cents
        row.open_cents += ending.open_cents
    order = {name: place for place, name in enumerate(OUTCOME_ORDER)}
    report.outcomes = sorted(rows.values(), key=lambda row: (order.get(row.outcome, 99), row.outcome))


def _compare(report: Report, endings: dict[tuple[str, str], Ending], truth: list[dict[str, Any]]) -> None:
    """Compare label, paid and patient cents with what was planted; a planted encounter nobody knows is lost."""
    report.as_expected = 0
    # A file that was refused for its facility's number is known by its encounter number alone.
    refused = {ending.encounter_number: ending for ending in endings.values() if ending.outcome == "refused"}
    for planted in truth:
        number = planted["encounter_number"]
        ending = endings.get((planted["facility_npi"], number)) or refused.get(number)
        expected = f"{planted['expected']} paid={planted['paid_cents']} patient={planted['patient_cents']}"
        if ending is None:
            report.lost.append(Finding("R1", f"planted encounter {planted['encounter_number']} is nowhere"))
            report.mismatches.append(Mismatch(planted["encounter_number"], expected, "nowhere", planted["why"]))
            continue
        got = f"{ending.outcome} paid={ending.paid_cents} patient={ending.patient_cents}"
        if got == expected:
            report.as_expected += 1
        else:
            report.mismatches.append(Mismatch(planted["encounter_number"], expected, got, planted["why"]))


async def _judge_money(report: Report, connection: "asyncpg.Connection[Any]", inputs: CheckInputs, raw: RawLog) -> None:
    """M2-M8: the ledger against itself, against the payer's bytes and against the bank's list."""
    tenant = inputs.tenant_id
    for judge in (invariants.journals_balance, invariants.lines_add_up):
        findings, off_cents = await judge(connection, tenant)
        report.violations += findings
        report.unbalanced_cents += off_cents
    advice = sum(one.paid_cents for one in raw.advices)
    posted = await _sum(
        connection, "SELECT sum(paid_cents) FROM claims.remittance WHERE tenant_id = $1 AND state = 'posted'", tenant
    )
    deposits = read_deposits(inputs.payer_dir)
    bank = sum(amount for _, _, amount in deposits.values())
    cash = await _sum(
        connection, "SELECT sum(cents) FROM claims.entry WHERE tenant_id = $1 AND account = 'cash'", tenant
    )
    report.sums = {
        "advice_cents_raw": advice,
        "advice_cents_posted": posted,
        "deposit_cents_bank": bank,
        "cash_cents_posted": cash,
    }
    for invariant, what, left, right in (
        ("M2", "advice in the payer's bytes and advice posted", advice, posted),
        ("M8", "deposits at the bank and cash posted", bank, cash),
    ):
        if left != right:
            report.violations.append(Finding(invariant, f"{what} differ: {left} and {right} cents"))
            report.unbalanced_cents += abs(left - right)
    await _judge_exceptions(report, connection, inputs)


async def _judge_exceptions(report: Report, connection: "asyncpg.Connection[Any]", inputs: CheckInputs) -> None:
    """M8: the named exceptions are, by trace number, exactly the late and short deposits the payer planted."""
    rows = await connection.fetch(
        "SELECT trace_number, kind FROM claims.clearing_exception WHERE tenant_id = $1", inputs.tenant_id
    )
    named = {row["trace_number"] for row in rows}
    planted = read_planted_exceptions(inputs.payer_dir)
    report.sums["exceptions_named"] = len(named)
    report.sums["exceptions_planted"] = len(planted)
    report.violations += [Finding("M8", f"trace {trace} is an exception nobody planted") for trace in named - planted]
    report.violations += [Finding("M8", f"planted exception {trace} is not named") for trace in planted - named]


async def _judge_claims(report: Report, connections: Connections, inputs: CheckInputs, raw: RawLog) -> None:
    rejected = await connections["adjudication-gateway"].fetch(
        "SELECT patient_control_number FROM gateway.submission WHERE tenant_id = $1 AND answer = 'rejected'",
        inputs.tenant_id,
    )
    report.doubled += invariants.arrivals_once(raw, {row["patient_control_number"] for row in rejected})
    report.doubled += await invariants.one_live_claim(connections["claims"], inputs.tenant_id)
    report.doubled += await invariants.posted_once(connections["claims"], inputs.tenant_id)
    report.violations += invariants.control_numbers_once(raw)
    report.checked["arrivals"] = len(raw.arrivals)
    report.checked["remittances"] = len(raw.advices)


async def _judge_events(report: Report, connections: Connections, inputs: CheckInputs) -> None:
    records = await read_topics(inputs.bootstrap_servers, KeyRing(inputs.keyring_file))
    report.checked["records"] = len(records)
    report.violations += invariants.seals_hold(records)
    report.violations += invariants.order_on_topics(records)
    report.violations += await invariants.topics_match_archives(connections, records)
    report.violations += await invariants.everything_applied(connections, records)
    report.violations += await invariants.sequences_contiguous(connections)
    report.violations += await invariants.same_tenant(connections, {str(inputs.tenant_id)})


async def _sum(connection: "asyncpg.Connection[Any]", sql: str, tenant_id: UUID) -> int:
    return int(await connection.fetchval(sql, tenant_id) or 0)
