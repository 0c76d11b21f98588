"""``revcycle.encounters.v1``: what is documented is coded, what is amended is coded again."""

from collections.abc import Mapping, Sequence
from typing import Any

from revcycle_events import DocumentationAmended, EncounterCancelled, EncounterDocumented, Event
from revcycle_messaging import Handler, Received, UnitOfWork

from revcycle_coding.domain.rulebook import Rulebook
from revcycle_coding.use_cases.follow_encounters import follow_encounters


def handlers(rulebook: Rulebook) -> Mapping[type[Event], Handler]:
    """One handler for every type coding acts on, so that a chunk is stored in one go."""

    async def on_encounters(uow: UnitOfWork, received: Sequence[Received[Any]]) -> None:
        await follow_encounters(uow, received, rulebook)

    return {contract: on_encounters for contract in (EncounterDocumented, DocumentationAmended, EncounterCancelled)}
