"""Promise: the checker is clean after a calm run, and catches and names every violation planted into what it left.

A plant in a database stands in a transaction that is rolled back, so the services never see it; a plant in the payer's
folder stands in a copy; a plant on a topic stands in the list of records that were read.
"""

import asyncio
import base64
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from revcycle_checker import CheckInputs, Report, invariants, run_check
from revcycle_checker.topics import TopicRecord, judge_record, read_topics
from revcycle_cli.stack import check_inputs
from revcycle_devstack.connections import connect_to
from revcycle_devstack.postgresql import ADMIN_ROLE
from revcycle_devstack.roles import CHECKER_ROLE, database_name, url_for
from revcycle_messaging.envelope import headers_text_to_kafka
from revcycle_messaging.keys import KeyRing

from .conftest import Kept
from .harness import json_lines

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(300)]

PLANTS_MIN = 25
STRANGER = "0190a000-0000-7000-8000-0000000000ff"
NOBODY = "ffffffff-ffff-7fff-bfff-ffffffffffff"
QUOTED_NOBODY = f"'{NOBODY}'"
Records = list[TopicRecord]
Log = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Plant:
    """One violation: where it is planted, and the invariant that must name it."""

    what: str
    invariant: str
    service: str = ""
    sql: tuple[str, ...] = ()
    records: Callable[[Records], Records] | None = None
    payer: Callable[[Path], None] | None = None


def rows(what: str, invariant: str, service: str, *sql: str) -> Plant:
    return Plant(what, invariant, service, sql)


def one_of(table: str, columns: str, condition: str = "true") -> str:
    """SQL for the keys of one row, always the same."""
    return f"({columns}) = (SELECT {columns} FROM {table} WHERE {condition} ORDER BY {columns} LIMIT 1)"


ENTRY = "tenant_id, journal_id, entry_number"
JOURNALS = "claims.entry JOIN claims.journal USING (tenant_id, journal_id)"
COPIED = "tenant_id, topic, key, event_id, headers, payload"
LONG_STREAM = one_of("messaging.archive", "key", "topic = 'revcycle.claims.v1' AND sequence = 4")
OF_PAYMENT = one_of("messaging.archive", "event_id", "headers LIKE '%.PaymentPosted.v1%'")
# Of an insured claim: a self-pay claim's charge has no cents in the insurer's receivable.
OF_CHARGE = one_of(
    f"(SELECT journal_id FROM {JOURNALS} WHERE kind = 'charge' AND account = 'receivable_insurance') AS insured",
    "journal_id",
)
OF_POSTING = one_of("claims.journal", "journal_id", "kind = 'remittance'")
OF_MATCH = one_of("claims.journal", "journal_id", "kind = 'deposit_match'")
OF_CASH = one_of("claims.journal", "journal_id", "kind = 'deposit'")
BOTH_PARTS = one_of(
    "(SELECT journal_id, claim_id, line_number FROM claims.entry WHERE remittance_id IS NOT NULL GROUP BY 1, 2, 3"
    " HAVING bool_or(account = 'contractual_adjustment') AND bool_or(account = 'clearing_remittance')) AS both_parts",
    "journal_id, claim_id, line_number",
)
PAID_CLAIM = one_of("claims.claim", "claim_id", "outcome = 'paid' AND submission = 'acknowledged'")
SENT_ONCE = one_of(
    "gateway.submission AS s",
    "submission_id",
    "NOT EXISTS (SELECT 1 FROM gateway.inquiry AS i WHERE i.submission_id = s.submission_id)",
)


def copy_of(table: str, columns: dict[str, str], condition: str, source: str = "") -> str:
    """SQL that inserts a copy of rows with some columns changed."""
    changed = ", ".join(f"'{name}', {value}" for name, value in columns.items())
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(r, jsonb_build_object({changed}))).*"
        f" FROM {source or table} AS r WHERE {condition}"
    )


