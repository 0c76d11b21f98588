"""Who may open what: one key ring file per service, holding only what the grants give it.

A ring holds, per tenant, the envelope keys (every service: they check that an event is what its producer wrote) and
the keys of the compartments granted to the service. Keys outlive the archive: a retired key stays for opening.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from revcycle_messaging.errors import MissingKey

ENVELOPE = "envelope"
_KEY_ID: Final = re.compile("[A-Za-z0-9_-]+")
"""It stands before a dot and inside JSON, as it is."""
COMPARTMENTS = ("identity", "clinical", "document")


class KeyRing:
    """The keys of one service. Reads its file again when it misses a key, so a new tenant needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ciphers: dict[UUID, dict[tuple[str, str], AESGCM]] = {}
        self._active: dict[UUID, dict[str, tuple[str, AESGCM]]] = {}
        self._envelope: dict[UUID, tuple[str, dict[str, bytes]]] = {}
        self.granted: frozenset[str] = frozenset()
        self.reload()

    def reload(self) -> None:
        """Read the ring file; MissingKey when it cannot be read."""
        try:
            ring: dict[str, Any] = json.loads(self._path.read_text())
        except (OSError, ValueError) as failure:
            raise MissingKey(f"key ring {self._path.name} cannot be read: {type(failure).__name__}") from None
        self.granted = frozenset(ring["granted"])
        for text, purposes in ring["tenants"].items():
            tenant = UUID(text)
            ciphers = self._ciphers.setdefault(tenant, {})
            active = self._active.setdefault(tenant, {})
            if ENVELOPE in purposes:
                kept = purposes[ENVELOPE]
                opened = {key_id: base64.b64decode(key) for key_id, key in kept["keys"].items()}
                self._envelope[tenant] = (kept["active"], opened)
            for purpose, keys in purposes.items():
                for key_id, key in keys["keys"].items():
                    if not _KEY_ID.fullmatch(key_id):
                        raise MissingKey(f"key ring {self._path.name}: key id {key_id[:16]!r} is not {_KEY_ID.pattern}")
                    ciphers[purpose, key_id] = AESGCM(base64.b64decode(key))
                # An active key that the ring names and does not hold is missed in its turn, by name.
                if (purpose, keys["active"]) in ciphers:
                    active[purpose] = (keys["active"], ciphers[purpose, keys["active"]])

    @property
    def tenants(self) -> list[UUID]:
        """The tenants it holds keys for."""
        return sorted(self._active)

    def active(self, tenant_id: UUID, purpose: str) -> tuple[str, AESGCM]:
        """The key id and cipher new data is sealed with; MissingKey when there is none."""
        # Several times per event, and hashing an id is Python: one look-up by tenant, the rest by text.
        found = self._active.get(tenant_id, {}).get(purpose)
        if found is None:
            self.reload()
            found = self._active.get(tenant_id, {}).get(purpose)
        if found is None:
            raise MissingKey(f"no {purpose} key for tenant {tenant_id}")
        return found

    def cipher(self, tenant_id: UUID, purpose: str, key_id: str) -> AESGCM:
        """The cipher of one key, active or retired; MissingKey when the ring has it not, even after a reload."""
        found = self._ciphers.get(tenant_id, {}).get((purpose, key_id))
        if found is None:
            self.reload()
            found = self._ciphers.get(tenant_id, {}).get((purpose, key_id))
        if found is None:
            raise MissingKey(f"no {purpose} key {key_id[:16]!r} for tenant {tenant_id}")
        return found

    def mac_key(self, tenant_id: UUID, label: str, key_id: str | None = None) -> tuple[str, bytes]:
        """A key of 32 bytes for keyed hashes of one kind, derived from the tenant's envelope key, and that key's id.

        ``key_id`` None: the active one. MissingKey when the ring has it not, even after a reload.
        """
        active, keys = self._envelope.get(tenant_id, ("", {}))
        wanted = key_id or active
        if wanted not in keys:
            self.reload()
            active, keys = self._envelope.get(tenant_id, ("", {}))
            wanted = key_id or active
        if wanted not in keys:
            raise MissingKey(f"no envelope key {wanted[:16]!r} for tenant {tenant_id}")
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"revcycle {label}".encode())
        return wanted, derivation.derive(keys[wanted])


def write_development_keyrings(folder: Path, grants_file: Path, tenants: Sequence[UUID]) -> None:
    """Write a ring per service of the grants file, keeping every key that is already there. Files are mode 600.

    ``master.json`` in the folder holds all keys of this machine; production puts a key service in its place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    grants: dict[str, list[str]] = yaml.safe_load(grants_file.read_text())["grants"]
    master_path = folder / "master.json"
    master: dict[str, dict[str, Any]] = json.loads(master_path.read_text()) if master_path.exists() else {}
    for tenant in tenants:
        purposes = master.setdefault(str(tenant), {})
        for purpose in (ENVELOPE, *COMPARTMENTS):
            purposes.setdefault(purpose, {"active": "k1", "keys": {"k1": _new_key()}})
    _write_private(master_path, master)
    for service, granted in grants.items():
        purposes_granted = {ENVELOPE, *granted}
        ring = {
            "granted": sorted(granted),
            "tenants": {
                tenant: {purpose: keys for purpose, keys in purposes.items() if purpose in purposes_granted}
                for tenant, purposes in master.items()
            },
        }
        _write_private(folder / f"{service}.json", ring)


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Write whole or not at all, readable by the owner only."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    draft.replace(path)
