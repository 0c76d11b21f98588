"""Topic ``revcycle.directory.v1``, key ``party_id`` (NPI or payer id), produced by registration."""

from revcycle_events.base import Clear, Event
from revcycle_events.patients_v1 import Address

TOPIC = "revcycle.directory.v1"


class FacilityRecorded(Event, type="revcycle.registration.FacilityRecorded.v1", topic=TOPIC, key="party_id"):
    """A facility of the tenant, as it bills. ``time_zone`` is an IANA name; carries the whole state."""

    party_id: Clear[str]
    npi: Clear[str]
    name: Clear[str]
    tax_id: Clear[str]
    taxonomy: Clear[str | None] = None
    address: Clear[Address]
    time_zone: Clear[str]


class PayerRecorded(Event, type="revcycle.registration.PayerRecorded.v1", topic=TOPIC, key="party_id"):
    """A payer the tenant bills. ``filing_limit_days`` counts from the date of service; carries the whole state."""

    party_id: Clear[str]
    payer_id: Clear[str]
    name: Clear[str]
    filing_limit_days: Clear[int]
