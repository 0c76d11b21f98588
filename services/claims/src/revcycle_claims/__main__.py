"""``python -m revcycle_claims serve|api|worker|relay|migrate|openapi``."""

from revcycle_service_kit.program import main

from revcycle_claims.bootstrap import build
from revcycle_claims.settings import Settings

if __name__ == "__main__":
    main(build, settings_class=Settings)