def moved(account: str, cents: int, condition: str, columns: str = ENTRY) -> str:
    return changed("claims.entry", f"cents = cents + {cents}", columns, f"account = '{account}' AND {condition}")


def changed(table: str, what: str, columns: str, condition: str = "true") -> str:
    return f"UPDATE {table} SET {what} WHERE {one_of(table, columns, condition)}"


def dropped(table: str, columns: str, condition: str = "true") -> str:
    return f"DELETE FROM {table} WHERE {one_of(table, columns, condition)}"


def header(name: str, value: str) -> str:
    """SQL that writes a header of an archived event anew; ``value`` is an SQL expression."""
    return f"headers = regexp_replace(headers, '{name}:[^\\n]+', '{name}:' || {value})"


EVENT_PLANTS = (
    rows(
        "an archive row dropped in the middle of a key",
        "E1",
        "claims",
        f"DELETE FROM messaging.archive WHERE topic = 'revcycle.claims.v1' AND sequence = 2 AND {LONG_STREAM}",
    ),
    rows(
        "a sequence handed out and never archived",
        "E1",
        "claims",
        f"UPDATE messaging.outgoing_stream SET last_sequence = last_sequence + 1 WHERE {LONG_STREAM}",
    ),
    rows(
        "an event left in the outbox",
        "E1",
        "claims",
        f"INSERT INTO messaging.outbox (shard, sequence, {COPIED}, recorded_at)"
        f" SELECT 0, 900, {COPIED}, recorded_at FROM messaging.archive WHERE {OF_PAYMENT}",
    ),
    rows(
        "a committed content that differs from the topic's",
        "E1",
        "claims",
        f"UPDATE messaging.archive SET payload = payload || ' '::bytea WHERE {OF_PAYMENT}",
    ),
    rows(
        "a sequence reused with other content at the source",
        "E3",
        "claims",
        copy_of("messaging.archive", {"seq": "900000", "event_id": QUOTED_NOBODY, "payload": r"'\x7b7d'"}, OF_PAYMENT),
    ),
    rows(
        "an event id given twice",
        "E3",
        "claims",
        "UPDATE messaging.archive SET event_id = (SELECT max(event_id::text)::uuid FROM messaging.archive) WHERE"
        f" {OF_PAYMENT}",
    ),
    rows(
        "a gap in the middle of an archived key",
        "E3",
        "registration",
        changed("messaging.archive", "sequence = 7", "event_id", "sequence = 2"),
    ),
    rows(
        "a cause that does not exist",
        "E4",
        "claims",
        f"UPDATE messaging.archive SET {header('ce_causationid', QUOTED_NOBODY)} WHERE {OF_PAYMENT}",
    ),
    rows(
        "a dependency on an event that does not exist",
        "E4",
        "claims",
        changed(
            "messaging.archive",
            "headers = regexp_replace(headers, '@[0-9]+', '@999')",
            "event_id",
            "headers LIKE '%ce_dependson:%'",
        ),
    ),
    rows(
        "an event correlated to another encounter than its cause",
        "E4",
        "claims",
        changed(
            "messaging.archive",
            header("ce_correlationid", QUOTED_NOBODY),
            "event_id",
            "headers LIKE '%.ClaimDrafted.v1%'",
        ),
    ),
    rows(
        "a circle of causes",
        "E4",
        "claims",
        f"UPDATE messaging.archive SET {header('ce_causationid', 'event_id')} WHERE {OF_PAYMENT}",
    ),
    rows(
        "a payment posted to a claim that was never submitted",
        "R4",
        "claims",
        "UPDATE messaging.archive SET headers = replace(headers, '.ClaimSubmitted.', '.ClaimHeld.')"
        f" WHERE key = (SELECT key FROM messaging.archive WHERE {OF_PAYMENT})",
    ),
    rows("a parked key", "E2", "claims", changed("messaging.stream", "parked_since = now()", "topic, key")),
    rows(
        "a dead event",
        "E2",
        "coding",
        f"INSERT INTO messaging.parked_event (consumer, sequence, state, reason, first_failed_at, {COPIED})"
        f" SELECT 'coding', 900, 'dead', 'planted', now(), {COPIED} FROM messaging.archive LIMIT 1",
    ),
    rows(
        "a record in quarantine",
        "E5",
        "analytics",
        "INSERT INTO messaging.quarantine VALUES"
        " ('analytics', 'revcycle.claims.v1', 0, 0, NULL, '{}', NULL, 'planted', now())",
    ),
    rows(
        "a stream row that went back",
        "E6",
        "analytics",
        changed("messaging.stream", "last_sequence = last_sequence - 1", "topic, key", "last_sequence > 1"),
    ),
    rows(
        "a stream row ahead of its topic",
        "E6",
        "claims",
        changed("messaging.stream", "last_sequence = last_sequence + 1", "topic, key"),
    ),
    rows("a stream row gone", "E6", "claims", dropped("messaging.stream", "topic, key")),
    rows(
        "a total of analytics off by a cent",
        "E8",
        "analytics",
        changed("analytics.rollup", "value = value + 1", "measure, day, payer_id, carc", "measure = 'paid_cents'"),
    ),
    rows(
        "a measure analytics forgot", "E8", "analytics", "DELETE FROM analytics.rollup WHERE measure = 'charge_cents'"
    ),
    rows(
        "a timer overdue",
        "L1",
        "coding",
        f"INSERT INTO messaging.timer VALUES ('{STRANGER}', 'claim/x', 'sweep', now() - interval '1 hour', '{{}}')",
    ),
    rows(
        "a job whose outcome is unknown",
        "L1",
        "coding",
        "INSERT INTO messaging.job (job_id, tenant_id, kind, state, payload, run_at, created_at)"
        f" VALUES ('{NOBODY}', '{STRANGER}', 'planted', 'unknown', '{{}}', now(), now())",
    ),
)

