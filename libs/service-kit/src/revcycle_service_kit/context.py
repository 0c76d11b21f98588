"""What a service is made of (its parts) and what it is made with (its context)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import APIRouter
from revcycle_events import Event
from revcycle_messaging import Database, Handler, KeyRing, Transport
from revcycle_messaging.tracing import Tracer

from revcycle_service_kit.access import AccessTable
from revcycle_service_kit.auth import TokenVerifier
from revcycle_service_kit.clock import Clock
from revcycle_service_kit.figures import BusinessFigures
from revcycle_service_kit.metrics import Metrics
from revcycle_service_kit.problems import ProblemType
from revcycle_service_kit.settings import ServiceSettings

if TYPE_CHECKING:
    from revcycle_service_kit.issuer_keys import IssuerKeys
    from revcycle_service_kit.jobs import JobKind
    from revcycle_service_kit.timers import TimerHandler

MIB: Final = 1024 * 1024


@dataclass
class ServiceContext:
    """What everything in a service may use. Wired once, at start; tests wire their own."""

    settings: ServiceSettings
    clock: Clock
    database: Database
    transport: Transport
    keyring: KeyRing
    verifier: TokenVerifier
    log: structlog.stdlib.BoundLogger
    metrics: Metrics
    tracer: Tracer | None = None
    issuer_keys: "IssuerKeys | None" = None


@dataclass(frozen=True)
class Background:
    """Work done again and again: ``run`` is called every ``every_seconds``, counted from the end of the last call.

    ``leader``: by one instance at a time, whoever holds the advisory lock of that name.
    """

    name: str
    every_seconds: float
    run: Callable[[ServiceContext], Awaitable[None]]
    leader: bool = True


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """Everything that makes one service different from the others.

    Attributes:
        access: who may call which operation; every route needs its row.
        name: of the service, its consumer group and the source of its events.
        schema: its PostgreSQL schema.
        migrations: package with a ``versions`` folder, for example ``revcycle_claims.migrations``.
        lock_chunk: called with everything of a chunk that has handlers, before the first of them: takes the locks
            that several handlers share in one order, so that two members never meet crosswise.
        body_limits: exact path to bytes, where the limit of 1 MiB does not fit.
        log_keys: keys its log lines may carry beside the kit's.
        problems: its own problem codes, with their status, what each means and what to do.
        examples: what its fields look like in the API documentation, by ``Model.field`` or by ``field``; for fields
            that have no example of their own.
        figures: what it shows of its business under /metrics.
        close: called at the end, for clients of the outside world.
    """

    name: str
    schema: str
    title: str
    migrations: str
    description: str = ""
    routers: Sequence[APIRouter] = ()
    access: AccessTable = field(default_factory=dict)
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    lock_chunk: Handler | None = None
    job_kinds: "Mapping[str, JobKind[Any, Any]]" = field(default_factory=dict)
    timers: "Mapping[str, TimerHandler]" = field(default_factory=dict)
    background: Sequence[Background] = ()
    body_limits: Mapping[str, int] = field(default_factory=dict)
    log_keys: Sequence[str] = ()
    problems: Mapping[str, ProblemType] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    figures: BusinessFigures | None = None
    close: Callable[[ServiceContext], Awaitable[None]] | None = None


PartsBuilder = ServiceParts | Callable[[ServiceContext], ServiceParts]


def build_parts(parts: PartsBuilder, context: ServiceContext) -> ServiceParts:
    """The parts, made with the context when they need one."""
    return parts if isinstance(parts, ServiceParts) else parts(context)
