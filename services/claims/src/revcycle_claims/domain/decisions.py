"""Stored decisions: what was decided, from what, by which rule, so that it can be explained and taken again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


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
    decision_id: UUID,
    claim_id: UUID,
    rule: tuple[str, str, str],
    taken_from: BaseModel,
    output: BaseModel,
    decided_at: datetime,
) -> Decision:
    """Record a decision; ``rule`` is (kind, rule id, rule version)."""
    kind, rule_id, rule_version = rule
    input_text = taken_from.model_dump_json()
    input_hash = hashlib.sha256(input_text.encode()).hexdigest()
    return Decision(
        decision_id,
        claim_id,
        kind,
        rule_id,
        rule_version,
        input_hash,
        input_text,
        output.model_dump_json(),
        decided_at,
    )
