"""Change one encounter: a new document version, an addendum, a cancellation."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from revcycle_messaging import Cause, UnitOfWork

from revcycle_registration.domain.case_load import CaseLoad
from revcycle_registration.domain.encounter import DocumentVersion, Encounter, same_document
from revcycle_registration.domain.encounter_file import DOCUMENT_BYTES_MAX, DocumentPart
from revcycle_registration.domain.intake import new_document
from revcycle_registration.repositories import case_loads, documents
from revcycle_registration.repositories.documents import StoredDocument

ADDENDUM_HEADING = "\n\nADDENDUM\n"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a change may not be made."""

    rule: Literal["cancelled", "not_newest", "not_signed", "too_long"]


async def _load(uow: UnitOfWork, cause: Cause, encounter_id: UUID) -> tuple[CaseLoad, Encounter | None]:
    load = await case_loads.load_encounter(uow, cause, encounter_id)
    return load, load.encounters.get(encounter_id)


async def add_document(
    uow: UnitOfWork, cause: Cause, encounter_id: UUID, part: DocumentPart
) -> tuple[DocumentVersion, bool] | Refused | None:
    """Add a version of the encounter's document: the version, and whether it is new. ``part`` has type, source, text.

    None: no such encounter. The same document again is the version that is already there.
    """
    load, encounter = await _load(uow, cause, encounter_id)
    if encounter is None:
        return None
    if encounter.state == "cancelled":
        return Refused("cancelled")
    assert part.type and part.source and part.text, "checked at the edge"
    known = encounter.document
    new = new_document(load, encounter_id, known.version + 1 if known else 1, part.type, part.source, part.text, part)
    if known is not None and same_document(known, new.document):
        return known, False
    load.add_document(new)
    load.change_encounter(replace(encounter, document=new.document), ("document",))
    await case_loads.store(uow, cause, load)
    return new.document, True


async def add_addendum(
    uow: UnitOfWork, cause: Cause, base: StoredDocument, author_npi: str, signed_at: datetime, text: str
) -> DocumentVersion | Refused:
    """Add a signed addendum: a new version that holds the text so far, a heading and the addendum."""
    load, encounter = await _load(uow, cause, base.encounter_id)
    assert encounter is not None and encounter.document is not None, "a stored document has its encounter"
    if encounter.state == "cancelled":
        return Refused("cancelled")
    if encounter.document.id != base.document.id:
        return Refused("not_newest")
    if base.document.signed_at is None:
        return Refused("not_signed")
    whole = base.text + ADDENDUM_HEADING + text
    if len(whole.encode()) > DOCUMENT_BYTES_MAX:
        return Refused("too_long")
    signature = DocumentPart(author_npi=author_npi, signed_at=signed_at)
    new = new_document(
        load,
        encounter.id,
        base.document.version + 1,
        base.document.type,
        base.document.source,
        whole,
        signature,
    )
    offset = len(base.text) + len(ADDENDUM_HEADING)
    load.add_document(replace(new, addendum_to=base.document.id, addendum_offset=offset))
    load.change_encounter(replace(encounter, document=new.document), ("document",))
    await case_loads.store(uow, cause, load)
    return new.document


async def read_document(uow: UnitOfWork, document_id: UUID) -> tuple[StoredDocument, list[StoredDocument]] | None:
    """A document version with its addenda, or None."""
    stored = await documents.get(uow, document_id)
    return (stored, await documents.addenda(uow, document_id)) if stored else None


async def cancel_encounter(uow: UnitOfWork, cause: Cause, encounter_id: UUID, reason: str) -> Encounter | None:
    """Cancel an encounter; again is the same. None: no such encounter."""
    load, encounter = await _load(uow, cause, encounter_id)
    if encounter is None or encounter.state == "cancelled":
        return encounter
    cancelled = load.cancel_encounter(encounter_id, reason)
    await case_loads.store(uow, cause, load)
    return cancelled
