"""Validation errors in words of ours: pydantic's own texts may repeat what was sent."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from revcycle_service_kit.problems import BadRequest, FieldError, Problem

# Fields begin with a small letter and hold few digits; people's names and numbers do not.
_FIELD_NAME: Final = re.compile(r"[a-z][A-Za-z_-]{0,39}[0-9]{0,2}(\[[a-z]{2,5}\])?")
MAX_ERRORS: Final = 100


_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso_date(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and _ISO_DATE.fullmatch(value)):
        return value
    raise PydanticCustomError("date_parsing", "is not a date")


IsoDate = Annotated[date, BeforeValidator(_iso_date)]
"""A date as YYYY-MM-DD. Pydantic alone also takes 0, and a time at midnight, for one."""


class Invalid(Problem):
    """The request does not fit its schema."""

    status = 422
    default_code = "invalid"
    title = "The request does not fit its schema"


# rule -> (message, expected); {names} come from the schema's own limits, never from the input.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("is required", "a value"),
    "extra_forbidden": ("is not a field here", "only the documented fields"),
    "string_type": ("is not text", "text"),
    "string_too_short": ("is too short", "at least {min_length} characters"),
    "string_too_long": ("is too long", "at most {max_length} characters"),
    "string_pattern_mismatch": ("has not the right form", "text of the form {pattern}"),
    "int_type": ("is not a whole number", "a whole number"),
    "int_parsing": ("is not a whole number", "a whole number"),
    "int_from_float": ("is not a whole number", "a whole number"),
    "bool_type": ("is neither true nor false", "true or false"),
    "bool_parsing": ("is neither true nor false", "true or false"),
    "greater_than": ("is too small", "more than {gt}"),
    "greater_than_equal": ("is too small", "at least {ge}"),
    "less_than": ("is too large", "less than {lt}"),
    "less_than_equal": ("is too large", "at most {le}"),
    "too_short": ("has too few items", "at least {min_length} items"),
    "too_long": ("has too many items", "at most {max_length} items"),
    "literal_error": ("is not one of the known values", "{expected}"),
    "enum": ("is not one of the known values", "{expected}"),
    "uuid_parsing": ("is not an id", "a UUID"),
    "uuid_type": ("is not an id", "a UUID"),
    "date_type": ("is not a date", "a date as YYYY-MM-DD"),
    "date_parsing": ("is not a date", "a date as YYYY-MM-DD"),
    "date_from_datetime_parsing": ("is not a date", "a date as YYYY-MM-DD"),
    "date_from_datetime_inexact": ("is not a date", "a date as YYYY-MM-DD without a time"),
    "datetime_type": ("is not a time", "a time as YYYY-MM-DDThh:mm:ssZ"),
    "datetime_parsing": ("is not a time", "a time as YYYY-MM-DDThh:mm:ssZ"),
    "datetime_from_date_parsing": ("is not a time", "a time as YYYY-MM-DDThh:mm:ssZ"),
    "timezone_aware": ("has no time zone", "a time with an offset, as YYYY-MM-DDThh:mm:ssZ"),
    "list_type": ("is not a list", "a list"),
    "dict_type": ("is not an object", "an object"),
    "model_type": ("is not an object", "an object"),
    "model_attributes_type": ("is not an object", "an object"),
    "union_tag_invalid": ("names no known kind", "{expected_tags}"),
    "json_invalid": ("is not JSON", "valid JSON, sent as application/json"),
}
_OWN_RULES: Final = frozenset({"value_error", "assertion_error"})


def problem_of_errors(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem for pydantic's errors: 400 when the body is no JSON, else 422."""
    found = [field_error(error) for error in errors[:MAX_ERRORS]]
    if any(error.rule == "json_invalid" for error in found):
        return BadRequest("the body is not valid JSON", errors=found)
    return Invalid("correct the fields named in errors", errors=found)


def field_error(error: Mapping[str, Any]) -> FieldError:
    """One of pydantic's errors without anything that was sent."""
    rule = str(error["type"])
    message, expected = _TEXTS.get(rule, ("does not fit", "a value as the API documentation describes it"))
    limits = {name: str(value) for name, value in (error.get("ctx") or {}).items() if name != "error"}
    if rule in _OWN_RULES:
        message, expected = _own_text(error), "a value that keeps this rule"
    elif rule not in _TEXTS and {"text", "expected"} <= limits.keys():
        # A validator of a service said it in its own words, as pydantic's custom error: no input is in them.
        message, expected = limits["text"], limits["expected"].replace("{", "{{").replace("}", "}}")
    try:
        expected = expected.format_map(limits)
    except (KeyError, ValueError, IndexError):
        expected = "a value as the API documentation describes it"
    return FieldError(path_of(error.get("loc", ()), rule), rule, message, expected)


def path_of(location: Sequence[str | int], rule: str = "") -> str:
    """``("body", "coverages", 0, "payer_id")`` as ``coverages[0].payer_id``. Names that look like data become ``?``."""
    parts = list(location)
    if parts and parts[0] in ("body", "query", "path", "header", "cookie"):
        parts = parts[1:]
    if rule == "json_invalid":
        return ""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            name = part if _FIELD_NAME.fullmatch(part) else "?"
            path += f".{name}" if path else name
    return path


def _own_text(error: Mapping[str, Any]) -> str:
    """The text of a validator of ours, unless it repeats the value after all."""
    text = str(error.get("msg", "")).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    sent = error.get("input")
    values = [sent] if isinstance(sent, str | int) else []
    if isinstance(sent, Mapping):
        values = [value for value in sent.values() if isinstance(value, str | int)]
    if any(len(str(value)) > 2 and str(value) in text for value in values):
        return "does not fit"
    return text[:300]
