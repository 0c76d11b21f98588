"""Positions of cursors: the id a page goes on behind."""

from uuid import UUID

from revcycle_service_kit import PageRequest


def after_id(page: PageRequest) -> UUID | None:
    """The id to go on behind; None for the first page."""
    position = page.after()
    return position[0] if position and isinstance(position[0], UUID) else None


def after_text(page: PageRequest) -> str | None:
    """The name to go on behind; None for the first page."""
    position = page.after()
    return position[0] if position and isinstance(position[0], str) else None