TENANT_PLANTS = (
    rows(
        "an archived event of another tenant",
        "A3",
        "claims",
        f"UPDATE messaging.archive SET tenant_id = '{STRANGER}' WHERE {OF_PAYMENT}",
    ),
    rows("a ledger row of another tenant", "A3", "claims", changed("claims.entry", f"tenant_id = '{STRANGER}'", ENTRY)),
    rows(
        "a claim line of another tenant",
        "A3",
        "claims",
        changed("claims.claim_line", f"tenant_id = '{STRANGER}'", "claim_id, line_number"),
    ),
    rows(
        "an encounter whose patient is another tenant's",
        "A3",
        "registration",
        changed("registration.patient", f"tenant_id = '{STRANGER}'", "id"),
    ),
    rows("a journal row dropped under its entries", "A3", "claims", f"DELETE FROM claims.journal WHERE {OF_CHARGE}"),
)

MONEY_PLANTS = (
    rows(
        "a doubled posting",
        "M1",
        "claims",
        copy_of("claims.journal", {"journal_id": QUOTED_NOBODY}, OF_POSTING),
        copy_of("claims.entry", {"journal_id": QUOTED_NOBODY}, OF_POSTING),
    ),
    rows(
        "a remittance posted twice",
        "M1",
        "claims",
        "DROP INDEX claims.remittance_posted_once",
        copy_of("claims.remittance", {"remittance_id": QUOTED_NOBODY}, one_of("claims.remittance", "remittance_id")),
    ),
    rows(
        "a cent moved from what is open to the contract",
        "M1",
        "claims",
        moved("contractual_adjustment", 1, BOTH_PARTS),
        moved("receivable_insurance", -1, BOTH_PARTS),
    ),
    rows(
        "an advice not posted",
        "M2",
        "claims",
        changed("claims.remittance", "state = 'held'", "remittance_id", "paid_cents > 0"),
    ),
    rows(
        "an advice posted with another amount",
        "M2",
        "claims",
        changed("claims.remittance", "paid_cents = paid_cents + 1", "remittance_id"),
    ),
    rows("a cent added to a ledger entry", "M3", "claims", moved("receivable_insurance", 1, OF_CHARGE)),
    rows("a ledger entry dropped", "M3", "claims", dropped("claims.entry", ENTRY, "account = 'charges'")),
    rows("a journal with one entry", "M3", "claims", f"DELETE FROM claims.entry WHERE {OF_CASH} AND account = 'cash'"),
    rows("a whole line dropped from a journal", "M4", "claims", f"DELETE FROM claims.entry WHERE {BOTH_PARTS}"),
    rows(
        "a charge journal dropped with its entries",
        "M4",
        "claims",
        f"DELETE FROM claims.entry WHERE {OF_CHARGE}",
        f"DELETE FROM claims.journal WHERE {OF_CHARGE}",
    ),
    rows(
        "a cent less paid than was told",
        "M4",
        "claims",
        moved("clearing_remittance", -1, BOTH_PARTS),
        moved("receivable_insurance", 1, BOTH_PARTS),
    ),
    rows(
        "a role that may change the ledger", "M4", "claims", "GRANT UPDATE ON claims.entry TO revcycle_claims_service"
    ),
    rows(
        "a reversal of a journal that does not exist",
        "M4",
        "claims",
        f"UPDATE claims.journal SET reverses = '{NOBODY}' WHERE {OF_POSTING}",
    ),
    rows(
        "cents on an account nobody knows",
        "M5",
        "claims",
        changed("claims.entry", "account = 'suspense'", ENTRY, "account = 'contractual_adjustment'"),
    ),
    rows(
        "a charge booked too high",
        "M5",
        "claims",
        moved("charges", -100, OF_CHARGE),
        moved("receivable_insurance", 100, OF_CHARGE),
    ),
    rows(
        "a claim line with another charge",
        "M5",
        "claims",
        changed("claims.claim_line", "charge_cents = charge_cents + 1", "claim_id, line_number"),
    ),
    rows(
        "a deposit that never left clearing",
        "M6",
        "claims",
        f"DELETE FROM claims.entry WHERE {OF_MATCH}",
        f"DELETE FROM claims.journal WHERE {OF_MATCH}",
    ),
    rows(
        "clearing of a posted remittance not zero",
        "M6",
        "claims",
        "UPDATE claims.entry SET account = 'provider_level' WHERE account = 'clearing_remittance' AND claim_id IS NULL",
    ),
    rows(
        "a receivable of no claim",
        "M6",
        "claims",
        changed("claims.entry", "claim_id = NULL, line_number = NULL", ENTRY, "account = 'receivable_insurance'"),
    ),
    rows(
        "a bill below zero", "M7", "claims", changed("claims.patient_bill", "amount_cents = -amount_cents", "bill_id")
    ),
    rows("a bill dropped", "M7", "claims", dropped("claims.patient_bill", "bill_id")),
    rows(
        "a patient's balance below zero",
        "M7",
        "claims",
        moved("receivable_patient", -900000, "true"),
        moved("receivable_insurance", 900000, "true"),
    ),
    rows(
        "a payment neither applied nor unapplied",
        "M7",
        "claims",
        changed("claims.remitted_claim", "state = 'unknown_claim'", "remittance_id, position", "paid_cents > 0"),
    ),
    rows(
        "a reversal that left money behind",
        "M7",
        "claims",
        changed("claims.remitted_claim", "reversed = true", "remittance_id, position", "paid_cents > 0"),
    ),
    rows("a deposit that is not recorded", "M8", "claims", dropped("claims.deposit", "deposit_id")),
    rows(
        "a deposit not posted",
        "M8",
        "claims",
        f"DELETE FROM claims.entry WHERE {OF_CASH}",
        f"DELETE FROM claims.journal WHERE {OF_CASH}",
    ),
    rows(
        "a deposit posted twice",
        "M8",
        "claims",
        copy_of("claims.journal", {"journal_id": QUOTED_NOBODY}, OF_CASH),
        copy_of("claims.entry", {"journal_id": QUOTED_NOBODY}, OF_CASH),
    ),
    rows(
        "an exception nobody planted", "M8", "claims", changed("claims.deposit", "remittance_id = NULL", "deposit_id")
    ),
)

