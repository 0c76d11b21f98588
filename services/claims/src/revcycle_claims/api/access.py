"""Who may do what: billers work on claims, integration systems bring prices and deposits, others look on."""

from typing import Final

from revcycle_service_kit.access import AccessTable, allow

_READERS: Final = ("biller", "operator", "auditor", "integration")
_IMPORTERS: Final = ("biller", "integration")

ACCESS: Final[AccessTable] = {
    "list_claims": allow(*_READERS, data="claim"),
    "search_claims": allow(*_READERS, data="claim"),
    "get_claim": allow(*_READERS, data="claim"),
    "get_timeline": allow(*_READERS, data="claim"),
    "get_explanation": allow(*_READERS, data="claim"),
    "post_hold": allow("biller", data="claim"),
    "post_release": allow("biller", data="claim"),
    "post_submission": allow("biller", data="claim"),
    "list_tasks": allow(*_READERS, data="task"),
    "get_task": allow(*_READERS, data="task"),
    "patch_task": allow("biller", data="task"),
    "post_fee_schedule": allow(*_IMPORTERS, bulk=True),
    "list_fee_schedules": allow(*_READERS),
    "get_fee_schedule": allow(*_READERS),
    "post_deposits": allow(*_IMPORTERS, bulk=True),
    "list_deposits": allow(*_READERS),
    "list_remittances": allow(*_READERS, data="remittance"),
    "get_remittance": allow(*_READERS, data="remittance"),
    "list_unapplied": allow(*_READERS, data="remittance"),
    "get_ledger_hash": allow("operator", "auditor"),
    "get_rollforward": allow("biller", "operator", "auditor"),
}
