"""One way to read a list in pages, newest first."""

from collections.abc import Mapping

from asyncpg import Record
from revcycle_messaging import UnitOfWork


async def select_page(
    uow: UnitOfWork,
    select: str,
    *,
    order: str,
    order_type: str,
    filters: Mapping[str, object],
    after: object | None,
    limit: int,
) -> list[Record]:
    """Rows of ``select`` (up to FROM) below the cursor ``after`` in the column ``order``.

    ``filters`` are column name to value; the names are constants of the routers, never input.
    """
    names = sorted(filters)
    conditions = "".join(f" AND {name} = ${position}" for position, name in enumerate(names, start=3))
    return await uow.fetch(
        f"{select} WHERE ($1::{order_type} IS NULL OR {order} < $1) {conditions} ORDER BY {order} DESC LIMIT $2",
        after,
        limit,
        *(filters[name] for name in names),
    )
