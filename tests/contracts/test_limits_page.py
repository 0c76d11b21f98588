"""The page of limits cannot go stale: its defaults are those of the code, its settings and its tests exist."""

import importlib
import re

import pytest
from revcycle_messaging import Database, KeyRing
from revcycle_service_kit.settings import ServiceSettings

from .pages import TEST_ID, function_of, table_rows

ROWS = [cells for cells in table_rows("limits.md") if len(cells) == 5]
_PLACE = re.compile(r"`([\w.]+):([\w.]+)(?:\[(\w+)\])?`")
_VARIABLE = re.compile(r"`REVCYCLE_(\w+)`")


def default_of(setting: str) -> object:
    """What the code says: a setting from the environment, a constant, a class's attribute or an entry of a table."""
    if variable := _VARIABLE.fullmatch(setting):
        return ServiceSettings.model_fields[variable[1].lower()].default
    place = _PLACE.fullmatch(setting)
    assert place is not None, f"{setting} names no place"
    module, path, entry = place.groups()
    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = _made(found, name)
    return found[entry] if entry else found  # type: ignore[index]  # a place with an entry is a mapping


def _made(owner: object, name: str) -> object:
    """An attribute, which of some classes only an object has."""
    if owner is Database:
        return getattr(Database(None, "", "", KeyRing.__new__(KeyRing)), name)  # type: ignore[arg-type]  # no pool needed
    if isinstance(owner, type) and hasattr(owner, "__dataclass_fields__"):
        return owner.__dataclass_fields__[name].default
    return getattr(owner, name)


@pytest.mark.parametrize(("limit", "default", "setting", "effect", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_a_limit_is_what_the_page_says(limit: str, default: str, setting: str, effect: str, shown: str) -> None:
    assert str(default_of(setting)) == default, f"{limit}: the page says {default}"
    assert len(effect) > 10, f"{limit}: say what happens"
    tests = TEST_ID.findall(shown)
    assert tests, f"{limit}: name the test that shows it"
    for file, name in tests:
        assert function_of(file, name) is not None, f"{limit}: {file}::{name} does not exist"


def test_the_page_has_every_section() -> None:
    assert len(ROWS) >= 25
