"""Notes, and what was seen, sent and overdue."""

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "sample_0001"
down_revision = None

TENANT = "tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid"


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("sample")
    op.execute(
        f"""
        CREATE TABLE sample.note ({TENANT}, note_id uuid NOT NULL, number integer NOT NULL CHECK (number > 0),
            title text NOT NULL, version integer NOT NULL DEFAULT 1, PRIMARY KEY (tenant_id, note_id),
            UNIQUE (tenant_id, number));
        CREATE TABLE sample.seen ({TENANT}, note_id text NOT NULL, number integer NOT NULL,
            PRIMARY KEY (tenant_id, note_id, number));
        CREATE TABLE sample.effect ({TENANT}, place text NOT NULL, what text NOT NULL, at timestamptz);
        """
    )
    protect_tenant_tables("sample")
