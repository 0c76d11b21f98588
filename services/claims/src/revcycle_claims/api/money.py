"""Fee schedules, deposits, remittances and the ledger."""

from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.commands import ReadUnitOfWork, Reply, run_command
from revcycle_service_kit.paging import Page, PageParameters
from revcycle_service_kit.problems import BadRequest, FieldError, NotFound, Unprocessable, UnsupportedMediaType
from revcycle_service_kit.validation import problem_of_errors

from revcycle_claims.api import models
from revcycle_claims.api.rows import parse_row, read_csv
from revcycle_claims.domain.bank_list import BankDepositRow
from revcycle_claims.domain.fee_schedule import PriceRow
from revcycle_claims.domain.reference import Price
from revcycle_claims.repositories import queries
from revcycle_claims.use_cases.import_fee_schedule import import_fee_schedule
from revcycle_claims.use_cases.record_deposits import DepositResult, record_deposits

router = APIRouter(prefix="/v1", tags=["money"])

FEE_SCHEDULE_BYTES: Final = 16 * 1024 * 1024
DEPOSIT_BYTES: Final = 4 * 1024 * 1024
MAX_DEPOSITS: Final = 5_000
DEPOSIT_HEADER: Final = ("deposit_id", "date", "payer_id", "trace_number", "amount_cents")


@router.post(
    "/fee-schedules",
    summary="Set a fee schedule: a new version replaces the former one of its name",
    status_code=201,
    response_model=models.FeeScheduleResponse,
    responses={200: {"model": models.FeeScheduleResponse, "description": "The content is the one in force"}},
)
async def post_fee_schedule(request: Request, caller: CurrentCaller, body: models.FeeScheduleRequest) -> Response:
    """Each row: `code`, optional `modifier`, `effective_from`, optional `effective_to` (exclusive), `price_cents` > 0.

    Rows are taken or refused one by one; `rejected` names field, rule and what would be right. 200 when the content is
    the one in force, 422 when no row is acceptable. Claims held for a missing price are tried again.
    """
    prices: list[Price] = []
    rejected: list[models.RejectedRow] = []
    for number, row in enumerate(body.rows, start=1):
        parsed = parse_row(PriceRow, row)
        if isinstance(parsed, PriceRow):
            prices.append(parsed.price())
        else:
            rejected += [models.RejectedRow(row=number, **models.RowError.of(item).model_dump()) for item in parsed]
    if not prices:
        errors = [
            FieldError(f"rows[{item.row - 1}].{item.field}", item.rule, item.message, item.expected)
            for item in rejected[:100]
        ]
        raise Unprocessable("no row is acceptable", code="no_acceptable_row", errors=errors)

    async def act(uow: UnitOfWork, cause: Cause) -> Reply:
        result = await import_fee_schedule(uow, body.name, prices, cause)
        answer = models.FeeScheduleResponse(
            name=body.name, version=result.version, accepted=len(prices), rejected=rejected
        )
        return Reply(201 if result.created else 200, answer)

    return await run_command(request, caller, act)


@router.get("/fee-schedules", summary="The fee schedules in force")
async def list_fee_schedules(uow: ReadUnitOfWork, page: PageParameters) -> Page[models.FeeSchedule]:
    """By name."""
    rows = await queries.fee_schedules_page(uow, page.after(), page.fetch_limit)
    return page.of([models.FeeSchedule(**dict(row)) for row in rows], lambda item: (item.name,))


@router.get("/fee-schedules/{name}", summary="The rows of a fee schedule")
async def get_fee_schedule(
    uow: ReadUnitOfWork,
    page: PageParameters,
    name: str,
    code: Annotated[str | None, Query(max_length=5)] = None,
) -> Page[models.PriceItem]:
    """The version in force, in the order it was handed in."""
    filters = {"name": name, "code": code}
    rows = await queries.prices_page(uow, filters, page.after(), page.fetch_limit)
    if not rows and not await queries.has_fee_schedule(uow, name):
        raise NotFound("no fee schedule has this name")
    return page.of([models.PriceItem(**dict(row)) for row in rows], lambda item: (item.row_number,))


class DepositList(BaseModel):
    """The JSON form of a deposit list."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    deposits: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_DEPOSITS)]


@router.post(
    "/deposits",
    summary="Hand in the bank's deposits (JSON or CSV); each is matched to its remittance",
    response_model=models.DepositsResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": DepositList.model_json_schema(),
                    "example": {
                        "deposits": [
                            {
                                "deposit_id": "BANK-1",
                                "date": "2026-09-30",
                                "payer_id": "REVPAY1",
                                "trace_number": "T000001",
                                "amount_cents": 12345,
                            }
                        ]
                    },
                },
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": ",".join(DEPOSIT_HEADER) + "\nBANK-1,2026-09-30,REVPAY1,T000001,12345\n",
                },
            },
        }
    },
)
async def post_deposits(request: Request, caller: CurrentCaller) -> Response:
    """1 to 5000 rows, each answered in order: `created`, `unchanged` (same number and content) or `refused`.

    The bank's `deposit_id` is the natural key. Matching is by payer, trace number and amount, and does not depend on
    whether deposit or remittance comes first.
    """
    rows = await _deposit_rows(request)
    parsed = [parse_row(BankDepositRow, row) for row in rows]
    good = [row.deposit() for row in parsed if isinstance(row, BankDepositRow)]

    async def act(uow: UnitOfWork, cause: Cause) -> Reply:
        results = iter(await record_deposits(uow, good, cause))
        items = [
            _result(next(results)) if isinstance(row, BankDepositRow) else _refused(raw, row)
            for raw, row in zip(rows, parsed, strict=True)
        ]
        return Reply(200, models.DepositsResponse(results=items))

    return await run_command(request, caller, act)


async def _deposit_rows(request: Request) -> list[dict[str, Any]]:
    """The rows as they were sent. Raises BadRequest, Unprocessable or UnsupportedMediaType."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if media_type == "text/csv":
        try:
            rows: list[dict[str, Any]] = [*read_csv(body.decode(), DEPOSIT_HEADER)]
        except UnicodeDecodeError:
            raise BadRequest("the body is not UTF-8 text", code="csv_invalid") from None
        if not 1 <= len(rows) <= MAX_DEPOSITS:
            raise Unprocessable(f"a list has 1 to {MAX_DEPOSITS} deposits", code="deposit_count")
        return rows
    if media_type != "application/json":
        raise UnsupportedMediaType("send application/json or text/csv")
    try:
        return TypeAdapter(DepositList).validate_python(orjson.loads(body)).deposits
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON") from None
    except ValidationError as failure:
        errors: list[Any] = list(failure.errors())
        raise problem_of_errors(errors) from None


