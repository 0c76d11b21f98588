"""The audit of every access to patients' data."""

from revcycle_service_kit.migrations import audit_upgrade

revision = "analytics_0002"
down_revision = "analytics_0001"


def upgrade() -> None:
    audit_upgrade()
