"""Bearer tokens: made for development, checked everywhere. joserfc does the cryptography, this module the rules.

The keys are those of a file (development) or of an identity provider (:mod:`revcycle_service_kit.issuer_keys`).

A token is refused unless its header holds exactly ``alg``, ``kid`` and ``typ``, the algorithm is on our list, the key
is ours, and issuer, audience, subject, tenant and times hold. Whoever is refused learns only that.
"""

import base64
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from revcycle_service_kit.clock import Clock
from revcycle_service_kit.ids import new_id
from revcycle_service_kit.problems import ServiceUnavailable, Unauthorized

ALGORITHMS: Final = ("ES256",)
ISSUER: Final = "revcycle"
AUDIENCE: Final = "revcycle"
TOKEN_TYPE: Final = "at+jwt"
ROLES: Final = frozenset({"integration", "coder", "biller", "operator", "auditor"})
MAX_TOKEN_LENGTH: Final = 4096
SKEW_SECONDS: Final = 30
_CACHED_TOKENS: Final = 1000


class InvalidToken(Exception):
    """A token that does not hold; the text names the rule, never the token."""


class UnknownKey(InvalidToken):
    """The key that the token names is not known (any more, or yet)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: tenant, subject and roles, as the token says."""

    tenant_id: UUID
    subject: str
    roles: frozenset[str]


@dataclass(frozen=True)
class TokenKey:
    """A key of tokens. ``private`` is False for one that only checks; ``algorithms``: what its tokens may name."""

    kid: str
    key: ECKey | RSAKey | OKPKey
    private: bool
    algorithms: tuple[str, ...] = ALGORITHMS


def ensure_development_key(path: Path) -> TokenKey:
    """The development key in ``path``, made now (mode 600) when it is not there."""
    if not path.exists():
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True)
        text = json.dumps({**key.as_dict(private=True), "kid": key.thumbprint()})
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(text)
        try:
            # A link never replaces a key that another process made meanwhile.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return next(iter(read_token_keys(path).values()))


def read_token_keys(path: Path) -> dict[str, TokenKey]:
    """Keys by id from a file with one JWK or a JWK set; public ones suffice to check tokens.

    Raises:
        InvalidToken: the file cannot be read or holds no key of ours.
    """
    try:
        content = json.loads(path.read_text())
        raw_keys = content.get("keys", [content])
        keys = {}
        for raw in raw_keys:
            if raw.get("kty") != "EC" or raw.get("crv") != "P-256" or not raw.get("kid"):
                raise InvalidToken(f"{path.name}: every key needs kty EC, crv P-256 and a kid")
            keys[raw["kid"]] = TokenKey(raw["kid"], ECKey.import_key(raw), "d" in raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, JoseError) as failure:
        raise InvalidToken(f"token key file {path.name} cannot be read: {type(failure).__name__}") from None
    return keys


def issue_token(
    key: TokenKey,
    tenant_id: UUID,
    subject: str,
    roles: Iterable[str],
    lifetime_seconds: int = 3600,
    *,
    now: datetime | None = None,
) -> str:
    """A signed token; for development, tests and demos. ValueError for a role that does not exist."""
    asked = sorted(set(roles))
    if unknown := set(asked) - ROLES:
        raise ValueError(f"unknown role {', '.join(sorted(unknown))}; there are: {', '.join(sorted(ROLES))}")
    at = now or Clock().now()
    issued = int(at.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "tenant_id": str(tenant_id),
        "roles": asked,
        "iat": issued,
        "nbf": issued,
        "exp": issued + lifetime_seconds,
        "jti": str(new_id(at)),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid, "typ": TOKEN_TYPE}, claims, key.key, algorithms=ALGORITHMS)


