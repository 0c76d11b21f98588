"""Ids and control numbers that follow from what they name, whatever order events arrive in."""

import base64
import hashlib
from uuid import UUID

PATIENT_CONTROL_NUMBER_LENGTH = 16
"""Payers cut CLM01 after 17 characters or more; 16 characters of base32 are 80 bits."""


def _digest(tenant_id: UUID, *parts: object) -> bytes:
    text = "\x1f".join([str(tenant_id), *(str(part) for part in parts)])
    return hashlib.sha256(text.encode()).digest()


def stable_id(tenant_id: UUID, *parts: object) -> UUID:
    """A UUID (version 8) that is a function of the tenant and the parts, for things whose identity is natural."""
    digest = bytearray(_digest(tenant_id, *parts)[:16])
    digest[6] = 0x80 | (digest[6] & 0x0F)
    digest[8] = 0x80 | (digest[8] & 0x3F)
    return UUID(bytes=bytes(digest))


def patient_control_number(tenant_id: UUID, claim_id: UUID, chain: int) -> str:
    """CLM01 of the ``chain``-th frequency-1 submission of a claim; its replacements and its void keep it."""
    digest = _digest(tenant_id, "patient-control-number", claim_id, chain)
    return base64.b32encode(digest).decode()[:PATIENT_CONTROL_NUMBER_LENGTH]


def line_control_number(control_number: str, line_number: int) -> str:
    """REF*6R of a line: at most 30 characters, unique in the claim and, through CLM01, in the tenant."""
    return f"{control_number}L{line_number}"


def submission_id(tenant_id: UUID, claim_id: UUID, ordinal: int) -> UUID:
    """Id of the ``ordinal``-th submission of a claim."""
    return stable_id(tenant_id, "submission", claim_id, ordinal)
