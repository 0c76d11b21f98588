"""Filters and cursors of lists."""

from typing import TypeVar

from revcycle_service_kit import PageParameters

T = TypeVar("T")


def chosen(**filters: object) -> dict[str, object]:
    """The filters that were given; names are columns."""
    return {name: value for name, value in filters.items() if value is not None}


def after(page: PageParameters, kind: type[T]) -> T | None:
    """The position behind which a page starts, of the type the list is ordered by."""
    position = page.after()
    if position is None:
        return None
    value = position[0]
    assert isinstance(value, kind), "a cursor is bound to its list"
    return value
