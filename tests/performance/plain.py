"""What the floors are made of: the msgspec twin of a contract, without checks of its own."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from pydantic import BaseModel
from revcycle_events import ClaimSubmitted


def struct_of(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The same fields and types."""
    return msgspec.defstruct(
        model.__name__, [(name, _plain_type(field.annotation)) for name, field in model.model_fields.items()]
    )


def _plain_type(annotation: Any) -> Any:
    arguments = get_args(annotation)
    if arguments:
        plain = tuple(_plain_type(argument) for argument in arguments)
        return plain[0] | None if type(None) in arguments else list[plain[0]]  # type: ignore[valid-type]  # made here
    return struct_of(annotation) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else annotation


def claim_decoder() -> Callable[[bytes], Any]:
    """From the clear JSON of a claim to its struct."""
    return msgspec.json.Decoder(struct_of(ClaimSubmitted)).decode
