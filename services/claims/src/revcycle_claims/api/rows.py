"""Lists handed in row by row: each row is taken or refused on its own, by field, rule and what would be right."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from revcycle_service_kit.problems import BadRequest, FieldError
from revcycle_service_kit.validation import field_error

M = TypeVar("M", bound=BaseModel)
_MAX_ERRORS_PER_ROW: Final = 10


def parse_row(model: type[M], row: Mapping[str, Any]) -> M | list[FieldError]:
    """A row as its model, or everything that is wrong with it."""
    try:
        return model.model_validate(row)
    except ValidationError as failure:
        errors: Iterable[Any] = failure.errors()[:_MAX_ERRORS_PER_ROW]
        return [field_error(error) for error in errors]


def read_csv(text: str, header: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV text. BadRequest when its first line is not the header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error:
        raise BadRequest("the body is not CSV: check its quotes", code="csv_invalid") from None
    if not lines or tuple(name.strip() for name in lines[0]) != header:
        expected = ",".join(header)
        raise BadRequest(
            "the first line must be the header",
            code="csv_invalid",
            errors=[FieldError("", "header", "is not the header", expected)],
        )
    # A short or long line misses or adds fields, and is refused by the row's model.
    return [
        {**dict(zip(header, line, strict=False)), **({"extra": ""} if len(line) > len(header) else {})}
        for line in lines[1:]
    ]
