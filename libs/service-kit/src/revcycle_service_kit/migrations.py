"""Schema changes: alembic's histories, turned into one script and run by the owner role in one transaction.

Alembic writes the script (its offline mode), asyncpg runs it: so a revision may hold whole scripts with many
statements, and nothing but asyncpg talks to the database. The version stands in ``kit.alembic_version``.
"""

import argparse
import io
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from revcycle_messaging import Database
from revcycle_messaging.migrations import CHASSIS_SQL, grant_sql

from revcycle_service_kit.settings import ServiceSettings
from revcycle_service_kit.tenancy import assert_tenants_protected, protection_sql
from revcycle_service_kit.transport_security import database_tls

SERVICE_ROLE_VARIABLE: Final = "REVCYCLE_DATABASE_SERVICE_ROLE"
LOCK_TIMEOUT: Final = "5s"
_ONE_AT_A_TIME: Final = 7_301_985

_KIT_SQL: Final = """
CREATE TABLE kit.idempotency (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid,
    client text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    status smallint NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, client, method, path, key)
);
CREATE INDEX idempotency_expiry ON kit.idempotency (tenant_id, expires_at);
"""


class MigrationError(Exception):
    """The database cannot be brought to, or is not at, the version of this code; the text says what to do."""


# -- helpers for revisions ------------------------------------------------------------------------------------------


def chassis_upgrade(version: int = 1) -> None:
    """Bring the chassis' own tables (schemas ``messaging`` and ``kit``) to a version; 1 creates them."""
    role = _service_role()
    op.execute(_verbatim(CHASSIS_SQL[version - 1]))
    op.execute(_verbatim(grant_sql(_unquoted(role))))
    if version == 1:
        op.execute(_verbatim(_KIT_SQL))
        op.execute(_verbatim(protection_sql("kit")))
        op.execute(f"GRANT USAGE ON SCHEMA kit TO {role}")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON kit.idempotency TO {role}")
        op.execute(f"GRANT SELECT ON kit.alembic_version TO {role}")


def create_service_schema(schema: str) -> None:
    """Create a service's schema and let its role use what will stand in it."""
    role = _service_role()
    op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    op.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    defaults = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
    op.execute(f"{defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}")
    op.execute(f"{defaults} GRANT USAGE, SELECT ON SEQUENCES TO {role}")


def protect_tenant_tables(schema: str) -> None:
    """Force row-level security on every table of the schema that has a ``tenant_id`` and no policy yet."""
    op.execute(_verbatim(protection_sql(schema)))


def _verbatim(sql: str) -> str:
    """SQL whose colons are no parameters."""
    return sql.replace(":", "\\:").replace("\\:\\:", "::")


def _service_role() -> str:
    """The service's role as a quoted identifier."""
    role = os.environ.get(SERVICE_ROLE_VARIABLE)
    if not role:
        raise MigrationError(f"set {SERVICE_ROLE_VARIABLE} to the role the service connects with")
    return '"' + role.replace('"', '""') + '"'


def _unquoted(role: str) -> str:
    return role[1:-1]


# -- running them ---------------------------------------------------------------------------------------------------


def history(migrations: str) -> ScriptDirectory:
    """The revisions of a service, from its package. MigrationError when there is none."""
    spec = find_spec(migrations)
    places = list(spec.submodule_search_locations or []) if spec else []
    folders = [Path(place) / "versions" for place in places if (Path(place) / "versions").is_dir()]
    if not folders:
        raise MigrationError(f"package {migrations} has no folder versions")
    config = Config()
    config.set_main_option("script_location", str(folders[0].parent))
    config.set_main_option("version_locations", str(folders[0]))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


@cache
def head_of(migrations: str) -> str:
    """The newest revision of a service. MigrationError when the history has several ends."""
    heads = history(migrations).get_heads()
    if len(heads) != 1:
        raise MigrationError(f"{migrations} has {len(heads)} newest revisions; there must be exactly one")
    return heads[0]


def upgrade_script(migrations: str, current: str | None) -> str:
    """The SQL that leads from a revision (None: nothing) to the newest one."""
    script = history(migrations)
    target = head_of(migrations)
    out = io.StringIO()
    config = Config(cmd_opts=argparse.Namespace())
    start = current or "base"
    environment = EnvironmentContext(
        config,
        script,
        fn=lambda revision, _context: script._upgrade_revs(target, start),
        as_sql=True,
        starting_rev=current,
        destination_rev=target,
    )
    with environment:
        environment.configure(
            dialect_name="postgresql",
            # The default style of parameters would double every percent sign of a function body.
            dialect_opts={"paramstyle": "named"},
            output_buffer=out,
            version_table_schema="kit",
            transactional_ddl=False,
        )
        environment.run_migrations()
    return out.getvalue()


async def migrate(settings: ServiceSettings, migrations: str) -> tuple[str | None, str]:
    """Bring the database to the newest revision; returns the former and the present one.

    Raises:
        MigrationError: no owner address, an unknown present revision, or a table with a tenant is unprotected.
    """
    if not settings.database_owner_url:
        raise MigrationError("set REVCYCLE_DATABASE_OWNER_URL: migrations run as the role that owns the database")
    role = settings.database_service_role or unquote(urlsplit(settings.database_url).username or "")
    if not role:
        raise MigrationError(f"set {SERVICE_ROLE_VARIABLE}, or name the role in REVCYCLE_DATABASE_URL")
    # Revisions read the role from the environment; it may have been derived from the address.
    os.environ[SERVICE_ROLE_VARIABLE] = role
    connection = await asyncpg.connect(settings.database_owner_url, timeout=15, ssl=database_tls(settings))
    try:
        async with connection.transaction():
            return await _migrate(connection, migrations)
    except asyncpg.LockNotAvailableError:
        raise MigrationError(f"a table was not free within {LOCK_TIMEOUT}; nothing was changed, try again") from None
    finally:
        await connection.close()


async def _migrate(connection: "asyncpg.Connection[asyncpg.Record]", migrations: str) -> tuple[str | None, str]:
    # Two instances may be deployed at once; the second waits for the first and then finds nothing to do.
    await connection.execute("SET LOCAL lock_timeout = '120s'")
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    await connection.execute("CREATE SCHEMA IF NOT EXISTS kit")
    current = None
    if await connection.fetchval("SELECT to_regclass('kit.alembic_version') IS NOT NULL"):
        current = await connection.fetchval("SELECT version_num FROM kit.alembic_version")
    head = head_of(migrations)
    if current == head:
        return current, head
    known = {revision.revision for revision in history(migrations).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationError(f"the database is at {current}, which this code does not know; deploy a newer version")
    await connection.execute(upgrade_script(migrations, current))
    await assert_tenants_protected(connection)
    return current, head


async def require_head(database: Database, migrations: str) -> None:
    """Refuse to go on unless the database is exactly at the newest revision of this code.

    Raises:
        MigrationError: it is not, with what to do.
        Transient: the database is away.
    """
    async with database.connection() as connection:
        exists = await connection.fetchval("SELECT to_regclass('kit.alembic_version') IS NOT NULL")
        current = await connection.fetchval("SELECT version_num FROM kit.alembic_version") if exists else None
    head = head_of(migrations)
    if current != head:
        program = migrations.removesuffix(".migrations")
        raise MigrationError(
            f"the database is at revision {current or 'none'}, this code needs {head}; run: python -m {program} migrate"
        )