CLAIM_PLANTS = (
    rows(
        "two live claims of one encounter",
        "C1",
        "claims",
        "ALTER TABLE claims.claim DROP CONSTRAINT claim_tenant_id_encounter_id_billing_side_key",
        copy_of("claims.claim", {"claim_id": QUOTED_NOBODY}, PAID_CLAIM),
    ),
    rows(
        "a replacement without predecessor",
        "C1",
        "claims",
        changed(
            "claims.submission",
            "frequency = '7', payer_claim_control_number = 'X'",
            "submission_id",
            "predecessor IS NULL",
        ),
    ),
    rows(
        "two submissions that supersede the same",
        "C1",
        "claims",
        "UPDATE claims.submission SET predecessor = (SELECT min(submission_id::text)::uuid FROM claims.submission)",
    ),
    rows(
        "CLM01 given twice",
        "C2",
        "claims",
        "DROP INDEX claims.submission_control_number",
        changed(
            "claims.submission",
            "patient_control_number = (SELECT max(patient_control_number) FROM claims.submission)",
            "patient_control_number",
        ),
    ),
    rows(
        "CLM01 of 21 characters",
        "C2",
        "claims",
        changed("claims.submission", "patient_control_number = repeat('X', 21)", "submission_id"),
    ),
    rows(
        "a claim submitted 21 times",
        "R5",
        "claims",
        "DROP INDEX claims.submission_control_number",
        "INSERT INTO claims.submission SELECT (jsonb_populate_record(r, jsonb_build_object('ordinal', n + 100,"
        " 'submission_id', gen_random_uuid()))).* FROM claims.submission AS r, generate_series(1, 20) AS n WHERE "
        + one_of("claims.submission", "submission_id"),
    ),
    rows("a submission without an attempt", "C5", "adjudication-gateway", dropped("gateway.attempt", "interchange_id")),
    rows(
        "an attempt without outcome",
        "C5",
        "adjudication-gateway",
        changed("gateway.attempt", "outcome = NULL", "interchange_id"),
    ),
    rows(
        "an arrival that was never intended",
        "C5",
        "adjudication-gateway",
        changed("gateway.interchange", "sha256 = repeat('0', 64)", "interchange_id", "kind = '837P'"),
    ),
    rows(
        "a submission decided and never handed over",
        "C5",
        "adjudication-gateway",
        f"DELETE FROM gateway.submission WHERE {SENT_ONCE}",
    ),
    rows("a submission nobody decided", "C5", "claims", dropped("claims.submission", "submission_id")),
    rows(
        "a submission with another amount downstream",
        "E8",
        "adjudication-gateway",
        f"UPDATE gateway.submission SET charge_cents = charge_cents + 1 WHERE {SENT_ONCE}",
    ),
    rows(
        "an interchange without 999",
        "C6",
        "adjudication-gateway",
        "DELETE FROM gateway.acknowledgment WHERE kind = '999' AND interchange_id ="
        f" (SELECT interchange_id FROM gateway.submission WHERE {SENT_ONCE})",
    ),
    rows(
        "a claim without 277CA",
        "C6",
        "adjudication-gateway",
        "DELETE FROM gateway.acknowledgment WHERE kind = '277CA' AND submission_id ="
        f" (SELECT submission_id FROM gateway.submission WHERE {SENT_ONCE})",
    ),
    rows(
        "another date of service at registration",
        "C8",
        "registration",
        "UPDATE registration.encounter SET date_of_service = date_of_service + 1 WHERE state = 'documented'",
    ),
    rows(
        "a filing deadline not counted from the service",
        "C8",
        "claims",
        changed("claims.claim", "filing_deadline = filing_deadline + 1", "claim_id", "filing_deadline IS NOT NULL"),
    ),
    rows("an encounter nobody has any more", "R1", "registration", dropped("registration.encounter", "id")),
    rows(
        "an encounter answered as created twice",
        "R2",
        "registration",
        copy_of(
            "kit.idempotency",
            {"key": "'planted'"},
            # An answer to what was sent before says that it is there already, and created nothing.
            one_of("kit.idempotency", "key", """path = '/v1/intake' AND position('"created"'::bytea IN body) > 0"""),
        ),
    ),
    rows(
        "a deposit answered as created twice",
        "R2",
        "claims",
        copy_of("kit.idempotency", {"key": "'planted'"}, one_of("kit.idempotency", "key", "path = '/v1/deposits'")),
    ),
    rows("a claim row gone", "R3", "claims", f"DELETE FROM claims.claim WHERE {PAID_CLAIM}"),
    rows(
        "a work item of the biller gone",
        "R3",
        "claims",
        "DELETE FROM claims.task WHERE claim_id IN (SELECT claim_id FROM claims.claim WHERE outcome = 'denied')",
    ),
    rows("a work item of the coder gone", "R3", "coding", dropped("coding.task", "id", "resolved_at IS NULL")),
    rows("a coding gone before its claim", "R3", "coding", dropped("coding.coding", "encounter_id", "state = 'open'")),
)


