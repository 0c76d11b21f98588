"""Rollups: exact sums per measure, day, payer and CARC; and which claims were answered."""

from alembic import op
from revcycle_service_kit.migrations import chassis_upgrade, create_service_schema, protect_tenant_tables

revision = "analytics_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    chassis_upgrade()
    create_service_schema("analytics")
    op.execute(
        """
        CREATE TABLE analytics.rollup (
            tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid,
            measure text NOT NULL,
            day date NOT NULL,
            payer_id text NOT NULL,
            carc text NOT NULL,
            value bigint NOT NULL,
            PRIMARY KEY (tenant_id, measure, day, payer_id, carc)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute(
        """
        CREATE TABLE analytics.answered_claim (
            tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant')::uuid,
            claim_id uuid NOT NULL,
            PRIMARY KEY (tenant_id, claim_id)
        )
        """
    )
    protect_tenant_tables("analytics")
