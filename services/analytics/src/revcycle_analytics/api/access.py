"""Who may do what: everybody may read KPIs, which are sums over nobody in particular."""

from typing import Final

from revcycle_service_kit.access import AccessTable, allow

_READERS: Final = ("biller", "coder", "operator", "auditor", "integration")

ACCESS: Final[AccessTable] = {"list_kpis": allow(*_READERS), "get_kpi": allow(*_READERS)}
