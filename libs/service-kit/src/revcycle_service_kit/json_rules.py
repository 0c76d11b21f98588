"""Rules of JSON bodies that parsers are lenient about: no name twice, no NaN, no deep nesting."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request

from revcycle_service_kit.problems import BadRequest, FieldError

MAX_DEPTH: Final = 32
# Beyond this size the check would hold up the event loop noticeably.
_INLINE_BYTES: Final = 256 * 1024


class _Broken(Exception):
    """A rule that does not hold: (rule, message, expected)."""


async def check_json_body(request: Request) -> None:
    """Refuse a JSON body that breaks a rule. One that is no JSON at all is left to the framework to refuse.

    Raises:
        BadRequest: with the rule.
    """
    if request.method not in ("POST", "PUT", "PATCH") or "json" not in request.headers.get("content-type", ""):
        return
    body = await request.body()
    broken = find_broken_rule(body) if len(body) <= _INLINE_BYTES else await asyncio.to_thread(find_broken_rule, body)
    if broken is not None:
        rule, message, expected = broken
        raise BadRequest("the JSON of the body breaks a rule", errors=[FieldError("", rule, message, expected)])


def find_broken_rule(body: bytes) -> tuple[str, str, str] | None:
    """Rule, message and expectation of the first broken rule; None for JSON that keeps them, or no JSON."""
    try:
        _check_depth(json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant))
    except _Broken as broken:
        rule, message, expected = broken.args
        return rule, message, expected
    except RecursionError:
        return "depth", "is nested too deeply", f"at most {MAX_DEPTH} levels"
    except ValueError:
        return None
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Broken("duplicate_name", "an object has a name twice", "each name once")
    return found


def _refuse_constant(_name: str) -> None:
    raise _Broken("number", "NaN and Infinity are not JSON numbers", "a finite number")


def _check_depth(document: object) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise _Broken("depth", "is nested too deeply", f"at most {MAX_DEPTH} levels")


def _children(node: object) -> Iterable[object]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
