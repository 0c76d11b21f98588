"""Bulk intake: 1 to 500 encounter files per request, each answered on its own."""

import asyncio
import hashlib
import json
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from revcycle_messaging import Cause, UnitOfWork
from revcycle_service_kit import BadRequest, FieldError, Reply, Unprocessable, run_command
from revcycle_service_kit.access import CurrentCaller

from revcycle_registration.api.models import ENCOUNTERS_PER_INTAKE_MAX, EncounterResult, IntakeReply
from revcycle_registration.domain.encounter_file import EncounterFile
from revcycle_registration.domain.findings import shown_name
from revcycle_registration.domain.intake import Outcome, read_intake
from revcycle_registration.examples import COMPLETE
from revcycle_registration.repositories import refusals
from revcycle_registration.use_cases.take_in_encounters import take_in_encounters

router = APIRouter(prefix="/v1", tags=["intake"])
IDENTIFIER_LENGTH_MAX = 80


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with its references replaced by what they name: the body is read by hand, so FastAPI cannot."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inline(part, definitions) for name, part in schema.items() if name != "$defs"}


def _request_body() -> dict[str, Any]:
    schema = EncounterFile.model_json_schema()
    files = {
        "type": "array",
        "minItems": 1,
        "maxItems": ENCOUNTERS_PER_INTAKE_MAX,
        "items": _inline(schema, schema.get("$defs", {})),
    }
    body = {"type": "object", "required": ["encounters"], "properties": {"encounters": files}}
    content = {"schema": body | {"additionalProperties": False}, "example": {"encounters": [COMPLETE]}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _parse(body: bytes) -> object:
    """The JSON of a request; half a character or an endless number in one file is that file's fault alone.

    Raises:
        ValueError: the body is no JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # What orjson does not take and JSON allows: cut surrogate pairs, numbers beyond 64 bits.
        try:
            return json.loads(body.decode(), parse_constant=_no_number)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _read_body(body: bytes) -> list[object]:
    """The elements of a request.

    Raises:
        BadRequest: the body is no JSON.
        Unprocessable: it is JSON of another shape, or holds too few or too many encounters.
    """
    try:
        parsed = _parse(body)
    except ValueError:
        raise BadRequest('the body is not JSON: send {"encounters": [...]}') from None
    if not isinstance(parsed, dict):
        raise _unprocessable("body", "object", "is not an object", 'an object {"encounters": [...]}')
    if unknown := sorted(parsed.keys() - {"encounters"}):
        raise _unprocessable(shown_name(unknown[0]), "unknown_field", "is not part of the request", "only encounters")
    encounters = parsed.get("encounters")
    if not isinstance(encounters, list):
        raise _unprocessable("encounters", "list", "is not a list", "a list of encounter files")
    if not 1 <= len(encounters) <= ENCOUNTERS_PER_INTAKE_MAX:
        raise _unprocessable(
            "encounters",
            "count",
            "has too few or too many entries",
            f"1 to {ENCOUNTERS_PER_INTAKE_MAX} encounter files",
        )
    return encounters


def _unprocessable(field: str, rule: str, message: str, expected: str) -> Unprocessable:
    return Unprocessable(errors=(FieldError(field=field, rule=rule, message=message, expected=expected),))


def _text(raw: object, name: str) -> str | None:
    """An identifier of a file that may be anything; None for what is too long for one: it may be a person's name."""
    value = raw.get(name) if isinstance(raw, dict) else None
    if not isinstance(value, str) or len(value) > IDENTIFIER_LENGTH_MAX:
        return None
    return value.replace("\0", "").encode(errors="replace").decode()


def _canonical(raw: object) -> bytes:
    try:
        return orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(raw, sort_keys=True).encode()


def _refusal(raw: object, outcome: Outcome) -> refusals.Refusal:
    content = _canonical(raw)
    return refusals.Refusal(
        facility_npi=_text(raw, "facility_npi"),
        encounter_number=_text(raw, "encounter_number"),
        content_sha256=hashlib.sha256(content).hexdigest(),
        errors=outcome.errors,
    )


@router.post(
    "/intake",
    summary="Take in 1 to 500 encounter files; each is created, updated, unchanged or refused on its own",
    response_model=IntakeReply,
    openapi_extra=_request_body(),
)
async def take_in_encounter_files(request: Request, caller: CurrentCaller) -> Response:
    """Never a second encounter: the same facility and encounter number again updates by field or changes nothing.

    What is missing to bill is accepted and named in `blocked_by`; what is malformed is refused with field, rule and
    what would be right, and holds up no other file of the request.
    """
    raw_files = await asyncio.to_thread(_read_body, await request.body())
    files = await asyncio.to_thread(read_intake, raw_files)
    clock = request.app.state.context.clock

    async def use_case(uow: UnitOfWork, cause: Cause) -> Reply:
        outcomes = await take_in_encounters(uow, cause, files, lambda zone: clock.business_date(zone, cause.now))
        results = [
            EncounterResult.of(index, _text(raw, "encounter_number"), outcome)
            for index, (raw, outcome) in enumerate(zip(raw_files, outcomes, strict=True))
        ]
        refused = [
            _refusal(raw, outcome)
            for raw, outcome in zip(raw_files, outcomes, strict=True)
            if outcome.status == "refused"
        ]
        await refusals.keep(uow, cause, refused)
        return Reply(200, IntakeReply(results=results))

    return await run_command(request, caller, use_case)
