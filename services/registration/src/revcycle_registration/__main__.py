"""``python -m revcycle_registration serve|api|worker|relay|migrate|openapi``."""

from revcycle_service_kit import main

from revcycle_registration.bootstrap import PARTS

if __name__ == "__main__":
    main(PARTS)
