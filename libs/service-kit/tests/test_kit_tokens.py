"""Only tokens that we signed for this audience, this tenant and this time hold."""

import base64
import hmac
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from revcycle_service_kit.access import allow
from revcycle_service_kit.auth import (
    InvalidToken,
    TokenKey,
    TokenVerifier,
    ensure_development_key,
    issue_token,
    read_token_keys,
)

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
TENANT = UUID("0190a000-0000-7000-8000-00000000000a")


@pytest.fixture
def key(tmp_path: Path) -> TokenKey:
    return ensure_development_key(tmp_path / "keys" / "token-key.json")


@pytest.fixture
def verifier(tmp_path: Path, key: TokenKey) -> TokenVerifier:
    return TokenVerifier(read_token_keys(tmp_path / "keys" / "token-key.json"))


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims(**changed: Any) -> dict[str, Any]:
    seconds = int(NOW.timestamp())
    whole = {
        "iss": "revcycle", "aud": "revcycle", "sub": "tester", "tenant_id": str(TENANT), "roles": ["biller"],
        "iat": seconds, "nbf": seconds, "exp": seconds + 60, "jti": "1",
    }  # fmt: skip
    return {name: value for name, value in {**whole, **changed}.items() if value != "ABSENT"}


def sign(key: TokenKey, header: dict[str, Any] | None = None, signing_key: Any = None, **changed: Any) -> str:
    """A token that is right in everything but what a test changes, and truly signed."""
    whole = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **(header or {})}
    signed = f"{encode({n: v for n, v in whole.items() if v != 'ABSENT'})}.{encode(claims(**changed))}"
    private = (signing_key or key.key).get_op_key("sign")
    r, s = decode_dss_signature(private.sign(signed.encode(), ECDSA(SHA256())))
    return f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def raw(key: TokenKey, header: object, payload: object, signature: str = "AAAA") -> str:
    return f"{encode(header)}.{encode(payload)}.{signature}"


def hmac_signed(header: object, payload: object, secret: bytes) -> str:
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def test_a_token_says_who_calls(key: TokenKey, verifier: TokenVerifier) -> None:
    """Tenant, subject and known roles; roles this version does not know give nothing."""
    caller = verifier.verify(issue_token(key, TENANT, "anna", ["biller", "coder"], 60, now=NOW), NOW)
    assert (caller.tenant_id, caller.subject, caller.roles) == (TENANT, "anna", {"biller", "coder"})
    assert verifier.verify(sign(key, roles=["biller", "emperor"]), NOW).roles == {"biller"}


def hostile(key: TokenKey) -> dict[str, str]:
    """One token per way to lie. Signed by us where the lie is inside, else forged."""
    other = ECKey.generate_key("P-256", private=True)
    good = sign(key)
    head, body, signature = good.split(".")
    header = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    public_pem = key.key.as_pem(private=False)
    rsa = RSAKey.generate_key(2048, private=True)
    okp = OKPKey.generate_key("Ed25519", private=True)
    seconds = int(NOW.timestamp())
    return {
        "empty": "",
        "one part": "abc",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.x",
        "five parts, as an encrypted token": f"{good}.x.y",
        "no signature": f"{head}.{body}.",
        "no header": f".{body}.{signature}",
        "signature of another key": sign(key, signing_key=other),
        "signature cut": good[:-4],
        "signature zero": f"{head}.{body}.{encode(bytes(64))}",
        "payload swapped": f"{head}.{encode(claims(roles=['operator']))}.{signature}",
        "header swapped": f"{encode({**header, 'alg': 'ES384'})}.{body}.{signature}",
        "algorithm none": raw(key, {**header, "alg": "none"}, claims(), ""),
        "algorithm none with a signature": raw(key, {**header, "alg": "none"}, claims()),
        "algorithm None in capitals": raw(key, {**header, "alg": "NONE"}, claims()),
        "HMAC with our public key": hmac_signed({**header, "alg": "HS256"}, claims(), public_pem),
        "RSA": jwt.encode({**header, "alg": "RS256"}, claims(), rsa, algorithms=["RS256"]),
        "Ed25519": jwt.encode({**header, "alg": "Ed25519"}, claims(), okp, algorithms=["Ed25519"]),
        "no algorithm": raw(key, {"kid": key.kid, "typ": "at+jwt"}, claims(), signature),
        "algorithm no text": raw(key, {**header, "alg": ["ES256"]}, claims(), signature),
        "header no object": raw(key, ["ES256"], claims(), signature),
        "header a number": raw(key, 7, claims(), signature),
        "header null": raw(key, None, claims(), signature),
        "header not JSON": raw(key, b"{", claims(), signature),
        "header deep": raw(key, b"[" * 2000, claims(), signature),
        "header names twice": raw(key, b'{"alg":"none","alg":"ES256","kid":"k","typ":"at+jwt"}', claims(), signature),
        "header not base64": f"!!!.{body}.{signature}",
        "payload no object": raw(key, header, ["x"], signature),
        "embedded key": sign(key, {"jwk": other.as_dict(private=False)}, signing_key=other),
        "key address": sign(key, {"jku": "https://attacker.test/keys"}),
        "certificate address": sign(key, {"x5u": "https://attacker.test/cert"}),
        "certificate chain": sign(key, {"x5c": ["AAAA"]}),
        "unknown key id": sign(key, {"kid": "other"}),
        "key id a path": sign(key, {"kid": "../../dev/null"}),
        "no key id": sign(key, {"kid": "ABSENT"}),
        "key id no text": raw(key, {**header, "kid": {"a": 1}}, claims(), signature),
        "type JWT": sign(key, {"typ": "JWT"}),
        "no type": sign(key, {"typ": "ABSENT"}),
        "critical extension": raw(key, {**header, "crit": ["exp"]}, claims(), signature),
        "unencoded payload": raw(key, {**header, "b64": False}, claims(), signature),
        "compressed": sign(key, {"zip": "DEF"}),
        "expired": sign(key, exp=seconds - 1),
        "expires now": sign(key, exp=seconds),
        "no expiry": sign(key, exp="ABSENT"),
        "expiry text": sign(key, exp=str(seconds + 60)),
        "expiry a truth": sign(key, exp=True),
        "expiry infinite": sign(key, exp=1e400),
        "not yet valid": sign(key, nbf=seconds + 3600),
        "issued in the future": sign(key, iat=seconds + 3600),
        "other issuer": sign(key, iss="attacker"),
        "no issuer": sign(key, iss="ABSENT"),
        "other audience": sign(key, aud="elsewhere"),
        "several audiences": sign(key, aud=["revcycle", "elsewhere"]),
        "no audience": sign(key, aud="ABSENT"),
        "no subject": sign(key, sub="ABSENT"),
        "subject with a line break": sign(key, sub="a\nb"),
        "subject no text": sign(key, sub=7),
        "no tenant": sign(key, tenant_id="ABSENT"),
        "tenant no id": sign(key, tenant_id="*"),
        "tenant a list": sign(key, tenant_id=[str(TENANT)]),
        "roles text": sign(key, roles="operator"),
        "roles absent": sign(key, roles="ABSENT"),
        "very long": "a" * 5000,
        "not ASCII": f"{head}.{body}.{signature}é",
        "line break": f"{head}\n.{body}.{signature}",
        "padding": f"{head}==.{body}.{signature}",
    }


