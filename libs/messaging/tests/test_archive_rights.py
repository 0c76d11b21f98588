"""Promise: what was published is never changed: the service's role may not touch a day of the archive."""

from datetime import date

import pytest
from revcycle_messaging import Database

pytestmark = pytest.mark.component


async def test_a_day_of_the_archive_can_be_read_and_not_changed_by_the_service(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("SELECT messaging.ensure_archive_day($1)", date(2026, 9, 30))
        rights = {
            right: await connection.fetchval(
                "SELECT has_table_privilege(session_user, 'messaging.archive_20260930', $1)", right
            )
            for right in ("SELECT", "UPDATE", "DELETE", "TRUNCATE")
        }
    assert rights == {"SELECT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}
