"""Pages: a cursor is a sealed position, bound to the tenant, the path and the filters it was made for."""

import base64
import os
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from fastapi import Depends, Query, Request
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError
from revcycle_messaging import KeyRing, MissingKey
from revcycle_messaging.keys import ENVELOPE

from revcycle_service_kit.access import CurrentCaller
from revcycle_service_kit.auth import Caller
from revcycle_service_kit.problems import BadRequest, FieldError

T = TypeVar("T")
Scalar = str | int | bool | None | UUID | datetime | date
MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50
_NONCE_BYTES: Final = 12
_MAX_CURSOR: Final = 1000


class Page(BaseModel, Generic[T]):
    """A page of a collection; no ``next_page_token``: it was the last one."""

    items: list[T]
    next_page_token: str | None = None


def encode_cursor(position: Sequence[Scalar], keys: KeyRing, tenant_id: UUID, scope: str) -> str:
    """Seal a position for one tenant and one list. MissingKey for an unknown tenant."""
    key_id, cipher = keys.active(tenant_id, ENVELOPE)
    nonce = os.urandom(_NONCE_BYTES)
    text = orjson.dumps([_tagged(value) for value in position])
    blob = nonce + cipher.encrypt(nonce, text, _bound_to(tenant_id, scope))
    return f"{key_id}.{base64.urlsafe_b64encode(blob).decode().rstrip('=')}"


def decode_cursor(token: str, keys: KeyRing, tenant_id: UUID, scope: str) -> tuple[Scalar, ...]:
    """The position of a cursor made for this tenant and list. Raises BadRequest for any other."""
    try:
        if len(token) > _MAX_CURSOR:
            raise ValueError
        key_id, _, text = token.partition(".")
        blob = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cipher = keys.cipher(tenant_id, ENVELOPE, key_id)
        opened = cipher.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], _bound_to(tenant_id, scope))
        return tuple(_untagged(tag, value) for tag, value in orjson.loads(opened))
    except (ValueError, InvalidTag, MissingKey):
        expected = "the next_page_token of the former page, with the same filters"
        raise BadRequest(
            "page_token does not belong to this list; begin again without it",
            errors=[FieldError("page_token", "cursor", "was not made for this list", expected)],
        ) from None


def _bound_to(tenant_id: UUID, scope: str) -> bytes:
    return f"cursor\n{tenant_id}\n{scope}".encode()


def _tagged(value: Scalar) -> tuple[str, Any]:
    if isinstance(value, UUID):
        return "u", str(value)
    if isinstance(value, datetime):
        return "t", value.isoformat()
    if isinstance(value, date):
        return "d", value.isoformat()
    return "", value


def _untagged(tag: str, value: Any) -> Scalar:
    readers: dict[str, Callable[[str], Scalar]] = {
        "u": UUID,
        "t": datetime.fromisoformat,
        "d": date.fromisoformat,
    }
    reader = readers.get(tag)
    read: Scalar = reader(value) if reader else value
    return read


class PageRequest:
    """What a client asked for: how many, and behind which position."""

    def __init__(self, limit: int, page_token: str | None, request: Request, caller: Caller) -> None:
        self.limit = limit
        self.fetch_limit = limit + 1
        self._page_token = page_token
        self._request = request
        self._keys: KeyRing = request.app.state.context.keyring
        self._tenant_id = caller.tenant_id
        filters = sorted(item for item in request.query_params.multi_items() if item[0] not in ("limit", "page_token"))
        self._scope = f"{request.url.path}\n{filters}"

    def after(self) -> tuple[Scalar, ...] | None:
        """The position to go on behind, None for the first page. Raises BadRequest for a cursor that is not ours."""
        if self._page_token is None:
            return None
        return decode_cursor(self._page_token, self._keys, self._tenant_id, self._scope)

    def of(self, items: Sequence[T], position: Callable[[T], Sequence[Scalar]]) -> Page[T]:
        """The page from up to ``fetch_limit`` items: one more than ``limit`` says that there is a next page."""
        kept = list(items[: self.limit])
        token = None
        if len(items) > self.limit:
            token = encode_cursor(position(kept[-1]), self._keys, self._tenant_id, self._scope)
            # The door makes a Link header of it, for clients that follow links.
            url = self._request.url.include_query_params(page_token=token)
            self._request.state.next_page = f"{url.path}?{url.query}"
        return Page(items=kept, next_page_token=token)


def _written_plainly(text: object) -> object:
    """A number in digits alone: int would also take white space, signs and underscores, which the contract does not."""
    if isinstance(text, str) and not (text.isascii() and text.isdecimal()):
        raise PydanticCustomError("int_parsing", "Input should be a valid integer")
    return text


async def page_request(
    request: Request,
    caller: CurrentCaller,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="Items per page"), BeforeValidator(_written_plainly)
    ] = DEFAULT_LIMIT,
    page_token: Annotated[str | None, Query(description="`next_page_token` of the former page")] = None,
) -> PageRequest:
    """The page a request asks for."""
    return PageRequest(limit, page_token, request, caller)


PageParameters = Annotated[PageRequest, Depends(page_request)]
"""``page: PageParameters`` in an endpoint."""
