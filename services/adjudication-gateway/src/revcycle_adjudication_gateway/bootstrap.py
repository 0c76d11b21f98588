"""The only place where the gateway is wired together."""

from collections.abc import Callable
from uuid import UUID

from revcycle_messaging import Cause
from revcycle_service_kit import Background, ProblemType, ServiceContext, ServiceParts, new_id

from revcycle_adjudication_gateway.api import answers, interchanges, routes, submissions
from revcycle_adjudication_gateway.api.access import ACCESS
from revcycle_adjudication_gateway.api.examples import EXAMPLES
from revcycle_adjudication_gateway.clients.payer_door import PayerDoor
from revcycle_adjudication_gateway.consumers import HANDLERS
from revcycle_adjudication_gateway.jobs.answering import Fetcher, Reader
from revcycle_adjudication_gateway.jobs.sending import ACTOR, Means, Sender
from revcycle_adjudication_gateway.repositories.figures import FIGURES
from revcycle_adjudication_gateway.settings import GatewaySettings

MIB = 1024 * 1024


def service_parts(context: ServiceContext) -> ServiceParts:
    """The gateway: one stream in, two out, and four things that never rest: sending, sweeping, fetching, reading."""
    settings = context.settings
    assert isinstance(settings, GatewaySettings)
    door = PayerDoor(
        settings.ca_file,
        certificate_file=settings.payer_certificate_file,
        key_file=settings.payer_key_file,
        tls_only=settings.require_tls,
        connect_timeout_seconds=settings.payer_connect_timeout_seconds,
        read_timeout_seconds=settings.payer_read_timeout_seconds,
    )
    means = Means(context.database, _cause_maker(context), _reporter(context))
    sender = Sender(
        means,
        door,
        settings.policy,
        delivery_limit_seconds=settings.delivery_limit_seconds,
        lanes_per_route=settings.lanes_per_route,
    )
    fetcher = Fetcher(means, door)
    reader = Reader(means, settings.policy)

    async def close(_: ServiceContext) -> None:
        await sender.close()
        await fetcher.close()
        await door.close()

    return ServiceParts(
        name="adjudication-gateway",
        schema="gateway",
        title="revcycle adjudication-gateway",
        description="Payer connections: claims out, acknowledgments, adjudications and remittances in.",
        migrations="revcycle_adjudication_gateway.migrations",
        routers=(routes.router, submissions.router(settings.policy), interchanges.router, answers.router),
        access=ACCESS,
        handlers=HANDLERS,
        background=(
            Background("send", 0.1, lambda _: sender.turn(), leader=False),
            Background("sweep", 0.5, lambda _: sender.sweep(), leader=False),
            Background("fetch", 0.1, lambda _: fetcher.turn()),
            Background("read", 0.1, lambda _: reader.turn()),
        ),
        body_limits={"/v1/interchanges": 32 * MIB},
        examples=EXAMPLES,
        problems={
            "not_unknown": ProblemType(
                409, "The submission is not unknown (any more): read it again, nothing needs deciding."
            )
        },
        figures=FIGURES,
        close=close,
    )


def _cause_maker(context: ServiceContext) -> Callable[[UUID], Cause]:
    def new_cause(tenant_id: UUID) -> Cause:
        now = context.clock.now()
        return Cause(tenant_id, new_id(now), now, ACTOR)

    return new_cause


def _reporter(context: ServiceContext) -> Callable[[str, Exception], None]:
    def report(what: str, error: Exception) -> None:
        context.log.warning("background work failed", exc_info=error, name=what)

    return report
