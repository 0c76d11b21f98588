"""Row-level security binds the owner of a table too, not only the service's role."""

from typing import Any

import asyncpg
import pytest
from revcycle_service_kit.tenancy import protection_sql
from revcycle_service_kit.testing import OTHER_TENANT, TENANT

pytestmark = pytest.mark.component


async def test_the_owner_of_a_table_sees_one_tenant_too(postgresql: Any) -> None:
    """Without FORCE whoever owns the table, a migration for example, would see and change everybody's rows."""
    made = await postgresql.create_database("forced")
    owner = await asyncpg.connect(made.owner_url)
    try:
        await owner.execute("CREATE SCHEMA sample; CREATE TABLE sample.note (tenant_id uuid NOT NULL, text text)")
        await owner.execute(
            "INSERT INTO sample.note SELECT tenant_id, 'x' FROM unnest($1::uuid[]) AS t (tenant_id)",
            [TENANT, OTHER_TENANT],
        )
        await owner.execute(protection_sql("sample"))
        await owner.execute(f"SET app.tenant = '{TENANT}'")
        assert await owner.fetchval("SELECT array_agg(tenant_id) FROM sample.note") == [TENANT]
    finally:
        await owner.close()
