"""Worklist items carry their reasons: rule, version, release, what is right."""

from alembic import op

revision = "coding_0002"
down_revision = "coding_0001"


def upgrade() -> None:
    op.execute("ALTER TABLE coding.task ADD COLUMN reasons jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    op.execute("ALTER TABLE coding.task DROP COLUMN reasons")
