"""Promise: no migration blocks traffic or loses what running code needs without somebody having written down why."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from revcycle_devstack import SERVICES
from revcycle_service_kit import migrations

pytestmark = pytest.mark.slow
SQUAWK = Path(sys.executable).parent / "squawk"
BASELINE: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "squawk-baseline.yaml").read_text(encoding="utf-8")
)["revisions"]


def rules_broken(sql: str, name: str) -> set[str]:
    """Names of the squawk rules that a script breaks."""
    command = [SQUAWK, "--reporter", "json", "--assume-in-transaction", "--pg-version", "18.0"]
    done = subprocess.run(
        [*command, "--stdin-filepath", f"{name}.sql"], input=sql, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return {found["rule_name"] for found in json.loads(done.stdout)}


def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Every revision of every service with the SQL of that one step."""
    monkeypatch.setenv(migrations.SERVICE_ROLE_VARIABLE, "service")
    for service in SERVICES:
        package = f"revcycle_{service.replace('-', '_')}.migrations"
        for revision in migrations.history(package).walk_revisions():
            before = revision.down_revision
            assert before is None or isinstance(before, str), f"{revision.revision} joins two histories"
            yield revision.revision, migrations.upgrade_script(package, before, revision.revision)


def test_every_revision_is_clean_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {name: rules_broken(sql, name) - set(BASELINE.get(name, {})) for name, sql in scripts(monkeypatch)}
    assert {name: rules for name, rules in broken.items() if rules} == {}
    assert set(BASELINE) <= set(broken), "the baseline names revisions that are gone"


def test_every_revision_has_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, sql in scripts(monkeypatch):
        limits = re.findall(r"^SET LOCAL (lock_timeout|statement_timeout) = '(\d+)s';$", sql, flags=re.MULTILINE)
        assert dict(limits) == {"lock_timeout": "5", "statement_timeout": "300"}, name


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE claims.claim DROP COLUMN payer_id;", "ban-drop-column"),
        ("ALTER TABLE claims.claim RENAME COLUMN payer_id TO payer;", "renaming-column"),
        ("CREATE INDEX claim_payer ON claims.claim (payer_id);", "require-concurrent-index-creation"),
        ("ALTER TABLE claims.claim ADD COLUMN payer text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE claims.claim ADD CONSTRAINT c CHECK (payer_id <> '');", "constraint-missing-not-valid"),
        ("ALTER TABLE claims.claim ALTER COLUMN payer_id TYPE bytea;", "changing-column-type"),
    ],
)
def test_a_planted_bad_migration_is_found(sql: str, rule: str) -> None:
    limits = "SET LOCAL lock_timeout = '5s';\nSET LOCAL statement_timeout = '300s';\n"
    assert rules_broken(limits + sql, "planted") >= {rule}
    unlimited = {"require-lock-timeout", "require-statement-timeout"}
    assert rules_broken(sql, "planted") >= unlimited
    assert not rules_broken(limits + sql, "planted") & unlimited
