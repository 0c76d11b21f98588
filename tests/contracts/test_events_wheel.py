"""Promise: `revcycle-events` is a wheel of its own that needs pydantic and nothing else."""

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READ_AN_EVENT = """
import importlib.metadata, json, sys
from revcycle_events import REGISTRY, PaymentPosted, contract_of
document = json.load(open(sys.argv[1]))
example = document["components"]["messages"][PaymentPosted.contract.type]["examples"][0]
event = contract_of(example["headers"]["ce_type"]).model_validate(example["payload"])
assert isinstance(event, PaymentPosted) and event.key == example["headers"]["ce_subject"]
ours = sorted(each.name for each in importlib.metadata.distributions() if each.name.startswith("revcycle"))
print(ours, event.paid_cents, len(REGISTRY))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the backend its project names, which is installed already: nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=ROOT / "libs" / "events",
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / built.stdout.splitlines()[-1]


@pytest.mark.slow
def test_it_requires_pydantic_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
        top = {each.split("/")[0] for each in archive.namelist() if ".dist-info" not in each}
        assert "revcycle_events/py.typed" in archive.namelist()
    requirements = metadata.get_all("Requires-Dist") or []
    assert len(requirements) == 1 and requirements[0].startswith("pydantic"), requirements
    assert metadata["Name"] == "revcycle-events" and top == {"revcycle_events"}


@pytest.mark.slow
def test_it_reads_an_event_where_nothing_of_ours_is_installed(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with the wheel alone; pydantic is lent from this one, as no index may be asked."""
    environment = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    uv = Path(sys.executable).with_name("uv")
    python = environment / "bin" / "python"
    install = [str(uv), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(install, check=True)
    lent = tmp_path / "lent"
    lent.mkdir()
    for name in ("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions.py"):
        (lent / name).symlink_to(Path(__import__("pydantic").__file__).parent.parent / name)
    document = ROOT / "docs" / "contracts" / "asyncapi.json"
    ran = subprocess.run(
        [str(python), "-I", "-c", f"import sys; sys.path.append({str(lent)!r})\n{READ_AN_EVENT}", str(document)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("['revcycle-events'] 8000 "), ran.stdout
