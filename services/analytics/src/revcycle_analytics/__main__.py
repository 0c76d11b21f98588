"""``python -m revcycle_analytics serve|api|worker|relay|migrate|openapi``."""

from revcycle_service_kit import main

from revcycle_analytics.bootstrap import PARTS

if __name__ == "__main__":
    main(PARTS)
