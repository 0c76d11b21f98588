"""Databases and roles: one database per service, an owner that migrates, a service role that only reads and writes.

No role can enter another service's database. One read-only role for the checker sees all of them past row security.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

CHECKER_ROLE: Final = "revcycle_checker"


def database_name(service: str) -> str:
    """`adjudication-gateway` keeps its data in `revcycle_adjudication_gateway`."""
    return "revcycle_" + service.replace("-", "_")


@dataclass(frozen=True)
class DatabaseGrant:
    """One database with its two roles and their passwords."""

    database: str
    owner_role: str
    owner_password: str
    service_role: str
    service_password: str


def url_for(admin_url: str, database: str, role: str, password: str) -> str:
    """The admin's URL with another role and database; host, port and query stay."""
    parts = urlsplit(admin_url)
    address = parts.netloc.rsplit("@", 1)[-1]
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{address}"
    return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))


def admin_url_in(admin_url: str, database: str) -> str:
    """The admin's URL, entering another database."""
    parts = urlsplit(admin_url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


async def _ensure_role(connection: asyncpg.Connection, role: str, password: str, attributes: str) -> None:
    exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # Neither names nor passwords can be bound in these statements; both are quoted.
    await connection.execute(f"{verb} ROLE {_identifier(role)} {attributes} PASSWORD {_literal(password)}")


async def ensure_checker(admin_url: str, password: str) -> None:
    """Make the read-only role that sees every row of every database, and close the maintenance database to others."""
    connection = await asyncpg.connect(admin_url, timeout=30)
    try:
        await _ensure_role(
            connection,
            CHECKER_ROLE,
            password,
            "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS CONNECTION LIMIT 20",
        )
        await connection.execute(f"GRANT pg_read_all_data TO {_identifier(CHECKER_ROLE)}")
        await connection.execute(f"ALTER ROLE {_identifier(CHECKER_ROLE)} SET default_transaction_read_only = on")
    finally:
        await connection.close()


async def ensure_database(admin_url: str, grant: DatabaseGrant) -> bool:
    """Make the database, its two roles and the rights between them; what exists stays, passwords are set anew.

    Returns whether the database was made now.
    """
    owner, service, database = (_identifier(n) for n in (grant.owner_role, grant.service_role, grant.database))
    attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
    connection = await asyncpg.connect(admin_url, timeout=30)
    try:
        await _ensure_role(connection, grant.owner_role, grant.owner_password, attributes)
        await _ensure_role(connection, grant.service_role, grant.service_password, attributes)
        # An admin who is no superuser must be a member of the owner to hand it a database and set its defaults.
        await connection.execute(f"GRANT {owner} TO CURRENT_USER")
        exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", grant.database)
        if not exists:
            await connection.execute(f"CREATE DATABASE {database} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {service}, {_identifier(CHECKER_ROLE)}")
    finally:
        await connection.close()
    await _grant_defaults(admin_url_in(admin_url, grant.database), owner, service)
    return not exists


async def _grant_defaults(url: str, owner: str, service: str) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner}"
        await connection.execute(f"{defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service}")
        await connection.execute(f"{defaults} GRANT USAGE, SELECT ON SEQUENCES TO {service}")
    finally:
        await connection.close()
