"""Calls to the public REST APIs: with a token of the right role, again and again while a service is away."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_KEY_IN_USE: Final = "idempotency_key_in_use"
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 1.0


class ServiceUnreachableError(Exception):
    """A service did not answer for as long as we were ready to wait."""


class UnexpectedAnswerError(Exception):
    """A service answered what nobody foresaw; the text has status, rule and remedy, no patient data."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (None when empty) and ETag of an answer."""

    status: int
    body: Any
    etag: str | None

    @property
    def code(self) -> str | None:
        """The code of a problem."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes to send and what they are. The same object is sent every time, so that a repetition is one."""

    content: bytes
    media_type: str = "application/json"

    @classmethod
    def of(cls, value: object) -> "Body":
        """A JSON body."""
        return cls(json.dumps(value, separators=(",", ":")).encode())


class Api:
    """The services of one tenant. ``urls``: base addresses of every instance by service; ``tokens``: by role.

    A service that is away, overloaded or killed halfway is called again, at another instance if there is one, for
    ``patience_seconds``; a command carries its Idempotency-Key each time and takes effect once.
    """

    def __init__(
        self,
        urls: Mapping[str, Sequence[str]],
        tokens: Mapping[str, str],
        client: httpx.AsyncClient,
        patience_seconds: float = 120.0,
        watched: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.urls = urls
        self.watched = urls if watched is None else watched
        self._tokens = tokens
        self._client = client
        self._patience_seconds = patience_seconds
        self._turns: dict[str, int] = {}

    async def call(
        self,
        role: str,
        service: str,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        key: str | None = None,
        if_match: str | None = None,
        also: Sequence[int] = (),
    ) -> Answer:
        """Call until there is an answer; ``also``: statuses above 299 the caller deals with.

        Raises:
            ServiceUnreachableError: nobody answered in time.
            UnexpectedAnswerError: any other status.
        """
        headers = self.headers(role, body, key, if_match)
        deadline = time.monotonic() + self._patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer = await self._once(service, method, path, body, headers)
            if answer is not None and not _try_again(answer):
                break
            if time.monotonic() > deadline:
                raise ServiceUnreachableError(f"{service} does not answer: see its log, and `revcycle status`")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        if answer.status >= 300 and answer.status not in also:
            raise UnexpectedAnswerError(f"{service}: {method} {path} was answered {_in_words(answer)}")
        return answer

    async def read_instance(self, url: str, role: str, path: str) -> Any:
        """One attempt to read from one instance; None when it does not answer."""
        try:
            response = await self._client.get(f"{url}{path}", headers=self.headers(role))
        except httpx.TransportError:
            return None
        return response.json() if response.status_code == 200 else None

    def headers(
        self, role: str, body: Body | None = None, key: str | None = None, if_match: str | None = None
    ) -> dict[str, str]:
        """What a request of this role carries; for those who send it in their own way."""
        named = {
            "authorization": f"Bearer {self._tokens[role]}",
            "content-type": body.media_type if body else None,
            "idempotency-key": key,
            "if-match": if_match,
        }
        return {name: value for name, value in named.items() if value is not None}

    async def _once(
        self, service: str, method: str, path: str, body: Body | None, headers: Mapping[str, str]
    ) -> Answer | None:
        instances = self.urls[service]
        url = instances[self._turns.get(service, 0) % len(instances)]
        content = body.content if body else None
        try:
            response = await self._client.request(method, f"{url}{path}", content=content, headers=headers)
        except httpx.TransportError:
            # Whether it took effect is unknown: the same key makes asking again safe.
            self._turns[service] = self._turns.get(service, 0) + 1
            return None
        is_json = "json" in response.headers.get("content-type", "")
        return Answer(response.status_code, response.json() if is_json else None, response.headers.get("etag"))


def _try_again(answer: Answer) -> bool:
    return answer.status in _TRY_AGAIN or (answer.status == 409 and answer.code == _KEY_IN_USE)


def _in_words(answer: Answer) -> str:
    """A problem as one line; problems never repeat what was sent."""
    body = answer.body if isinstance(answer.body, dict) else {}
    reasons = [f"{error.get('field')}: {error.get('message')}" for error in body.get("errors") or ()]
    return "; ".join([f"{answer.status} {body.get('code') or ''} {body.get('detail') or ''}".strip(), *reasons[:5]])
