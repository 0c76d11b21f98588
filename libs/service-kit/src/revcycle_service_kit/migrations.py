"""Schema changes: alembic's histories, turned into one script and run by the owner role in one transaction.

Alembic writes the script (its offline mode), asyncpg runs it: so a revision may hold whole scripts with many
statements, and nothing but asyncpg talks to the database. The version stands in ``kit.alembic_version``.

During a rollout code of two releases runs on one schema, so neither asks for exactly its own revision:

- newer schema than code: ``kit.code_that_runs`` names the revisions whose code still runs. A revision that takes
  something away says from which revision on (``oldest_code = "claims_0007"``); one that says nothing only adds.
- older schema than code: ``OLDEST_SCHEMA`` of the service's migrations package names the oldest revision that its code
  runs on; absent: its newest.
"""

import argparse
import io
import os
from collections.abc import Collection
from functools import cache
from importlib import import_module
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
STATEMENT_TIMEOUT: Final = "300s"
"""More belongs into a backfill in batches beside the migration: docs/guides/migrations.md."""
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

_AUDIT_SQL: Final = """
CREATE TABLE kit.audit_record (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid,
    chain bigint NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    at timestamptz NOT NULL,
    subject text NOT NULL,
    roles text[] NOT NULL,
    operation text NOT NULL,
    data text NOT NULL,
    about uuid[] NOT NULL,
    status bigint NOT NULL,
    request_id text NOT NULL,
    key_id text NOT NULL,
    mac bytea NOT NULL,
    PRIMARY KEY (tenant_id, chain, sequence)
);
CREATE INDEX audit_record_about ON kit.audit_record USING gin (about);
CREATE INDEX audit_record_subject ON kit.audit_record (tenant_id, subject, at);
CREATE TABLE kit.audit_head (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid,
    chain bigint NOT NULL,
    sequence bigint NOT NULL,
    mac bytea NOT NULL,
    key_id text NOT NULL,
    seal bytea NOT NULL,
    PRIMARY KEY (tenant_id, chain)
) WITH (fillfactor = 50);
CREATE FUNCTION kit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'the audit only grows' USING ERRCODE = 'insufficient_privilege';
END $body$;
CREATE FUNCTION kit.refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF NEW.sequence <= OLD.sequence THEN
        RAISE EXCEPTION 'the head of an audit chain only moves forward' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $body$;
CREATE TRIGGER audit_record_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON kit.audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION kit.refuse_change();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON kit.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION kit.refuse_change();
CREATE TRIGGER audit_head_moves_forward BEFORE UPDATE ON kit.audit_head
    FOR EACH ROW EXECUTE FUNCTION kit.refuse_going_back();
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


def audit_upgrade() -> None:
    """Create the tables of the audit. The service's role adds rows and moves heads forward; nobody changes rows."""
    role = _service_role()
    op.execute(_verbatim(_AUDIT_SQL))
    op.execute(_verbatim(protection_sql("kit")))
    op.execute(f"GRANT SELECT, INSERT ON kit.audit_record, kit.audit_head TO {role}")
    op.execute(f"GRANT UPDATE (sequence, mac, key_id, seal) ON kit.audit_head TO {role}")


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


def upgrade_script(migrations: str, current: str | None, target: str | None = None) -> str:
    """The SQL that leads from a revision (None: nothing) to another (None: the newest), with its time limits."""
    script = history(migrations)
    target = target or head_of(migrations)
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
    out.write(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';\nSET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}';\n\n")
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
    except asyncpg.QueryCanceledError:
        raise MigrationError(
            f"a statement took longer than {STATEMENT_TIMEOUT}; nothing was changed. Move its work into a backfill: "
            "docs/guides/migrations.md"
        ) from None
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
    known = revisions_of(migrations)
    if current == head:
        await connection.execute(_note_sql(migrations))
        return current, head
    if current is not None and current not in known:
        raise MigrationError(f"the database is at {current}, which this code does not know; deploy a newer version")
    await connection.execute(upgrade_script(migrations, current))
    await connection.execute(_note_sql(migrations))
    await assert_tenants_protected(connection)
    return current, head


def _note_sql(migrations: str) -> str:
    """Tells code that does not know the newest revisions whether it may go on."""
    revisions = ", ".join(f"('{revision}')" for revision in code_that_runs(migrations))
    return f"""
        CREATE TABLE IF NOT EXISTS kit.code_that_runs (revision text PRIMARY KEY);
        GRANT SELECT ON kit.code_that_runs TO {_service_role()};
        DELETE FROM kit.code_that_runs;
        INSERT INTO kit.code_that_runs (revision) VALUES {revisions};
    """  # noqa: S608  # revision ids stand in our own files


def whole_schema(migrations: str) -> str:
    """The SQL that makes a service's schema from nothing, in one script, as ``migrate`` would."""
    return f"CREATE SCHEMA IF NOT EXISTS kit;\n{upgrade_script(migrations, None)}\n{_note_sql(migrations)}"


def revisions_of(migrations: str) -> list[str]:
    """Every revision of a service, the newest first."""
    return [revision.revision for revision in history(migrations).walk_revisions()]


def code_that_runs(migrations: str) -> list[str]:
    """The revisions whose code runs on the newest schema, the newest first.

    Raises:
        MigrationError: a revision names an ``oldest_code`` that is none of its ancestors.
    """
    running: list[str] = []
    bound: str | None = None
    for revision in history(migrations).walk_revisions():
        running.append(revision.revision)
        bound = bound or getattr(revision.module, "oldest_code", None)
        if revision.revision == bound:
            return running
    if bound is not None:
        raise MigrationError(f"{migrations}: oldest_code is {bound}, which is no earlier revision")
    return running


def oldest_schema(migrations: str) -> str:
    """The oldest revision that this code runs on.

    Raises:
        MigrationError: ``OLDEST_SCHEMA`` of the package is no revision of it.
    """
    oldest: str = getattr(import_module(migrations), "OLDEST_SCHEMA", head_of(migrations))
    if oldest not in revisions_of(migrations):
        raise MigrationError(f"{migrations}: OLDEST_SCHEMA is {oldest}, which is no revision of it")
    return oldest


async def require_schema(database: Database, migrations: str) -> None:
    """Refuse to go on unless this code runs on the schema of the database: its own, an older or a newer one.

    Raises:
        MigrationError: it is not, with what to do.
        Transient: the database is away.
    """
    async with database.connection() as connection:
        exists = await connection.fetchval("SELECT to_regclass('kit.alembic_version') IS NOT NULL")
        current = await connection.fetchval("SELECT version_num FROM kit.alembic_version") if exists else None
        if current == head_of(migrations):
            return
        noted = await connection.fetchval("SELECT to_regclass('kit.code_that_runs') IS NOT NULL")
        rows = await connection.fetch("SELECT revision FROM kit.code_that_runs") if noted else []
    if (why := _why_not(migrations, current, {row["revision"] for row in rows})) is not None:
        raise MigrationError(why)


def _why_not(migrations: str, current: str | None, runs: Collection[str]) -> str | None:
    """Why this code does not run on a schema at ``current`` that names the code that ``runs``; None when it does."""
    head, known = head_of(migrations), revisions_of(migrations)
    if current is not None and current not in known:
        if head in runs:
            return None
        return f"the database is at revision {current}, on which code of {head} does not run; deploy a newer version"
    oldest = oldest_schema(migrations)
    if current is not None and known.index(current) <= known.index(oldest):
        return None
    program = migrations.removesuffix(".migrations")
    return (
        f"the database is at revision {current or 'none'}, this code needs {oldest}; run: python -m {program} migrate"
    )
