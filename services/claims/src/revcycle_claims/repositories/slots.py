"""Slots of patients, coverages, encounters and codings; the first and third are the anchors that handlers lock."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from revcycle_events import Value
from revcycle_messaging import UnitOfWork

from revcycle_claims.domain.slots import CodingSlot, CoverageSlot, EncounterSlot, PatientSlot

Side = tuple[UUID, str]


async def patients_of(uow: UnitOfWork, encounter_ids: Iterable[UUID]) -> set[UUID]:
    """The patients of encounters, as far as known; takes no lock."""
    rows = await uow.fetch(
        "SELECT DISTINCT patient_id FROM claims.encounter WHERE encounter_id = ANY($1) AND patient_id IS NOT NULL",
        list(encounter_ids),
    )
    return {row["patient_id"] for row in rows}


async def encounters_in_preparation(uow: UnitOfWork, patient_ids: Iterable[UUID]) -> set[UUID]:
    """The encounters of patients whose claims may still change."""
    rows = await uow.fetch(
        """
        SELECT e.encounter_id FROM claims.encounter AS e JOIN claims.claim AS c USING (tenant_id, encounter_id)
        WHERE e.patient_id = ANY($1) AND c.state IN ('waiting', 'held')
        """,
        list(patient_ids),
    )
    return {row["encounter_id"] for row in rows}


async def lock_patients(uow: UnitOfWork, patient_ids: Iterable[UUID]) -> dict[UUID, PatientSlot]:
    """Insert absent anchors and lock all of them, in the order of their ids."""
    wanted = sorted(patient_ids)
    await uow.execute(
        """
        INSERT INTO claims.patient (patient_id) SELECT id FROM unnest($1::uuid[]) AS w (id) ORDER BY id
        ON CONFLICT DO NOTHING
        """,
        wanted,
    )
    rows = await uow.fetch(
        """
        SELECT patient_id, facts::text AS facts FROM claims.patient WHERE patient_id = ANY($1)
        ORDER BY patient_id FOR UPDATE
        """,
        wanted,
    )
    return {
        row["patient_id"]: PatientSlot.model_validate_json(row["facts"])
        if row["facts"]
        else PatientSlot(patient_id=row["patient_id"])
        for row in rows
    }


async def lock_encounters(uow: UnitOfWork, encounter_ids: Iterable[UUID]) -> dict[UUID, EncounterSlot]:
    """Insert absent anchors and lock all of them, in the order of their ids. Patients are locked before."""
    wanted = sorted(encounter_ids)
    await uow.execute(
        """
        INSERT INTO claims.encounter (encounter_id) SELECT id FROM unnest($1::uuid[]) AS w (id) ORDER BY id
        ON CONFLICT DO NOTHING
        """,
        wanted,
    )
    rows = await uow.fetch(
        """
        SELECT encounter_id, facts::text AS facts FROM claims.encounter WHERE encounter_id = ANY($1)
        ORDER BY encounter_id FOR UPDATE
        """,
        wanted,
    )
    return {
        row["encounter_id"]: EncounterSlot.model_validate_json(row["facts"])
        if row["facts"]
        else EncounterSlot(encounter_id=row["encounter_id"])
        for row in rows
    }


async def read_patient(uow: UnitOfWork, patient_id: UUID) -> PatientSlot | None:
    """One patient, without a lock; None while only the anchor exists."""
    facts = await uow.fetch_value("SELECT facts::text FROM claims.patient WHERE patient_id = $1", patient_id)
    return PatientSlot.model_validate_json(facts) if facts else None


async def read_encounter(uow: UnitOfWork, encounter_id: UUID) -> EncounterSlot | None:
    """One encounter, without a lock; None while only the anchor exists."""
    facts = await uow.fetch_value("SELECT facts::text FROM claims.encounter WHERE encounter_id = $1", encounter_id)
    return EncounterSlot.model_validate_json(facts) if facts else None


async def coverages_of(uow: UnitOfWork, patient_ids: Iterable[UUID]) -> dict[UUID, dict[UUID, CoverageSlot]]:
    """The coverages of patients, by patient and coverage id."""
    rows = await uow.fetch(
        "SELECT facts::text AS facts FROM claims.coverage WHERE patient_id = ANY($1)", list(patient_ids)
    )
    slots = [CoverageSlot.model_validate_json(row["facts"]) for row in rows]
    found: dict[UUID, dict[UUID, CoverageSlot]] = {}
    for slot in slots:
        found.setdefault(slot.patient_id, {})[slot.coverage_id] = slot
    return found


async def codings_of(uow: UnitOfWork, encounter_ids: Iterable[UUID]) -> dict[Side, CodingSlot]:
    """The codings of encounters, by encounter and billing side."""
    rows = await uow.fetch(
        "SELECT facts::text AS facts FROM claims.coding WHERE encounter_id = ANY($1)", list(encounter_ids)
    )
    slots = [CodingSlot.model_validate_json(row["facts"]) for row in rows]
    return {(slot.encounter_id, slot.billing_side): slot for slot in slots}


async def write_patients(uow: UnitOfWork, slots: Sequence[PatientSlot]) -> None:
    """Store locked patients."""
    await uow.execute(
        """
        UPDATE claims.patient AS p SET facts = w.facts::jsonb
        FROM unnest($1::uuid[], $2::text[]) AS w (id, facts) WHERE p.patient_id = w.id
        """,
        [slot.patient_id for slot in slots],
        _texts(slots),
    )


async def write_coverages(uow: UnitOfWork, slots: Sequence[CoverageSlot]) -> None:
    """Store coverages of locked patients."""
    await uow.execute(
        """
        INSERT INTO claims.coverage (coverage_id, patient_id, facts)
        SELECT id, patient_id, facts::jsonb FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (id, patient_id, facts)
        ON CONFLICT (tenant_id, coverage_id) DO UPDATE SET patient_id = excluded.patient_id, facts = excluded.facts
        """,
        [slot.coverage_id for slot in slots],
        [slot.patient_id for slot in slots],
        _texts(slots),
    )


async def write_encounters(uow: UnitOfWork, slots: Sequence[EncounterSlot]) -> None:
    """Store locked encounters."""
    await uow.execute(
        """
        UPDATE claims.encounter AS e SET patient_id = w.patient_id, facts = w.facts::jsonb
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (id, patient_id, facts) WHERE e.encounter_id = w.id
        """,
        [slot.encounter_id for slot in slots],
        [slot.patient_id for slot in slots],
        _texts(slots),
    )


async def write_codings(uow: UnitOfWork, slots: Sequence[CodingSlot]) -> None:
    """Store codings of locked encounters."""
    await uow.execute(
        """
        INSERT INTO claims.coding (encounter_id, billing_side, facts)
        SELECT id, side, facts::jsonb FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (id, side, facts)
        ON CONFLICT (tenant_id, encounter_id, billing_side) DO UPDATE SET facts = excluded.facts
        """,
        [slot.encounter_id for slot in slots],
        [slot.billing_side for slot in slots],
        _texts(slots),
    )


def _texts(slots: Sequence[Value]) -> list[str]:
    return [slot.model_dump_json() for slot in slots]
