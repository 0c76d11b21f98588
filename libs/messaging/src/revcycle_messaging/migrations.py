"""The chassis schema as text, for the services' own migration histories."""

from importlib.resources import files

CHASSIS_SQL: tuple[str, ...] = (files("revcycle_messaging").joinpath("schema.sql").read_text(),)
"""One script per version of the chassis; a service's revision executes the next one as its owner role."""


def grant_sql(service_role: str) -> str:
    """What the service's role may do with the chassis tables: rows, but no structure, and no change of the archive."""
    return f"""
        GRANT USAGE ON SCHEMA messaging TO "{service_role}";
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA messaging TO "{service_role}";
        REVOKE UPDATE, DELETE, TRUNCATE ON messaging.archive, messaging.intervention FROM "{service_role}";
        REVOKE ALL ON FUNCTION messaging.ensure_archive_day(date) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION messaging.ensure_archive_day(date) TO "{service_role}";
    """
