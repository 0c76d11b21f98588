"""A credential has its requests per window and class; answers say what is left; memory is bounded."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from revcycle_service_kit.rate_limits import KEPT_WINDOWS, RateLimiter

from .test_kit_door import assert_problem, open_door

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


def limiter() -> RateLimiter:
    return RateLimiter({"read": 3, "write": 1, "bulk": 1}, 60)


def test_a_window_ends_and_a_new_one_begins() -> None:
    """Counted per credential and class; what is refused costs nothing."""
    limits = limiter()
    lefts = [limits.take("anna", "read", NOW + timedelta(seconds=second)).left for second in range(3)]
    assert lefts == [2, 1, 0]
    refused = limits.take("anna", "read", NOW + timedelta(seconds=20))
    assert (refused.allowed, refused.left, refused.reset_seconds) == (False, 0, 40)
    assert limits.take("anna", "write", NOW).allowed and limits.take("carl", "read", NOW).allowed
    assert limits.take("anna", "read", NOW + timedelta(seconds=60)).left == 2


def test_the_memory_of_windows_is_bounded() -> None:
    """The oldest are forgotten first."""
    limits = limiter()
    for number in range(KEPT_WINDOWS + 10):
        limits.take(number, "write", NOW)
    assert len(limits._windows) == KEPT_WINDOWS
    assert not limits.take(KEPT_WINDOWS, "write", NOW).allowed
    assert limits.take(0, "write", NOW).allowed


async def test_the_door_says_what_is_left_and_refuses_what_is_too_much(tmp_path: Path) -> None:
    """Headers of the draft on every answer with a caller; 429 with Retry-After; another class goes on."""
    async with open_door(tmp_path, rate_limit_write=2, rate_limit_bulk=1) as door:
        first = await door.post("/v1/small", content=b"")
        assert first.headers["ratelimit-policy"] == '"write";q=2;w=60'
        assert re.fullmatch(r'"write";r=1;t=(60|59)', first.headers["ratelimit"])
        await door.post("/v1/small", content=b"")
        refused = await door.post("/v1/small", content=b"")
        assert_problem(refused, 429, "too_many_requests")
        assert refused.headers["ratelimit"].startswith('"write";r=0;t=')
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await door.post("/v1/big", content=b"x")).status_code == 204
        assert "ratelimit" not in (await door.get("/livez")).headers


async def test_a_token_that_does_not_hold_costs_its_credential_nothing(tmp_path: Path) -> None:
    """Nobody can use up another's window without a token of theirs."""
    async with open_door(tmp_path, rate_limit_write=1) as door:
        for _ in range(3):
            answer = await door.post("/v1/small", content=b"", headers={"authorization": "Bearer x.y.z"})
            assert answer.status_code == 401
        assert (await door.post("/v1/small", content=b"")).status_code == 204


@pytest.mark.parametrize(("scheme", "secured"), [("http", False), ("https", True)])
async def test_over_tls_browsers_are_told_to_stay_there(tmp_path: Path, scheme: str, secured: bool) -> None:
    """Strict-Transport-Security means something over TLS only."""
    async with open_door(tmp_path) as door:
        answer = await door.get(f"{scheme}://service.test/livez")
        assert ("strict-transport-security" in answer.headers) is secured
        for name, value in (
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ):
            assert answer.headers[name] == value
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