def _result(result: DepositResult) -> models.DepositResultItem:
    errors = [
        models.RowError(
            field=field,
            rule="same_deposit_other_content",
            message="differs from the deposit recorded under this deposit_id",
            expected="the recorded value, or another deposit_id for another deposit",
        )
        for field in result.changed_fields
    ]
    return models.DepositResultItem.model_validate(
        {"deposit_id": result.bank_reference, "status": result.status, "match": result.match, "errors": errors}
    )


def _refused(row: dict[str, Any], errors: list[FieldError]) -> models.DepositResultItem:
    sent = row.get("deposit_id")
    return models.DepositResultItem(
        deposit_id=sent if isinstance(sent, str) else "",
        status="refused",
        match=None,
        errors=[models.RowError.of(error) for error in errors],
    )


@router.get("/deposits", summary="Deposits and what they were matched to")
async def list_deposits(
    uow: ReadUnitOfWork,
    page: PageParameters,
    exception: Annotated[str | None, Query(max_length=40, examples=["money_without_advice"])] = None,
    payer_id: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[models.DepositItem]:
    """`exception`: money_without_advice or difference."""
    filters = {"exception": exception, "payer_id": payer_id}
    rows = await queries.deposits_page(uow, filters, page.after(), page.fetch_limit)
    return page.of([models.DepositItem(**dict(row)) for row in rows], lambda item: (item.id,))


@router.get("/remittances", summary="Remittances, what of them has been deposited, and what is wrong")
async def list_remittances(
    uow: ReadUnitOfWork,
    page: PageParameters,
    exception: Annotated[str | None, Query(max_length=40, examples=["advice_without_money"])] = None,
    payer_id: Annotated[str | None, Query(max_length=80)] = None,
    trace_number: Annotated[str | None, Query(max_length=50)] = None,
) -> Page[models.RemittanceItem]:
    """`exception`: advice_without_money, difference or remittance_held."""
    filters = {"exception": exception, "payer_id": payer_id, "trace_number": trace_number}
    rows = await queries.remittances_page(uow, filters, page.after(), page.fetch_limit)
    return page.of([models.RemittanceItem(**dict(row)) for row in rows], lambda item: (item.remittance_id,))


@router.get("/remittances/{remittance_id}", summary="A remittance and where each of its claims was placed")
async def get_remittance(uow: ReadUnitOfWork, remittance_id: UUID) -> models.RemittanceDetail:
    """A claim is posted, or unapplied with the reason."""
    rows = await queries.remittances_page(uow, {"remittance_id": remittance_id}, None, 1)
    if not rows:
        raise NotFound("no remittance has this id")
    claims = await queries.remitted_claims_of(uow, remittance_id)
    return models.RemittanceDetail(**dict(rows[0]), claims=[models.RemittedClaimItem(**dict(item)) for item in claims])


@router.get("/unapplied-payments", summary="Payers' money that is applied to no claim, and why")
async def list_unapplied(uow: ReadUnitOfWork, page: PageParameters) -> Page[models.UnappliedItem]:
    """unknown_claim, waiting_claim (not billed here yet) or waiting_original (a reversal before its original)."""
    rows = await queries.unapplied_page(uow, page.after(), page.fetch_limit)
    items = [models.UnappliedItem(**dict(row)) for row in rows]
    return page.of(items, lambda item: (item.remittance_id, item.position))


@router.get("/ledger/hash", summary="One hash over the balances of all claim lines")
async def get_ledger_hash(uow: ReadUnitOfWork) -> models.LedgerHash:
    """SHA-256 over the sorted lines `facility_npi|encounter_number|line|account|cents`, each followed by a newline.

    Zero balances are dropped; cash, clearing and unapplied money do not take part.
    """
    sha256, lines = await queries.ledger_hash(uow)
    return models.LedgerHash(sha256=sha256, lines=lines)


@router.get("/ledger/rollforward", summary="Every account's balance, and whether the books balance")
async def get_rollforward(uow: ReadUnitOfWork) -> models.Rollforward:
    """`total`, `unbalanced_journals` and `unbalanced_cents` are 0, or the books are wrong."""
    return models.Rollforward.model_validate(await queries.rollforward(uow))