def test_no_hostile_token_holds(key: TokenKey, verifier: TokenVerifier) -> None:
    """More than sixty ways to lie, each refused, also when tried again (the memory of good tokens is no way in)."""
    tokens = hostile(key)
    assert len(tokens) > 60
    verifier.verify(sign(key), NOW)
    for name, token in tokens.items():
        for _ in range(2):
            try:
                caller = verifier.verify(token, NOW)
            except InvalidToken:
                continue
            pytest.fail(f"{name}: held, for {caller.subject}")


def test_a_remembered_token_expires_all_the_same(key: TokenKey, verifier: TokenVerifier) -> None:
    """Being remembered does not lengthen a life."""
    token = issue_token(key, TENANT, "anna", ["biller"], 60, now=NOW)
    verifier.verify(token, NOW)
    verifier.verify(token, NOW + timedelta(seconds=59))
    with pytest.raises(InvalidToken, match="expired"):
        verifier.verify(token, NOW + timedelta(seconds=60))


def test_the_memory_of_tokens_is_bounded(key: TokenKey, verifier: TokenVerifier) -> None:
    """A thousand at most."""
    first = sign(key, jti="first")
    for number in range(1005):
        verifier._known[number.to_bytes(4, "big")] = verifier._check(first) if number == 0 else (None, 0, 0)  # type: ignore[assignment]  # fillers
    verifier.verify(sign(key, jti="other"), NOW)
    assert len(verifier._known) <= 1000


def test_the_development_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """Mode 600; whoever comes second gets the first one's key; no draft is left."""
    path = tmp_path / "keys" / "token-key.json"
    first, second = ensure_development_key(path), ensure_development_key(path)
    assert first.kid == second.kid
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["token-key.json"]


def test_public_keys_suffice_to_check(tmp_path: Path, key: TokenKey) -> None:
    """A JWK set with an old and a new key, without their private halves."""
    newer = ensure_development_key(tmp_path / "new.json")
    public = [{**one.key.as_dict(private=False), "kid": one.kid} for one in (key, newer)]
    (tmp_path / "set.json").write_text(json.dumps({"keys": public}))
    keys = read_token_keys(tmp_path / "set.json")
    assert not any(one.private for one in keys.values())
    for one in (key, newer):
        assert TokenVerifier(keys).verify(issue_token(one, TENANT, "a", ["coder"], 60, now=NOW), NOW).subject == "a"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys": [{"kty": "oct", "k": "AAAA", "kid": "1"}]}', '{"kty": "EC"}']
)
def test_a_key_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    """With the file's name, without its content."""
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(InvalidToken, match=r"broken\.json"):
        read_token_keys(path)


def test_roles_that_do_not_exist_fail_early(key: TokenKey) -> None:
    """In the table of a service, and when a token is made."""
    with pytest.raises(ValueError, match="unknown role"):
        allow("biler")
    with pytest.raises(ValueError, match="unknown role"):
        issue_token(key, TENANT, "a", ["root"])
