"""The audit of every access to patients' data."""

from revcycle_service_kit.migrations import audit_upgrade

revision = "coding_0003"
down_revision = "coding_0002"


def upgrade() -> None:
    audit_upgrade()
