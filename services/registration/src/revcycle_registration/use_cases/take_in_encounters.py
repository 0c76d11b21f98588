"""Take in a chunk of encounter files."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date

from revcycle_messaging import Cause, Transient, UnitOfWork

from revcycle_registration.domain.findings import Finding
from revcycle_registration.domain.intake import Outcome, ReadFile, take_in_all
from revcycle_registration.repositories import case_loads, directory

FALLBACK_ZONE = "America/New_York"
"""Zone for the business date of a facility nobody has recorded yet."""

_ATTEMPTS_MAX = 5


async def take_in_encounters(
    uow: UnitOfWork,
    cause: Cause,
    files: Sequence[ReadFile | tuple[Finding, ...]],
    business_date_in: Callable[[str], date],
) -> list[Outcome]:
    """Take files in, in order; the answers stand in the same order. ``business_date_in`` maps a zone to its date.

    Raises:
        Transient: other intakes won the race for new patients or encounters too many times in a row.
    """
    readable = [each.file for each in files if isinstance(each, ReadFile)]
    facilities = {file.facility_npi for file in readable}
    zones = await directory.time_zones(uow, sorted(facilities))
    business_dates = {npi: business_date_in(zones.get(npi, FALLBACK_ZONE)) for npi in facilities}
    patient_keys = sorted({(file.facility_npi, file.patient.medical_record_number) for file in readable})
    encounter_keys = sorted({(file.facility_npi, file.encounter_number) for file in readable})
    for _ in range(_ATTEMPTS_MAX):
        await uow.execute("SAVEPOINT intake")
        load = await case_loads.load_by_keys(uow, cause, patient_keys=patient_keys, encounter_keys=encounter_keys)
        outcomes = await asyncio.to_thread(take_in_all, load, files, business_dates)
        if await case_loads.store(uow, cause, load):
            return outcomes
        # Another intake claimed a new key first: what it stored is known now.
        await uow.execute("ROLLBACK TO SAVEPOINT intake")
    raise Transient("other intakes kept claiming the same new patients or encounters")
