"""Record facilities and payers of the tenant; what does not change is not told again."""

from revcycle_events import Address, FacilityRecorded, PayerRecorded
from revcycle_messaging import Cause, UnitOfWork

from revcycle_registration.repositories import directory
from revcycle_registration.repositories.directory import Facility, Payer, Stored


async def record_facility(uow: UnitOfWork, cause: Cause, facility: Facility) -> Stored:
    """Record a facility as it bills."""
    stored = await directory.store_facility(uow, facility)
    if stored.changed:
        uow.add_event(
            FacilityRecorded(
                party_id=facility.npi,
                npi=facility.npi,
                name=facility.name,
                tax_id=facility.tax_id,
                taxonomy=facility.taxonomy,
                address=Address(
                    line1=facility.line1,
                    line2=facility.line2,
                    city=facility.city,
                    state=facility.state,
                    postal_code=facility.postal_code,
                ),
                time_zone=facility.time_zone,
            ),
            cause,
        )
    return stored


async def record_payer(uow: UnitOfWork, cause: Cause, payer: Payer) -> Stored:
    """Record a payer and its filing limit."""
    stored = await directory.store_payer(uow, payer)
    if stored.changed:
        uow.add_event(
            PayerRecorded(
                party_id=payer.payer_id,
                payer_id=payer.payer_id,
                name=payer.name,
                filing_limit_days=payer.filing_limit_days,
            ),
            cause,
        )
    return stored
