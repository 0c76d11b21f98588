"""From rows to responses, where more than one route needs it."""

from typing import Any
from uuid import UUID

import orjson
from revcycle_messaging import UnitOfWork
from revcycle_service_kit.problems import NotFound

from revcycle_claims.api import models
from revcycle_claims.domain.ledger import LineMoney
from revcycle_claims.repositories import claims as claim_rows
from revcycle_claims.repositories import ledger, queries
from revcycle_claims.use_cases.describe_claim import changed_since_submission


async def claim_detail(uow: UnitOfWork, claim_id: UUID) -> models.ClaimDetail:
    """A claim with lines, money, holds and submissions. Raises NotFound."""
    claim = await claim_rows.read_claim(uow, claim_id)
    if claim is None:
        raise NotFound("no claim has this id")
    book = (await ledger.load_books(uow, [claim_id]))[claim_id]
    denied = {line: answer.denied_cents for line, answer in book.in_effect(claim.chain).items()}
    rows: dict[int, dict[str, Any]] = {row["line_number"]: dict(row) for row in await queries.lines_of(uow, claim_id)}
    for line_number, money in book.money.items():
        if money != LineMoney():
            rows.setdefault(line_number, _without_service(line_number))
    lines = [
        models.Line(
            **row, money=models.Money.of(book.money.get(number, LineMoney())), denied_cents=denied.get(number, 0)
        )
        for number, row in sorted(rows.items())
    ]
    waiting = models.Waiting(waits_for=claim.waiting_for, since=claim.since) if claim.waiting_for else None
    return models.ClaimDetail(
        **{name: getattr(claim, name) for name in _PLAIN},
        changed_since_submission=await changed_since_submission(uow, claim),
        money=models.Money.of(book.total),
        lines=lines,
        holds=[
            models.Hold(
                rule=item.rule,
                field=item.field,
                owner=item.owner,
                expected=item.expected,
                line_number=item.line_number,
                rule_version=item.rule_version,
                release=item.release,
            )
            for item in claim.holds
        ],
        waiting=waiting,
        submissions=[models.Submission(**dict(row)) for row in await queries.submissions_of(uow, claim_id)],
    )


_PLAIN = (
    *models.ClaimSummary.model_fields,
    "patient_control_number",
    "payer_claim_control_number",
    "coding_version",
    "manual_hold",
)


def _without_service(line_number: int) -> dict[str, Any]:
    """The claim level, or a line that an earlier version of the claim had."""
    return {
        "line_number": line_number,
        "line_control_number": None,
        "code": None,
        "modifiers": [],
        "units": None,
        "charge_cents": 0,
        "diagnosis_pointers": [],
    }


async def explanation(uow: UnitOfWork, claim_id: UUID) -> models.Explanation:
    """The decisions on a claim."""
    items = []
    for row in await queries.decisions_of(uow, claim_id):
        values = dict(row)
        values["input"] = orjson.loads(values.pop("input_text"))
        values["output"] = orjson.loads(values.pop("output_text"))
        items.append(models.DecisionItem(**values))
    return models.Explanation(items=items)


async def found_claims(uow: UnitOfWork, encounter_ids: list[UUID]) -> models.ClaimSearchResult:
    """The claims of encounters with their money."""
    rows = await queries.claims_of_encounters(uow, encounter_ids)
    money = await queries.money_of(uow, [row["claim_id"] for row in rows])
    items = [
        models.FoundClaim(**dict(row), money=models.Money.of(sum(money.get(row["claim_id"], {}).values(), LineMoney())))
        for row in rows
    ]
    return models.ClaimSearchResult(items=items)
