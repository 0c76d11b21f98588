"""Which event goes to which use case."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from revcycle_events import (
    ClaimAcknowledged,
    ClaimAdjudicated,
    ClaimDenied,
    ClaimPended,
    ClaimRejected,
    ClaimTransmitted,
    CoverageCorrected,
    CoverageRecorded,
    CoverageTerminated,
    DocumentationAmended,
    EncounterCancelled,
    EncounterCoded,
    EncounterDocumented,
    EncounterNotBillable,
    EncounterOpened,
    EncounterRecoded,
    Event,
    FacilityRecorded,
    PatientRegistered,
    PatientUpdated,
    PayerRecorded,
    RemittanceReceived,
    TransmissionUnknown,
)
from revcycle_messaging import Received, UnitOfWork

from revcycle_claims.use_cases.advance_claims import Rulebook
from revcycle_claims.use_cases.post_remittances import post_remittances
from revcycle_claims.use_cases.record_adjudications import record_adjudications
from revcycle_claims.use_cases.record_facts import (
    record_codings,
    record_encounters,
    record_facilities,
    record_patients,
    record_payers,
)

ClaimsHandler = Callable[[UnitOfWork, Sequence[Received[Any]]], Awaitable[None]]


def handlers(rulebook: Rulebook) -> Mapping[type[Event], ClaimsHandler]:
    """Every contract this service consumes, with its handler."""
    by_handler: dict[ClaimsHandler, tuple[type[Event], ...]] = {
        partial(record_patients, rulebook): (
            PatientRegistered,
            PatientUpdated,
            CoverageRecorded,
            CoverageCorrected,
            CoverageTerminated,
        ),
        partial(record_encounters, rulebook): (
            EncounterOpened,
            EncounterDocumented,
            DocumentationAmended,
            EncounterCancelled,
        ),
        partial(record_codings, rulebook): (EncounterCoded, EncounterRecoded, EncounterNotBillable),
        record_facilities: (FacilityRecorded,),
        record_payers: (PayerRecorded,),
        record_adjudications: (
            ClaimTransmitted,
            TransmissionUnknown,
            ClaimAcknowledged,
            ClaimRejected,
            ClaimPended,
            ClaimAdjudicated,
            ClaimDenied,
        ),
        post_remittances: (RemittanceReceived,),
    }
    return {contract: handler for handler, contracts in by_handler.items() for contract in contracts}
