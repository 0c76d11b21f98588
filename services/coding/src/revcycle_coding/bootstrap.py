"""The only place where coding is wired together."""

from revcycle_service_kit import ProblemType, ServiceContext, ServiceParts

from revcycle_coding.api import code_sets as code_sets_api
from revcycle_coding.api import codings, tasks
from revcycle_coding.api.access import ACCESS
from revcycle_coding.api.examples import EXAMPLES
from revcycle_coding.consumers import encounters
from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.repositories.figures import FIGURES
from revcycle_coding.settings import Settings

PROBLEMS = {
    codings.HAS_ERRORS: ProblemType(
        409,
        "The coding has errors, each named in `errors` with what would be right. Correct it with "
        "`PUT /v1/codings/{encounter}/{side}`, then finalise.",
    ),
}


def service_parts(context: ServiceContext) -> ServiceParts:
    """Coding follows the encounters' stream and answers its coders; the rulebook is opened once per process."""
    settings = context.settings
    own = settings if isinstance(settings, Settings) else None
    rulebook = Rulebook.open(own.code_sets_cache_dir if own else None, own.code_releases_dir if own else None)
    return ServiceParts(
        name="coding",
        schema="coding",
        title="revcycle coding",
        description="Code checks, the coder's worklist, finalised codings.",
        migrations="revcycle_coding.migrations",
        routers=(tasks.router, codings.router(rulebook), code_sets_api.router(rulebook)),
        access=ACCESS,
        handlers=encounters.handlers(rulebook),
        problems=PROBLEMS,
        examples=EXAMPLES,
        figures=FIGURES,
    )
