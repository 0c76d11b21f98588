"""Sealing: clear fields beside one AES-256-GCM blob per compartment, and a seal over everything.

Value on the wire: a JSON object of the clear fields and, under ``sealed``, ``"<key id>.<base64 of nonce and
ciphertext>"`` per compartment. Header ``ce_seal``: the same form over an empty text, its associated data being topic,
key, all immutable headers and the exact bytes of the value. Nonces are 96 random bits.
"""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar, cast

from cryptography.exceptions import InvalidTag
from pydantic import ValidationError, create_model
from pydantic_core import SchemaValidator, from_json
from pydantic_core.core_schema import CoreConfig, bytes_schema
from revcycle_events import Compartment, Event, contract_of

from revcycle_messaging.cause import Cause
from revcycle_messaging.envelope import (
    SEAL_HEADER,
    DependsOn,
    Envelope,
    associated_data,
    read_headers,
    write_headers,
)
from revcycle_messaging.errors import BadSeal, Permanent
from revcycle_messaging.keys import ENVELOPE, KeyRing

E = TypeVar("E", bound=Event)
NONCE_BYTES: Final = 12
_SEALED_MEMBER: Final = b',"sealed":'
_base64: Final = SchemaValidator(bytes_schema(), CoreConfig(val_json_bytes="base64"))
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An event as it goes on the wire: headers (seal included) and the value's bytes."""

    headers: dict[str, str]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event that was checked and opened as far as the service may.

    Fields of compartments the service may not open are None. ``cause`` is what handlers act on behalf of.
    """

    envelope: Envelope
    event: E
    topic: str
    key: str

    @property
    def cause(self) -> Cause:
        """The event as the cause of what follows: its time, its tenant, its correlation."""
        envelope = self.envelope
        return Cause(
            tenant_id=envelope.tenant_id,
            id=envelope.id,
            now=envelope.time,
            actor=f"event:{envelope.type}",
            correlation_id=envelope.correlation_id,
            traceparent=envelope.traceparent,
        )

    @property
    def reference(self) -> DependsOn:
        """This event as a prerequisite of another."""
        return DependsOn(self.topic, self.key, self.envelope.sequence)


def seal_event(
    event: Event, envelope: Envelope, topic: str, keys: KeyRing, entropy: Entropy = os.urandom
) -> SealedEvent:
    """Seal an event for its topic; MissingKey when the service holds no key for one of its compartments."""
    blobs = []
    headers = write_headers(envelope)
    place = _place(topic, envelope.subject, headers["ce_tenantid"], headers["ce_id"])
    by_compartment = _fields_by_compartment(type(event))
    for compartment, fields in by_compartment.items():
        if compartment is Compartment.CLEAR:
            continue
        name = compartment.value
        key_id, cipher = keys.active(envelope.tenant_id, name)
        nonce = entropy(NONCE_BYTES)
        text = event.__pydantic_serializer__.to_json(event, include=cast(Any, fields))
        blob = nonce + cipher.encrypt(nonce, text, (place + name).encode())
        # Neither a key id nor base64 holds anything that JSON would write otherwise.
        blobs.append(b'"%b":"%b.%b"' % (name.encode(), key_id.encode(), binascii.b2a_base64(blob, newline=False)))
    clear = event.__pydantic_serializer__.to_json(event, include=cast(Any, by_compartment[Compartment.CLEAR]))
    payload = clear if not blobs else b"%b%b{%b}}" % (clear[:-1], _SEALED_MEMBER, b",".join(blobs))
    headers[SEAL_HEADER] = _seal(topic, envelope, headers, payload, keys, entropy)
    return SealedEvent(headers, payload)


def nonce_bytes(contract: type[Event]) -> int:
    """How much chance sealing an event of this contract takes: a nonce per compartment and one for the seal."""
    return NONCE_BYTES * len(_fields_by_compartment(contract))


def check_seal(topic: str, key: str, headers: Mapping[str, str], payload: bytes, keys: KeyRing) -> Envelope:
    """The envelope of a record whose seal holds.

    Raises:
        BadSeal: something was changed, or the record was never ours.
        MissingKey: the ring has no envelope key of that id for the tenant.
    """
    envelope = read_headers(headers)
    if envelope.subject != key:
        raise BadSeal("ce_subject is not the record's key")
    key_id, nonce, tag = _parts(headers.get(SEAL_HEADER, ""))
    cipher = keys.cipher(envelope.tenant_id, ENVELOPE, key_id)
    try:
        cipher.decrypt(nonce, tag, associated_data(topic, key, headers, payload))
    except InvalidTag:
        raise BadSeal("the seal does not hold") from None
    return envelope


def open_event(topic: str, key: str, envelope: Envelope, payload: bytes, keys: KeyRing) -> Received[Any]:
    """Open a checked record as far as the ring allows.

    Raises:
        BadSeal: a compartment does not open, or a granted one is absent.
        Permanent: the content does not fit its contract (the text names fields, never values).
        KeyError: the type is not known to this version (callers ask ``contract_of`` first).
    """
    contract = contract_of(envelope.type)
    if contract is None:
        raise KeyError(envelope.type)
    try:
        event = view_of(contract, keys.granted).__pydantic_validator__.validate_json(
            _opened(topic, envelope, payload, keys) if len(_fields_by_compartment(contract)) > 1 else payload
        )
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_input=False)
        if any(error["type"] == "json_invalid" for error in errors):
            raise BadSeal("the value is no JSON object") from None
        fields = ", ".join(sorted({str(error["loc"][0]) for error in errors if error["loc"]}))
        raise Permanent(f"{envelope.type}: does not fit its contract: {fields}") from None
    return Received(envelope, event, topic, key)


@cache
def view_of(contract: type[Event], granted: frozenset[str]) -> type[Event]:
    """The contract as a service with these grants sees it: fields it may not open are None."""
    hidden: dict[str, Any] = {
        name: (Any, None)
        for name, compartment in contract.compartments.items()
        if compartment is not Compartment.CLEAR and compartment.value not in granted
    }
    return create_model(contract.__name__, __base__=contract, **hidden) if hidden else contract


@cache
def _fields_by_compartment(contract: type[Event]) -> dict[Compartment, set[str]]:
    # A view has lost the marks of hidden fields, but only whole contracts are ever sealed.
    fields: dict[Compartment, set[str]] = {Compartment.CLEAR: set()}
    for name, compartment in contract.compartments.items():
        fields.setdefault(compartment, set()).add(name)
    return fields


def _place(topic: str, key: str, tenant_id: object, event_id: object) -> str:
    """Ties a blob, together with its compartment, to its event: cut out and pasted elsewhere it does not open."""
    return f"{topic}\n{key}\n{tenant_id}\n{event_id}\n"


def _opened(topic: str, envelope: Envelope, payload: bytes, keys: KeyRing) -> bytes:
    """The value with the granted compartments' fields in place of the sealed blobs.

    Put together as text, so that it is parsed and validated in one pass. ``sealed`` is the last member of a value.
    """
    clear, found, sealed = payload.rpartition(_SEALED_MEMBER)
    if not found:
        return payload
    try:
        blobs: dict[str, str] = from_json(sealed[:-1])
    except ValueError:
        raise BadSeal("the value is no JSON object") from None
    parts = [clear]
    place = _place(topic, envelope.subject, envelope.tenant_id, envelope.id)
    for compartment, text in blobs.items():
        if compartment not in keys.granted:
            continue
        key_id, nonce, ciphertext = _parts(text, _quickly)
        cipher = keys.cipher(envelope.tenant_id, compartment, key_id)
        try:
            parts.append(cipher.decrypt(nonce, ciphertext, (place + compartment).encode())[1:-1])
        except InvalidTag:
            raise BadSeal(f"compartment {compartment} does not open") from None
    return b",".join(filter(None, parts)) + b"}"


def _strictly(blob: str) -> bytes:
    """One spelling per seal: nothing else looks at the header that carries it."""
    return binascii.a2b_base64(blob, strict_mode=True)


def _quickly(blob: str) -> bytes:
    """A third of the time; other spellings of base64 pass, which the seal over the value has ruled out before."""
    raw: bytes = _base64.validate_json(f'"{blob}"')
    return raw


def _seal(
    topic: str, envelope: Envelope, headers: Mapping[str, str], payload: bytes, keys: KeyRing, entropy: Entropy
) -> str:
    key_id, cipher = keys.active(envelope.tenant_id, ENVELOPE)
    nonce = entropy(NONCE_BYTES)
    tag = cipher.encrypt(nonce, b"", associated_data(topic, envelope.subject, headers, payload))
    return f"{key_id}.{base64.b64encode(nonce + tag).decode()}"


def _parts(text: str, decode: Callable[[str], bytes] = _strictly) -> tuple[str, bytes, bytes]:
    key_id, _, blob = text.partition(".")
    try:
        raw = decode(blob)
    except ValueError:
        raise BadSeal("a seal is not base64") from None
    if len(raw) < NONCE_BYTES + 16:
        raise BadSeal("a seal is missing or too short")
    return key_id, raw[:NONCE_BYTES], raw[NONCE_BYTES:]
