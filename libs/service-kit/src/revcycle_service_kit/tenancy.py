"""Row-level security: every table with a tenant shows and takes rows of the transaction's tenant only.

Without a tenant set, or with an empty one as a pooled connection is left with, the policy's cast fails: closed.
"""

from typing import Any, Final

POLICY: Final = "tenant_only"

_UNPROTECTED: Final = """
    SELECT format('%s.%s', n.nspname, c.relname) AS name
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('messaging', 'pg_catalog', 'information_schema')
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity
            AND EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = c.oid))
    UNION ALL
    SELECT format('view %s.%s (needs security_invoker)', n.nspname, c.relname)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind = 'v' AND n.nspname NOT IN ('messaging', 'pg_catalog', 'information_schema')
        AND NOT coalesce(c.reloptions, '{}') && ARRAY['security_invoker=true', 'security_invoker=on']
    UNION ALL
    SELECT format('materialized view %s.%s (row-level security cannot protect one)', n.nspname, c.relname)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind = 'm' AND n.nspname NOT IN ('messaging', 'pg_catalog', 'information_schema')
    ORDER BY 1
"""

_PROTECT: Final = """
DO $protect$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.oid::regclass AS name
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'p')
            AND NOT EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', found.name);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', found.name);
        EXECUTE format(
            'CREATE POLICY {policy} ON %s USING (tenant_id = current_setting(''app.tenant'')::uuid)', found.name);
    END LOOP;
END $protect$;
"""


class UnprotectedTables(Exception):
    """Tables with a tenant that row-level security does not protect; the text names them."""


def protection_sql(schema: str) -> str:
    """A script that protects every table of a schema that has a ``tenant_id`` and no policy yet."""
    return _PROTECT.replace("{schema}", schema).replace("{policy}", POLICY)


async def unprotected_tables(connection: Any) -> list[str]:
    """Tables and views with a tenant column that would show rows of other tenants; empty when all is well."""
    return [row["name"] for row in await connection.fetch(_UNPROTECTED)]


async def assert_tenants_protected(connection: Any) -> None:
    """Raise UnprotectedTables unless every table and view with a tenant is protected."""
    if names := await unprotected_tables(connection):
        raise UnprotectedTables(f"call protect_tenant_tables in the revision: unprotected are {', '.join(names)}")
