"""Who may do what: operators set up routes; billers decide, ask and drop files; auditors look on."""

from typing import Final

from revcycle_service_kit.access import AccessTable, allow

_READERS: Final = ("biller", "operator", "auditor")
_WORKERS: Final = ("biller", "operator")

ACCESS: Final[AccessTable] = {
    "put_route": allow("operator"),
    "list_routes": allow(*_READERS),
    "get_route": allow(*_READERS),
    "drain_route": allow("operator"),
    "list_submissions": allow(*_READERS, data="submission"),
    "get_submission": allow(*_READERS, data="submission"),
    "resolve": allow(*_WORKERS, data="submission"),
    "ask": allow(*_WORKERS, data="submission"),
    "list_inquiries": allow(*_READERS, data="submission"),
    "list_interchanges": allow(*_READERS, data="interchange"),
    "get_interchange": allow(*_READERS, data="interchange"),
    "get_raw": allow(*_READERS, data="interchange"),
    "drop_interchange": allow(*_WORKERS, data="interchange", bulk=True),
    "list_acknowledgments": allow(*_READERS, data="acknowledgment"),
    "list_exceptions": allow(*_READERS, data="acknowledgment"),
    "list_remittances": allow(*_READERS, data="remittance"),
    "get_remittance": allow(*_READERS, data="remittance"),
}
