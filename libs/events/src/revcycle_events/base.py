"""What every contract shares: its identity (type, topic, key) and the compartment of each of its fields."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Compartment(StrEnum):
    """Where a field travels. Everything but ``CLEAR`` is sealed under the tenant's key for that compartment."""

    CLEAR = "clear"
    IDENTITY = "identity"
    CLINICAL = "clinical"
    DOCUMENT = "document"


Clear = Annotated[T, Compartment.CLEAR]
"""Ids, states, counts, money, payer ids, CARC and RARC, processing times."""
Identity = Annotated[T, Compartment.IDENTITY]
"""Names, member and record numbers, addresses, dates of birth."""
Clinical = Annotated[T, Compartment.CLINICAL]
"""Diagnoses, procedures, dates of service."""
Document = Annotated[T, Compartment.DOCUMENT]
"""Note text."""


class Value(BaseModel):
    """A part of an event: immutable; fields it does not know are passed over, so a newer minor version still reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Contract:
    """The identity of a contract: CloudEvents type (ends in its major version), topic and the field that is its key."""

    type: str
    topic: str
    key_field: str


class Event(Value):
    """Base of every contract. Subclasses say ``type``, ``topic`` and ``key`` as class arguments.

    Raises:
        TypeError: at import, for a field without a compartment, or a key that is no clear field.
    """

    contract: ClassVar[Contract]
    compartments: ClassVar[dict[str, Compartment]]

    def __init_subclass__(cls, **_: Any) -> None:
        """Take the class arguments; they are read once pydantic knows the fields."""
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, *, type: str = "", topic: str = "", key: str = "", **_: Any) -> None:
        """Register the contract and check that every field says how it travels."""
        if not type:
            return
        cls.contract = Contract(type, topic, key)
        cls.compartments = {name: compartment_of(cls, name) for name in cls.model_fields}
        if cls.compartments.get(key) is not Compartment.CLEAR:
            raise TypeError(f"{type}: key field {key!r} must be a clear field of the contract")
        if type in REGISTRY:
            raise TypeError(f"{type} is defined twice")
        REGISTRY[type] = cls

    @property
    def key(self) -> str:
        """The Kafka key and the aggregate id: text of the key field."""
        return str(getattr(self, self.contract.key_field))


REGISTRY: dict[str, type[Event]] = {}
"""CloudEvents type to contract class, for every contract of this package."""


def compartment_of(contract: type[BaseModel], field: str) -> Compartment:
    """The compartment a field of a contract travels in; TypeError when it names none or several."""
    found = [mark for mark in contract.model_fields[field].metadata if isinstance(mark, Compartment)]
    if len(found) != 1:
        raise TypeError(f"{contract.__name__}.{field} must be exactly one of Clear, Identity, Clinical, Document")
    return found[0]


def contract_of(event_type: str) -> type[Event] | None:
    """The contract class of a CloudEvents type, or None for a type this version does not know."""
    return REGISTRY.get(event_type)