class TokenVerifier:
    """Checks tokens against keys; remembers those that held until they expire or their key is gone.

    ``keys`` is looked into at every token, so whoever keeps it may take keys out and put new ones in.
    """

    def __init__(
        self,
        keys: Mapping[str, TokenKey],
        *,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        leeway_seconds: int = SKEW_SECONDS,
    ) -> None:
        self._keys = keys
        self._issuer, self._audience = issuer, audience
        self._leeway_seconds = leeway_seconds
        self._known: dict[bytes, tuple[Caller, int, int, TokenKey]] = {}

    def verify(self, token: str, now: datetime) -> Caller:
        """The caller of a token that holds. Raises InvalidToken."""
        if not token.isascii() or len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken("form")
        digest = hashlib.sha256(token.encode()).digest()
        seconds = int(now.timestamp())
        known = self._known.get(digest)
        if known is None or self._keys.get(known[3].kid) is not known[3]:
            known = self._check(token)
            while len(self._known) >= _CACHED_TOKENS:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = known
        caller, not_before, expires, _ = known
        if seconds >= expires:
            raise InvalidToken("expired")
        if seconds < not_before - self._leeway_seconds:
            raise InvalidToken("not yet valid")
        return caller

    def _check(self, token: str) -> tuple[Caller, int, int, TokenKey]:
        header = _header(token)
        if set(header) != {"alg", "kid", "typ"}:
            raise InvalidToken("header")
        if header["typ"] != TOKEN_TYPE or not isinstance(header["kid"], str):
            raise InvalidToken("type or key")
        key = self._keys.get(header["kid"])
        if key is None:
            raise UnknownKey("key")
        if header["alg"] not in key.algorithms:
            raise InvalidToken("algorithm")
        try:
            with warnings.catch_warnings():
                # Identity providers still name Ed25519 by its former name.
                warnings.simplefilter("ignore", SecurityWarning)
                claims = jwt.decode(token, key.key, algorithms=[header["alg"]]).claims
        except (JoseError, ValueError, TypeError, KeyError):
            raise InvalidToken("signature") from None
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            raise InvalidToken("issuer or audience")
        return *_read_claims(claims), key


def _header(token: str) -> dict[str, Any]:
    """The header, read before anything in it is trusted; a repeated name is refused."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise InvalidToken("form")
    try:
        text = base64.b64decode(parts[0] + "=" * (-len(parts[0]) % 4), altchars=b"-_", validate=True)
        pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
        header = dict(pairs)
    except (ValueError, TypeError, RecursionError):
        raise InvalidToken("form") from None
    if len(header) != len(pairs):
        raise InvalidToken("header")
    return header


def _read_claims(claims: dict[str, Any]) -> tuple[Caller, int, int]:
    times = [claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)]
    if not all(type(moment) is int for moment in times):
        raise InvalidToken("times")
    expires, not_before, issued = times
    subject, roles = claims.get("sub"), claims.get("roles")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not subject.isprintable():
        raise InvalidToken("subject")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidToken("roles")
    try:
        tenant_id = UUID(claims["tenant_id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InvalidToken("tenant") from None
    return Caller(tenant_id, subject, frozenset(roles) & ROLES), max(not_before, issued), expires


bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="`revcycle token --tenant T --role R` makes one")


async def authenticate(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    """The caller of a request. Raises Unauthorized."""
    if credentials is None:
        raise Unauthorized(
            "send the header Authorization: Bearer <token>", headers={"www-authenticate": 'Bearer realm="revcycle"'}
        )
    context = request.app.state.context
    try:
        return await _verified(context, credentials.credentials)
    except InvalidToken:
        raise Unauthorized(
            "the token is not valid or has expired; get a new one",
            headers={"www-authenticate": 'Bearer realm="revcycle", error="invalid_token"'},
        ) from None


async def _verified(context: Any, token: str) -> Caller:
    """The caller of a token; keys of an issuer are read again for one that is not known."""
    now, keys = context.clock.now(), context.issuer_keys
    if keys is not None and keys.unusable_because(now):
        await keys.keep_fresh(now)
        if keys.unusable_because(now):
            raise ServiceUnavailable("the keys of the token issuer cannot be had", retry_after_seconds=30)
    verifier: TokenVerifier = context.verifier
    try:
        return verifier.verify(token, now)
    except UnknownKey:
        if keys is None:
            raise
        await keys.learn(now)
        return verifier.verify(token, now)
