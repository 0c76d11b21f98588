"""``python -m revcycle_adjudication_gateway serve|api|worker|relay|migrate|openapi``."""

from revcycle_service_kit import main

from revcycle_adjudication_gateway.bootstrap import service_parts
from revcycle_adjudication_gateway.settings import GatewaySettings

if __name__ == "__main__":
    main(service_parts, settings_class=GatewaySettings)
