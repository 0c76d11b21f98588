"""Stored decisions: what was decided, from what, by which rule, so that it can be explained and taken again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from revcycle_claims.domain.ids import stable_id


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a claim. ``input_text`` and ``output_text`` are the exact JSON; the hash is over the input."""

    decision_id: UUID
    claim_id: UUID
    kind: str
    rule_id: str
    rule_version: str
    input_hash: str
    input_text: str
    output_text: str
    decided_at: datetime


def sha256_of(value: BaseModel) -> str:
    """SHA-256 of a model's JSON; equal models have equal hashes."""
    return hashlib.sha256(value.model_dump_json().encode()).hexdigest()


def make_decision(
    tenant_id: UUID,
    claim_id: UUID,
    about: tuple[object, ...],
    rule: tuple[str, str, str],
    taken_from: BaseModel,
    output: BaseModel,
    decided_at: datetime,
) -> Decision:
    """Record a decision; ``rule`` is (kind, rule id, rule version). The same input about the same thing is one."""
    kind, rule_id, rule_version = rule
    input_text = taken_from.model_dump_json()
    input_hash = hashlib.sha256(input_text.encode()).hexdigest()
    return Decision(
        decision_id=stable_id(tenant_id, "decision", rule_id, *about, input_hash),
        claim_id=claim_id,
        kind=kind,
        rule_id=rule_id,
        rule_version=rule_version,
        input_hash=input_hash,
        input_text=input_text,
        output_text=output.model_dump_json(),
        decided_at=decided_at,
    )
