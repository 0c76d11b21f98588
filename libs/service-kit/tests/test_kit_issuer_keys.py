"""Tokens of an identity provider: its keys are rotated under traffic, and its address may be away for a while."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from kit_sample_service.parts import build
from pydantic import ValidationError
from revcycle_service_kit import ServiceSettings, SettableClock, create_base_app
from revcycle_service_kit.auth import InvalidToken, TokenVerifier, UnknownKey
from revcycle_service_kit.issuer_keys import (
    MAX_KEYS,
    MAX_SET_BYTES,
    STALE_AFTER,
    UNKNOWN_KEY_INTERVAL,
    IssuerKeys,
    key_of,
)
from revcycle_service_kit.program import issuer_keys_of, offline_context, token_verifier

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
TENANT = UUID("0190a000-0000-7000-8000-00000000000a")
ISSUER = "https://login.hospital.test"
AUDIENCE = "revcycle-claims"
DATABASE = "postgresql://nobody@localhost/none"


def make_key(kind: str, kid: str) -> Any:
    if kind == "RSA":
        return RSAKey.generate_key(2048, {"kid": kid}, private=True)
    if kind == "EC":
        return ECKey.generate_key("P-256", {"kid": kid}, private=True)
    return OKPKey.generate_key("Ed25519", {"kid": kid}, private=True)


def sign(key: Any, algorithm: str, at: datetime = NOW, **changed: Any) -> str:
    seconds = int(at.timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "tenant_id": str(TENANT), "roles": ["biller"]}
    claims |= {"iat": seconds, "nbf": seconds, "exp": seconds + 300}
    header = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(header, {**claims, **changed}, key, algorithms=[algorithm])


@dataclass
class Provider:
    """An identity provider's address for keys: what it answers, and how often it was asked."""

    keys: list[Any] = field(default_factory=list)
    status: int = 200
    asked: int = 0
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": [{**key.as_dict(private=False), "kid": key.kid} for key in self.keys]}).encode()
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    serving = Provider([make_key("RSA", "first")])
    server = await asyncio.start_server(serving.answer, "127.0.0.1", 0)
    serving.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    yield serving
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def door(provider: Provider, clock: SettableClock) -> AsyncIterator[httpx.AsyncClient]:
    """The sample service's door with the provider's keys."""
    settings = ServiceSettings(
        service_name="sample",
        database_url=DATABASE,
        token_jwks_url=provider.url,
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
    )
    context = offline_context(settings)
    context.clock = clock
    context.issuer_keys = issuer_keys_of(settings)
    context.verifier = token_verifier(settings, context.issuer_keys)
    app = create_base_app(context, build())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        yield client


async def small(client: httpx.AsyncClient, token: str) -> int:
    """The status of a request that needs nothing but the token."""
    answer = await client.post("/v1/small", content=b"", headers={"authorization": f"Bearer {token}"})
    return answer.status_code


async def test_keys_are_rotated_under_traffic_without_a_restart(provider: Provider) -> None:
    """New key: taken with the first token under it. Old key: good until the provider removes it, then at once gone."""
    clock = SettableClock(NOW)
    (old,), new = provider.keys, make_key("EC", "second")
    async with door(provider, clock) as client:
        assert await small(client, sign(old, "RS256")) == 204
        provider.keys = [old, new]
        clock.set(clock.now() + UNKNOWN_KEY_INTERVAL)
        assert await small(client, sign(new, "ES256")) == 204
        assert await small(client, sign(old, "RS256")) == 204
        assert provider.asked == 2
        provider.keys = [new]
        clock.set(clock.now() + timedelta(minutes=4))
        token = sign(old, "RS256", clock.now())
        assert await small(client, token) == 204, "the provider was not asked again yet"
        clock.set(clock.now() + timedelta(minutes=1))
        stranger = sign(make_key("EC", "third"), "ES256", clock.now())
        assert await small(client, stranger) == 401
        assert await small(client, token) == 401, "a remembered token goes with its key"
        assert await small(client, sign(new, "ES256", clock.now())) == 204


async def test_unknown_keys_make_the_provider_asked_once_per_interval(provider: Provider) -> None:
    """However many forged tokens come; all at once too."""
    clock = SettableClock(NOW)
    stranger = make_key("EC", "stranger")
    async with door(provider, clock) as client:
        assert await small(client, sign(provider.keys[0], "RS256")) == 204
        clock.set(clock.now() + UNKNOWN_KEY_INTERVAL)
        answers = await asyncio.gather(*(small(client, sign(stranger, "ES256", jti=str(n))) for n in range(30)))
        assert set(answers) == {401} and provider.asked == 2


async def test_while_the_provider_is_away_the_keys_last_read_go_on(provider: Provider) -> None:
    """For a day, and the probe says so; then nobody is let in; when it is back, all is well."""
    clock = SettableClock(NOW)
    keys = IssuerKeys(provider.url)
    await keys.keep_fresh(clock.now())
    provider.status = 503
    clock.set(clock.now() + timedelta(minutes=10))
    await keys.keep_fresh(clock.now())
    assert (keys.unusable_because(clock.now()), list(keys.keys)) == (None, ["first"])
    assert "answered 503" in str(keys.note())
    clock.set(clock.now() + STALE_AFTER)
    assert "last read at 2026-09-30 12:00 UTC" in str(keys.unusable_because(clock.now()))
    provider.status = 200
    await keys.keep_fresh(clock.now())
    assert (keys.unusable_because(clock.now()), keys.note()) == (None, None)


