"""Promise: during a rollout code of two releases runs on one schema, and code that would not run says so at once."""

import importlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from revcycle_messaging import Database
from revcycle_messaging.testing import make_key_ring
from revcycle_service_kit import ServiceSettings, migrations

pytestmark = pytest.mark.component
SAMPLE = Path(__file__).parent / "sample" / "kit_sample_service" / "migrations" / "versions" / "0001_sample.py"
ADDS = """
from alembic import op
revision, down_revision = "sample_0002", "sample_0001"
def upgrade() -> None:
    op.execute("ALTER TABLE sample.note ADD COLUMN remark text")
"""
TAKES_AWAY = """
from alembic import op
revision, down_revision = "sample_0003", "sample_0002"
oldest_code = "sample_0002"
def upgrade() -> None:
    op.execute("ALTER TABLE sample.note DROP COLUMN title")
"""
WAITS = """
from alembic import op
revision, down_revision = "sample_0002", "sample_0001"
def upgrade() -> None:
    op.execute("SELECT pg_sleep(30)")
"""
Release = Callable[..., str]


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Makes the migrations package of a release: the sample's first revision and these."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, *revisions: str, oldest_schema: str = "") -> str:
        versions = tmp_path / name / "versions"
        versions.mkdir(parents=True)
        stated = f'OLDEST_SCHEMA = "{oldest_schema}"\n' if oldest_schema else ""
        (versions.parent / "__init__.py").write_text(stated)
        shutil.copy(SAMPLE, versions)
        for number, text in enumerate(revisions, start=2):
            (versions / f"{number:04}_sample.py").write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return name

    return make


@pytest.fixture
async def made(postgresql: Any) -> AsyncIterator[Any]:
    database = await postgresql.create_database("kit_migrations")
    yield database
    await postgresql.drop_database(database)


def settings_of(made: Any) -> ServiceSettings:
    return ServiceSettings(
        service_name="sample",
        database_url=made.service_url,
        database_owner_url=made.owner_url,
        database_service_role=made.service_role,
    )


async def refusal(made: Any, package: str, folder: Path) -> str:
    """Why code with these migrations does not start on the database; empty when it does."""
    keys = make_key_ring(folder, service="sample")
    database = await Database.connect(made.service_url, service="sample", keys=keys)
    try:
        await migrations.require_schema(database, package)
    except migrations.MigrationError as refused:
        return str(refused)
    finally:
        await database.close()
    return ""


async def test_code_of_the_last_release_runs_on_a_schema_that_only_added(
    made: Any, release: Release, tmp_path: Path
) -> None:
    first, second = release("first"), release("second", ADDS)
    assert await migrations.migrate(settings_of(made), first) == (None, "sample_0001")
    assert await migrations.migrate(settings_of(made), second) == ("sample_0001", "sample_0002")
    assert [await refusal(made, package, tmp_path) for package in (first, second)] == ["", ""]


async def test_what_takes_something_away_ends_the_code_that_needs_it_and_no_other(
    made: Any, release: Release, tmp_path: Path
) -> None:
    first, second, third = release("first"), release("second", ADDS), release("third", ADDS, TAKES_AWAY)
    await migrations.migrate(settings_of(made), third)
    assert await refusal(made, second, tmp_path) == ""
    assert await refusal(made, third, tmp_path) == ""
    assert await refusal(made, first, tmp_path) == (
        "the database is at revision sample_0003, on which code of sample_0001 does not run; deploy a newer version"
    )


async def test_code_runs_ahead_of_its_migration_only_where_it_says_so(
    made: Any, release: Release, tmp_path: Path
) -> None:
    await migrations.migrate(settings_of(made), release("first"))
    assert await refusal(made, release("patient", ADDS, oldest_schema="sample_0001"), tmp_path) == ""
    needy = await refusal(made, release("needy", ADDS), tmp_path)
    assert needy.startswith(
        "the database is at revision sample_0001, this code needs sample_0002; run: python -m needy"
    )


def test_a_revision_that_names_no_ancestor_is_refused(release: Release) -> None:
    wrong = release("wrong", ADDS, TAKES_AWAY.replace('oldest_code = "sample_0002"', 'oldest_code = "sample_0009"'))
    with pytest.raises(migrations.MigrationError, match="sample_0009"):
        migrations.code_that_runs(wrong)
    with pytest.raises(migrations.MigrationError, match="sample_0009"):
        migrations.oldest_schema(release("lost", ADDS, oldest_schema="sample_0009"))


async def test_a_migration_gives_up_instead_of_making_everybody_wait(
    made: Any, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a lock it cannot have nor a statement without an end is waited for; nothing is left half done."""
    first = release("first")
    await migrations.migrate(settings_of(made), first)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(migrations, "STATEMENT_TIMEOUT", "400ms")
    busy = await asyncpg.connect(made.service_url)
    try:
        async with busy.transaction():
            await busy.execute("SELECT set_config('app.tenant', gen_random_uuid()::text, true)")
            await busy.fetch("SELECT * FROM sample.note")
            with pytest.raises(migrations.MigrationError, match="not free within 100ms; nothing was changed"):
                await migrations.migrate(settings_of(made), release("second", ADDS))
    finally:
        await busy.close()
    with pytest.raises(migrations.MigrationError, match="longer than 400ms; nothing was changed"):
        await migrations.migrate(settings_of(made), release("endless", WAITS))
    assert await migrations.migrate(settings_of(made), first) == ("sample_0001", "sample_0001")