def claims_of(records: Records) -> list[int]:
    """Places of the records of the longest stream of claims, in order."""
    sizes: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        if record.topic == "revcycle.claims.v1":
            sizes.setdefault(record.key, []).append(place)
    return max(sizes.values(), key=len)


def without(records: Records, nth: int) -> Records:
    dropped = claims_of(records)[nth]
    return [record for place, record in enumerate(records) if place != dropped]


def with_another(records: Records, **changes: Any) -> Records:
    last = records[claims_of(records)[-1]]
    return [*records, replace(last, **changes)]


def swapped(records: Records) -> Records:
    first, second, *_ = claims_of(records)
    changed = list(records)
    changed[first], changed[second] = records[second], records[first]
    return changed


def forgery(record: TopicRecord) -> Plant:
    return Plant("a seal broken", "E5", records=lambda records: [*records, record])


TOPIC_PLANTS = (
    Plant("an event missing in the middle of a key", "E3", records=lambda records: without(records, 1)),
    Plant("an event on no topic", "E1", records=lambda records: without(records, -1)),
    Plant(
        "an event on its topic and in no archive",
        "E1",
        records=lambda records: with_another(records, sequence=len(claims_of(records)) + 1),
    ),
    Plant(
        "a sequence reused with other content on its topic",
        "E3",
        records=lambda records: with_another(records, sha256="0" * 64),
    ),
    Plant("an event that overtook its predecessor", "E3", records=swapped),
    Plant(
        "a consumer behind its topic",
        "E6",
        records=lambda records: with_another(records, sequence=len(claims_of(records)) + 1),
    ),
)


