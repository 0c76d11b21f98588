"""Promise: the documentation site builds from the contracts without a warning, and a contract that drifted shows."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "revcycle.claims.PaymentPosted.v1.json"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_one_changed_field_is_drift(generator: ModuleType) -> None:
    """What the code would say after a change of one field is not what is committed."""
    path = ROOT / "docs" / "contracts" / "events" / PLANTED
    schema = json.loads(path.read_text())
    unchanged = {path: path.read_text()}
    schema["properties"]["paid_cents"]["type"] = "number"
    changed = {path: generator.as_text(schema)}
    assert path not in generator.drift(unchanged, write=False)
    assert path in generator.drift(changed, write=False)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_site_builds_and_has_its_pages() -> None:
    built = subprocess.run(
        [sys.executable, "scripts/build_site.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-3000:]
    html = ROOT / "docs" / "_site" / "html"
    wanted = ["index", "guides/add-a-rule", "contracts/events", "generated/rest-claims", "promises", "limits"]
    wanted += ["performance", "generated/adr", "generated/runbooks", "generated/topic-revcycle.claims.v1"]
    assert [page for page in wanted if not (html / f"{page}.html").is_file()] == []
    claims = (html / "generated" / "rest-claims.html").read_text()
    assert "/v1/claims/{claim_id}" in claims and "would_be_held" in claims
    assert "ce_seal" in (html / "contracts" / "events.html").read_text()
