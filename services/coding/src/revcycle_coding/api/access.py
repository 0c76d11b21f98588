"""Who may do what: coders code, operators and auditors look on, anybody may have codes checked."""

from typing import Final

from revcycle_service_kit.access import AccessTable, allow

_READERS: Final = ("coder", "operator", "auditor")
_CHECKERS: Final = (*_READERS, "biller", "integration")

ACCESS: Final[AccessTable] = {
    "list_tasks": allow(*_READERS, data="coding"),
    "search_tasks": allow(*_READERS, data="coding"),
    "claim_next_task": allow("coder", data="coding"),
    "get_coding": allow(*_READERS, data="coding"),
    "put_coding": allow("coder", data="coding"),
    "finalise_coding": allow("coder", data="coding"),
    "decide_not_billable": allow("coder", data="coding"),
    "reopen_coding": allow("coder", data="coding"),
    "check_codes": allow(*_CHECKERS),
    "list_releases": allow(*_CHECKERS),
}