def log_edit(direction: str, transaction: str, edit: Callable[[str], str], *, keep: bool) -> Callable[[Path], None]:
    """Change the first logged interchange of a kind wherever it was logged; ``keep`` adds the changed one."""

    def apply(folder: Path) -> None:
        file = folder / "raw.jsonl"
        entries: Log = json_lines(file.read_text())
        for entry in entries:
            logged = entry["bytes_base64"]
            text = base64.b64decode(logged).decode("latin-1")
            if entry["direction"] == direction and f"~ST*{transaction}*" in text:
                changed = base64.b64encode(edit(text).encode("latin-1")).decode()
                assert keep or changed != logged, "nothing was planted"
                # A payer sends some advices twice: what is wrong is wrong in every copy.
                wrong = [{**one, "bytes_base64": changed} if one["bytes_base64"] == logged else one for one in entries]
                entries = [*entries, {**entry, "bytes_base64": changed}] if keep else wrong
                break
        file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    return apply


def sent(edit: Callable[[str], str], *, keep: bool = False) -> Callable[[Path], None]:
    return log_edit("in", "837", edit, keep=keep)


def put(pattern: str, text: str) -> Callable[[str], str]:
    return lambda data: re.sub(pattern, text, data, count=1)


def append(name: str, line: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write(line + "\n")

    return apply


PAYER_PLANTS = (
    Plant("a submission sent twice", "C4", payer=sent(lambda data: data, keep=True)),
    Plant(
        "a submission sent twice under new control numbers",
        "C4",
        payer=sent(lambda data: data.replace("*000000001*0*", "*000000901*0*"), keep=True),
    ),
    Plant("ISA13 reused with other bytes", "C3", payer=sent(put(r"CLM\*\w+", "CLM*PLANTED"), keep=True)),
    Plant("a wrong SE01", "C3", payer=sent(put(r"~SE\*\d+", "~SE*3"))),
    Plant("a wrong GE01", "C3", payer=sent(put(r"~GE\*1", "~GE*2"))),
    Plant("a wrong IEA01", "C3", payer=sent(put(r"~IEA\*1", "~IEA*2"))),
    Plant("a wrong HL01", "C3", payer=sent(put(r"~HL\*2\*", "~HL*9*"))),
    Plant("bytes that were never intended", "C5", payer=sent(put("REVCYCLE DEMONSTRATION", "ANOTHER"))),
    Plant("a charge that differs from its lines", "C7", payer=sent(put(r"(CLM\*\w+\*)[\d.]+", r"\g<1>1.23"))),
    Plant("a line that differs from its claim", "C7", payer=sent(put(r"(SV1\*[^*]+\*)[\d.]+", r"\g<1>0.01"))),
    Plant(
        "another date of service in the payer's bytes",
        "C8",
        payer=sent(put(r"DTP\*472\*D8\*\d+", "DTP*472*D8*20200101")),
    ),
    Plant(
        "an advice that does not balance, posted",
        "M2",
        payer=log_edit("out", "835", put(r"(BPR\*\w\*)[\d.]+", r"\g<1>0.01"), keep=False),
    ),
    Plant(
        "an advice nobody posted", "M2", payer=log_edit("out", "835", put(r"TRN\*1\*\w+", "TRN*1*PLANTED"), keep=True)
    ),
    Plant(
        "a deposit at the bank nobody recorded",
        "M8",
        payer=append("deposits.csv", "PLANTED,2026-09-30,REVPAY1,PLANTED,100"),
    ),
    Plant(
        "a planted exception nobody names",
        "M8",
        payer=append("planted_exceptions.jsonl", '{"trace_number": "PLANTED"}'),
    ),
)

PLANTS = (*EVENT_PLANTS, *TENANT_PLANTS, *MONEY_PLANTS, *CLAIM_PLANTS, *TOPIC_PLANTS, *PAYER_PLANTS)


class World:
    """What a calm run left behind, a connection of the highest rank per database, and the topics as they were read."""

    def __init__(self, kept: Kept, scratch: Path, runner: asyncio.Runner) -> None:
        self.runner, self._scratch = runner, scratch
        stack = connect_to(kept.state_dir)
        self.inputs: CheckInputs = check_inputs(stack)
        self._secret = kept.superuser_password
        self._url = stack.connections.postgresql_url
        self.keys = KeyRing(self.inputs.keyring_file)
        self.connections: dict[str, asyncpg.Connection[Any]] = {}
        self.records: Records = []

    async def open(self) -> None:
        for service in self.inputs.database_urls:
            url = url_for(self._url, database_name(service), ADMIN_ROLE, self._secret)
            self.connections[service] = await asyncpg.connect(url, server_settings={"lock_timeout": "5s"})
        self.records = await read_topics(self.inputs.bootstrap_servers, self.keys)

    async def close(self) -> None:
        for connection in self.connections.values():
            await connection.close()

    async def check(self, plant: Plant | None = None) -> Report:
        """The checker's report with one violation planted; nothing of the plant remains."""
        inputs, records = self.inputs, self.records
        if plant is None or not plant.sql:
            if plant and plant.records:
                records = plant.records(list(records))
            if plant and plant.payer:
                inputs = replace(inputs, payer_dir=self._copy_of_payer(plant.payer))
            return await run_check(inputs, records=records, connections=self.connections)
        connection = self.connections[plant.service]
        transaction = connection.transaction()
        await transaction.start()
        try:
            # The schema's own guards stand aside: a plant is what no code of ours may do.
            await connection.execute("SET LOCAL session_replication_role = replica")
            status = [await connection.execute(sql) for sql in plant.sql][-1]
            assert status.split()[-1] != "0", f"{plant.what}: nothing was planted"
            await connection.execute(f"SET LOCAL ROLE {CHECKER_ROLE}")
            return await run_check(inputs, records=records, connections=self.connections)
        finally:
            await transaction.rollback()

    def _copy_of_payer(self, edit: Callable[[Path], None]) -> Path:
        folder = self._scratch / "payer"
        folder.mkdir(exist_ok=True)
        for name in ("raw.jsonl", "deposits.csv", "planted_exceptions.jsonl"):
            shutil.copy(self.inputs.payer_dir / name, folder / name)
        edit(folder)
        return folder


@pytest.fixture(scope="module")
def world(kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with asyncio.Runner() as runner:
        world = World(kept, tmp_path_factory.mktemp("planted"), runner)
        runner.run(world.open())
        yield world
        runner.run(world.close())


def test_every_planted_violation_is_caught_and_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    calm = world.runner.run(world.check())
    assert calm.ok, calm.violations
    lines, missed = [], []
    for plant in PLANTS:
        found = {finding.invariant for finding in world.runner.run(world.check(plant)).violations}
        caught = plant.invariant in found
        missed += [] if caught else [f"{plant.what}: wanted {plant.invariant}, found {sorted(found)}"]
        lines.append(f"{plant.what} -> {plant.invariant if caught else 'MISSED'}")
    with capsys.disabled():
        sys.stdout.write(
            "\n".join(["", *lines, f"planted violations: caught {len(PLANTS) - len(missed)} of {len(PLANTS)}", ""])
        )
    assert not missed, "\n".join(missed)
    assert world.runner.run(world.check()).violations == [], "a plant remained"


def test_a_forged_record_is_named_by_its_seal(world: World) -> None:
    """E5: the same record with one byte of its value, its key or its headers changed carries no seal that holds."""
    (row,) = world.runner.run(
        world.connections["claims"].fetch("SELECT topic, key, headers, payload FROM messaging.archive LIMIT 1")
    )
    topic, key, value = row["topic"], row["key"].encode(), row["payload"]
    headers = list(headers_text_to_kafka(row["headers"]))
    assert judge_record(topic, key, value, [*headers], world.keys).fault is None
    renamed = [(name, b"revcycle.claims.ClaimVoided.v1" if name == "ce_type" else text) for name, text in headers]
    forged = [
        judge_record(topic, key, value[:-1] + b" }", [*headers], world.keys),
        judge_record(topic, key + b"0", value, [*headers], world.keys),
        judge_record(topic, key, value, [*renamed], world.keys),
    ]
    for record in forged:
        assert record.fault is not None
        assert "E5" in {one.invariant for one in world.runner.run(world.check(forgery(record))).violations}


def test_every_invariant_that_is_checked_has_a_plant() -> None:
    planted = {plant.invariant for plant in PLANTS}
    assert {name for name, _ in invariants()} == planted
    assert len(PLANTS) >= PLANTS_MIN and len({plant.what for plant in PLANTS}) == len(PLANTS)
