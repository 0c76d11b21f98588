"""Entity tags and conditions (RFC 9110, 13): what a client read is what it changes."""

from starlette.requests import Request

from revcycle_service_kit.problems import PreconditionFailed, PreconditionRequired


def etag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def require_if_match(request: Request, version: int) -> None:
    """Let a change through only for the version the client read.

    Raises:
        PreconditionRequired: no If-Match.
        PreconditionFailed: it names another version, or a weak tag.
    """
    wanted = request.headers.get("if-match")
    if wanted is None:
        raise PreconditionRequired("send If-Match with the ETag you read, so that no change of others is overwritten")
    if wanted.strip() != "*" and etag(version) not in _tags(wanted):
        raise PreconditionFailed("it was changed since you read it; read it again and repeat the change")


def not_modified(request: Request, version: int) -> bool:
    """Whether the client's If-None-Match names this version: the answer is then 304 without a body."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or etag(version) in [tag.removeprefix("W/") for tag in _tags(known)]


def _tags(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
