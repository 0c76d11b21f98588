"""Moves events without losing, doubling or reordering one.

Write: ``async with database.unit_of_work(tenant_id) as uow: ...; uow.add_event(event, cause)``. A :class:`Relay`
carries the outbox to the broker, a :class:`Consumer` applies what arrives. Errors are drawn in
:mod:`revcycle_messaging.errors`.
"""

from revcycle_messaging.cause import Cause
from revcycle_messaging.consumer import Consumer, ConsumerSettings, Handler
from revcycle_messaging.database import Database, UnitOfWork
from revcycle_messaging.envelope import DependsOn, Envelope
from revcycle_messaging.errors import (
    BadSeal,
    ConsumerStopped,
    DatabaseBehind,
    DatabaseRefused,
    MessagingError,
    MissingKey,
    OutboxFull,
    Permanent,
    Retryable,
    TookTooLong,
    Transient,
)
from revcycle_messaging.keys import KeyRing
from revcycle_messaging.relay import Relay, RelaySettings
from revcycle_messaging.sealing import Received
from revcycle_messaging.transports import Transport

__all__ = [
    "BadSeal",
    "Cause",
    "Consumer",
    "ConsumerSettings",
    "ConsumerStopped",
    "Database",
    "DatabaseBehind",
    "DatabaseRefused",
    "DependsOn",
    "Envelope",
    "Handler",
    "KeyRing",
    "MessagingError",
    "MissingKey",
    "OutboxFull",
    "Permanent",
    "Received",
    "Relay",
    "RelaySettings",
    "Retryable",
    "TookTooLong",
    "Transient",
    "Transport",
    "UnitOfWork",
]
