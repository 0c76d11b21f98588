"""The only place where coding is wired together."""

from revcycle_codes import CodeSets
from revcycle_service_kit import ProblemType, ServiceContext, ServiceParts

from revcycle_coding.api import code_sets as code_sets_api
from revcycle_coding.api import codings, tasks
from revcycle_coding.api.access import ACCESS
from revcycle_coding.api.examples import EXAMPLES
from revcycle_coding.consumers import encounters
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
    """Coding follows the encounters' stream and answers its coders; the code sets are opened once per process."""
    settings = context.settings
    own = settings if isinstance(settings, Settings) else None
    opened = CodeSets.open(
        own.code_sets_cache_dir if own else None,
        release_dirs=[own.code_releases_dir] if own and own.code_releases_dir else [],
    )
    return ServiceParts(
        name="coding",
        schema="coding",
        title="revcycle coding",
        description="Code checks, the coder's worklist, finalised codings.",
        migrations="revcycle_coding.migrations",
        routers=(tasks.router, codings.router(opened), code_sets_api.router(opened)),
        access=ACCESS,
        handlers=encounters.handlers(opened),
        problems=PROBLEMS,
        examples=EXAMPLES,
        figures=FIGURES,
    )
