"""An obviously synthetic encounter file: the example in the API description, and what tests vary."""

from copy import deepcopy
from typing import Any

FACILITY = "1900000005"
PROVIDER = "1700000411"

COMPLETE: dict[str, Any] = {
    "format": "revcycle.encounter-file.v1",
    "encounter_number": "T-0001",
    "facility_npi": FACILITY,
    "date_of_service": "2026-08-15",
    "place_of_service": "11",
    "patient": {
        "medical_record_number": "MRN-T-1",
        "last_name": "Testperson",
        "first_name": "Una",
        "middle_name": None,
        "birth_date": "1975-08-12",
        "sex": "F",
        "phone": None,
        "address": {
            "line1": "1 Example Street",
            "line2": None,
            "city": "Sampleton",
            "state": "OR",
            "postal_code": "97301",
        },
    },
    "coverages": [
        {
            "rank": 1,
            "payer_id": "REVPAY1",
            "member_id": "TEST000001",
            "group_number": None,
            "relationship": "self",
            "effective_from": "2026-01-01",
            "effective_to": None,
        }
    ],
    "rendering_provider": {"npi": PROVIDER, "last_name": "Fixture", "first_name": "Ada", "taxonomy": "207Q00000X"},
    "primary_care_provider_npi": PROVIDER,
    "document": {
        "type": "visit note",
        "author_npi": PROVIDER,
        "signed_at": "2026-08-15T12:26:00-05:00",
        "source": "typed",
        "text": "Synthetic note.",
    },
    "diagnoses": ["I10"],
    "services": [{"code": "G0463", "modifiers": [], "units": 1, "diagnosis_pointers": [1]}],
}


def encounter_file(number: str = "T-0001", mrn: str = "MRN-T-1", **changes: Any) -> dict[str, Any]:
    """A complete file with some fields replaced; ``a__b`` goes one level down, ``...`` removes the field."""
    file = deepcopy(COMPLETE)
    file["encounter_number"] = number
    file["patient"]["medical_record_number"] = mrn
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = file
        for parent in parents:
            part = part[parent]
        if value is ...:
            del part[name]
        else:
            part[name] = value
    return file
