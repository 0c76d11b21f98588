"""The only place where registration is wired together."""

from revcycle_service_kit import MIB, ServiceParts

from revcycle_registration.api import directory, encounters, intake, patients, refusals
from revcycle_registration.api.access import ACCESS
from revcycle_registration.api.examples import EXAMPLES
from revcycle_registration.repositories.figures import FIGURES

# Registration reads no stream and does nothing outside: it answers requests and tells what became known.
PARTS = ServiceParts(
    name="registration",
    schema="registration",
    title="revcycle registration",
    description="Patients, coverage, encounters and their documentation.",
    migrations="revcycle_registration.migrations",
    routers=(intake.router, refusals.router, encounters.router, patients.router, directory.router),
    access=ACCESS,
    # 500 encounter files, most of them far below the 1 MiB a note may have; a document with its JSON escapes.
    body_limits={"/v1/intake": 64 * MIB},
    examples=EXAMPLES,
    figures=FIGURES,
)