async def test_without_any_key_the_door_says_503_and_not_401(provider: Provider) -> None:
    """A valid token is not called invalid because its issuer is away."""
    provider.status = 500
    async with door(provider, SettableClock(NOW)) as client:
        assert await small(client, sign(provider.keys[0], "RS256")) == 503


@pytest.mark.parametrize(("kind", "algorithms"), [("RSA", ["RS256"]), ("EC", ["ES256"]), ("OKP", ["Ed25519", "EdDSA"])])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_a_key_takes_its_own_algorithm_only(kind: str, algorithms: list[str]) -> None:
    """RS256, ES256 and Ed25519 (under both names) hold; nothing in a token chooses another."""
    key = make_key(kind, "k")
    known = key_of({**key.as_dict(private=True), "kid": "k"})
    assert known is not None and not known.key.is_private
    verifier = TokenVerifier({"k": known}, issuer=ISSUER, audience=AUDIENCE)
    for algorithm in algorithms:
        assert verifier.verify(sign(key, algorithm), NOW).subject == "anna"
    if kind == "RSA":
        for wrong in ("PS256", "RS512"):
            with pytest.raises(InvalidToken, match="algorithm"):
                verifier.verify(sign(key, wrong), NOW)


def test_issuer_audience_and_times_hold(tmp_path: Path) -> None:
    """Another audience is another service; the leeway is for the beginning, never for the end."""
    key = make_key("EC", "k")
    known = key_of({**key.as_dict(private=False), "kid": "k"})
    assert known is not None
    verifier = TokenVerifier({"k": known}, issuer=ISSUER, audience=AUDIENCE, leeway_seconds=10)
    assert verifier.verify(sign(key, "ES256", NOW + timedelta(seconds=10)), NOW).subject == "anna"
    for wrong in (
        {"iss": "https://elsewhere.test"},
        {"aud": "revcycle-coding"},
        {"exp": int(NOW.timestamp())},
        {"nbf": int(NOW.timestamp()) + 11},
    ):
        with pytest.raises(InvalidToken):
            verifier.verify(sign(key, "ES256", **wrong), NOW)
    with pytest.raises(UnknownKey):
        verifier.verify(sign(make_key("EC", "other"), "ES256"), NOW)


@pytest.mark.parametrize(
    "raw",
    [
        {"kty": "oct", "k": "AAAA", "kid": "k"},
        {**make_key("EC", "k").as_dict(private=False), "kid": "k", "use": "enc"},
        {**make_key("EC", "k").as_dict(private=False), "kid": "k", "alg": "ES384"},
        {**make_key("EC", "k").as_dict(private=False), "kid": ""},
        {**ECKey.generate_key("P-384").as_dict(private=False), "kid": "k"},
        {"kty": "RSA", "e": "AQAB", "n": "w" * 171, "kid": "k"},
    ],
)
def test_keys_that_do_not_sign_our_tokens_are_left_out(raw: dict[str, Any]) -> None:
    """Secrets, keys for encryption, other curves and algorithms, short RSA keys."""
    assert key_of(raw) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": [7]}'])
async def test_a_set_that_is_none_changes_nothing(tmp_path: Path, content: str) -> None:
    """The keys that were there stay."""
    path, key = tmp_path / "keys.json", make_key("EC", "k")
    path.write_text(json.dumps({"keys": [{**key.as_dict(private=False), "kid": "k"}]}))
    keys = IssuerKeys(path)
    await keys.keep_fresh(NOW)
    path.write_text(content)
    await keys.keep_fresh(NOW + timedelta(minutes=10))
    assert list(keys.keys) == ["k"] and keys.failure is not None


async def test_a_set_that_is_too_large_changes_nothing(tmp_path: Path, provider: Provider) -> None:
    """In bytes, from a file or an address, or in keys."""
    path = tmp_path / "keys.json"
    for content in (json.dumps({"keys": [], "x": "x" * MAX_SET_BYTES}), json.dumps({"keys": [{}] * (MAX_KEYS + 1)})):
        path.write_text(content)
        keys = IssuerKeys(path)
        await keys.keep_fresh(NOW)
        assert re.search("larger than|more than", str(keys.failure)) and keys.unusable_because(NOW)
    provider.keys = [make_key("OKP", "k" * 3000) for _ in range(90)]
    keys = IssuerKeys(provider.url)
    await keys.keep_fresh(NOW)
    assert "larger than" in str(keys.failure)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "REVCYCLE_TOKEN_JWKS_URL"),
        ({"token_jwks_url": "https://login.test/keys"}, "REVCYCLE_TOKEN_ISSUER"),
        ({"token_jwks_url": "http://login.test/keys", "token_issuer": "i", "token_audience": "a"}, "https://"),
        ({"token_jwks_url": "https://login.test/keys", "token_jwks_file": "keys.json"}, "not both"),
    ],
)
def test_production_takes_no_tokens_of_a_development_key(settings: dict[str, Any], says: str) -> None:
    """It does not start, and says what to set."""
    with pytest.raises(ValidationError, match=says):
        ServiceSettings(service_name="sample", database_url=DATABASE, environment="production", **settings)
    good = {"token_jwks_url": "https://login.test/keys", "token_issuer": "i", "token_audience": "a"}
    ServiceSettings(service_name="sample", database_url=DATABASE, environment="production", **good)
