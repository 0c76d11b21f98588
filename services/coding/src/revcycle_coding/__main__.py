"""``python -m revcycle_coding serve|api|worker|relay|migrate|openapi``."""

from revcycle_service_kit import main

from revcycle_coding.bootstrap import service_parts
from revcycle_coding.settings import Settings

if __name__ == "__main__":
    main(service_parts, settings_class=Settings)
