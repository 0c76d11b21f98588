"""The signing keys of an identity provider: a JWK set from an address or a file, kept fresh, rotated without a restart.

A token under a key that is not known yet makes the set be read once more, at most once per interval, whatever many
such tokens come. A key holds until the provider takes it out of its set. When the set cannot be read, the keys last
read go on for a day; then nobody is let in.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from revcycle_service_kit.auth import InvalidToken, TokenKey

UNKNOWN_KEY_INTERVAL: Final = timedelta(seconds=30)
REFRESH_AFTER: Final = timedelta(minutes=5)
STALE_AFTER: Final = timedelta(days=1)
FETCH_SECONDS: Final = 3.0
MAX_SET_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048
_ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256",),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("Ed25519", "EdDSA"),
}
"""Kind of key to the algorithms its tokens may name; nothing in a token can choose another."""
_UNREADABLE: Final = (httpx.HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError, JoseError)


def key_of(raw: Mapping[str, Any]) -> TokenKey | None:
    """The key of a JWK, without its private half; None for one that does not sign tokens we take."""
    kind, curve, kid = raw.get("kty"), raw.get("crv"), raw.get("kid")
    algorithms = _ALGORITHMS.get((str(kind), curve if kind != "RSA" else None))
    if algorithms is None or not isinstance(kid, str) or not kid or raw.get("use", "sig") != "sig":
        return None
    if raw.get("alg", algorithms[0]) not in algorithms or "verify" not in raw.get("key_ops", ["verify"]):
        return None
    public = {name: raw[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in raw}
    key: RSAKey | ECKey | OKPKey
    if kind == "RSA":
        # Six bits a character; a key that is too short is not even made.
        if len(str(raw.get("n"))) * 6 < MIN_RSA_BITS:
            return None
        key = RSAKey.import_key(public)
    else:
        key = ECKey.import_key(public) if kind == "EC" else OKPKey.import_key(public)
    return TokenKey(kid, key, False, algorithms)


class IssuerKeys:
    """See the module. ``source``: an https address, or a file. ``ca_file``: whom to trust there, else the system's.

    Attributes:
        keys: by id; what the verifier of tokens looks into.
        failure: why the last reading failed, or None.
    """

    def __init__(self, source: str | Path, ca_file: Path | None = None) -> None:
        self._source = source
        self._ca_file = ca_file
        self._raw: dict[str, Mapping[str, Any]] = {}
        self._reading = asyncio.Lock()
        self._tried_at: datetime | None = None
        self._read_at: datetime | None = None
        self.keys: dict[str, TokenKey] = {}
        self.failure: str | None = None

    def unusable_because(self, now: datetime) -> str | None:
        """Why nobody can be let in, or None."""
        if self._read_at is None:
            return f"the keys of the token issuer were never read: {self.failure or 'not tried yet'}"
        if now - self._read_at > STALE_AFTER:
            return f"the keys of the token issuer were last read at {self._read_at:%Y-%m-%d %H:%M} UTC: {self.failure}"
        return None

    def note(self) -> str | None:
        """What is not well although tokens can be checked, or None."""
        if self.failure is None or self._read_at is None:
            return None
        return f"keys of {self._read_at:%Y-%m-%d %H:%M} UTC are used; reading them again failed: {self.failure}"

    async def keep_fresh(self, now: datetime) -> None:
        """Read the set when it is time: five minutes after it was read, half a minute after that failed."""
        due = REFRESH_AFTER if self.failure is None else UNKNOWN_KEY_INTERVAL
        await self._read_unless_within(due, now)

    async def learn(self, now: datetime) -> None:
        """A token names a key that is not known: read the set, unless that was just done."""
        await self._read_unless_within(UNKNOWN_KEY_INTERVAL, now)

    async def _read_unless_within(self, interval: timedelta, now: datetime) -> None:
        async with self._reading:
            if self._tried_at is not None and now - self._tried_at < interval:
                return
            self._tried_at = now
            try:
                self._take(await self._fetch())
            except (*_UNREADABLE, InvalidToken) as failure:
                self.failure = str(failure) if isinstance(failure, InvalidToken) else type(failure).__name__
                return
            self._read_at, self.failure = now, None

    async def _fetch(self) -> bytes:
        if isinstance(self._source, Path):
            return await asyncio.to_thread(_read_file, self._source)
        trusted = ssl.create_default_context(cafile=self._ca_file)
        content = bytearray()
        async with (
            httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False, verify=trusted) as client,
            client.stream("GET", self._source, headers={"accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                raise InvalidToken(f"the address of the keys answered {answer.status_code}")
            async for part in answer.aiter_bytes():
                content += part
                _check_size(len(content))
        return bytes(content)

    def _take(self, content: bytes) -> None:
        """Take a set over whole or not at all; keys that did not change stay the same objects."""
        listed = json.loads(content)["keys"]
        if len(listed) > MAX_KEYS:
            raise InvalidToken(f"the set has more than {MAX_KEYS} keys")
        raw = {str(each.get("kid")): each for each in listed}
        kept = {kid: key for kid, key in self.keys.items() if raw.get(kid) == self._raw.get(kid)}
        fresh = {kid: key for kid, each in raw.items() if kid not in kept and (key := key_of(each)) is not None}
        if not kept and not fresh:
            raise InvalidToken("the set has no key that signs tokens (RSA from 2048 bits, EC P-256 or Ed25519)")
        self._raw = raw
        self.keys.clear()
        self.keys.update({**kept, **fresh})


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_SET_BYTES + 1)
    _check_size(len(content))
    return content


def _check_size(size: int) -> None:
    if size > MAX_SET_BYTES:
        raise InvalidToken(f"the set of keys is larger than {MAX_SET_BYTES} bytes")
