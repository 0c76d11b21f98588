"""Who may do what: integration systems write, everybody who works on claims reads; notes are read by fewer."""

from typing import Final

from revcycle_service_kit.access import AccessTable, allow

_READERS: Final = ("integration", "coder", "biller", "operator", "auditor")
_NOTE_READERS: Final = ("integration", "coder", "auditor")
_DIRECTORY_KEEPERS: Final = ("integration", "operator")

ACCESS: Final[AccessTable] = {
    "take_in_encounter_files": allow("integration", data="encounter", bulk=True),
    "list_refusals": allow(*_READERS, data="encounter"),
    "list_encounters": allow(*_READERS, data="encounter"),
    "search_encounters": allow(*_READERS, data="encounter"),
    "get_encounter": allow(*_READERS, data="encounter"),
    "get_readiness": allow(*_READERS, data="encounter"),
    "cancel_encounter": allow("integration", data="encounter"),
    "add_document": allow("integration", data="document"),
    "get_document": allow(*_NOTE_READERS, data="document"),
    "add_addendum": allow("integration", data="document"),
    "register_patient": allow("integration", data="patient"),
    "list_patients": allow(*_READERS, data="patient"),
    "search_patients": allow(*_READERS, data="patient"),
    "get_patient": allow(*_READERS, data="patient"),
    "patch_patient": allow("integration", data="patient"),
    "record_coverage": allow("integration", data="coverage"),
    "list_coverages": allow(*_READERS, data="coverage"),
    "put_facility": allow(*_DIRECTORY_KEEPERS),
    "list_facilities": allow(*_READERS),
    "get_facility": allow(*_READERS),
    "put_payer": allow(*_DIRECTORY_KEEPERS),
    "list_payers": allow(*_READERS),
    "get_payer": allow(*_READERS),
}
