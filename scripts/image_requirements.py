"""Write what each container image installs: its part of requirements.lock, same versions, same hashes.

One file per image under ``deploy/docker/requirements``; ``python -m scripts.image_requirements`` writes them. With
``--check`` nothing is written and drift is status 1; with ``--members IMAGE`` the folders of our own packages in that
image are printed, dependencies first.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.third_party_requirements import ROOT, member_folders

FOLDER: Final = ROOT / "deploy" / "docker" / "requirements"
IMAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "registration": ("revcycle-registration",),
    "coding": ("revcycle-coding",),
    "claims": ("revcycle-claims",),
    "adjudication-gateway": ("revcycle-adjudication-gateway",),
    "analytics": ("revcycle-analytics",),
    "payer-simulator": ("revcycle-payer-simulator",),
    # One-shot jobs: secrets and key rings, databases and roles, topics.
    "provision": ("revcycle-devstack[keys]",),
    # What turns our own folders into wheels while an image is built; none of it is in the image.
    "build": ("hatchling", "packaging"),
}
TARGETS: Final = tuple(
    {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux", "os_name": "posix"}
    | {"platform_system": "Linux", "implementation_name": "cpython", "platform_python_implementation": "CPython"}
    | {"platform_machine": machine}
    for machine in ("x86_64", "aarch64")
)
"""Where the images run; a requirement that holds for none of these is left out."""

_HEADER: Final = "# Written by `make lock` from requirements.lock: what the image {image} installs. Do not edit.\n"
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==")


@cache
def members() -> Mapping[str, tuple[Path, Mapping[str, Any]]]:
    """Folder and project table of every package of ours, by name."""
    found = {}
    for folder in member_folders():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        found[str(project["name"])] = (folder, project)
    return found


def locked_blocks() -> dict[str, str]:
    """The text of the lock for each package: its pin, its marker, its hashes."""
    blocks: dict[str, str] = {}
    name = ""
    for line in (ROOT / "requirements.lock").read_text().splitlines(keepends=True):
        if pin := _PIN.match(line):
            name = canonicalize_name(pin.group(1))
            blocks[name] = ""
        if name:
            blocks[name] += line
    return blocks


def needs(requirement: Requirement) -> Iterator[Requirement]:
    """What a requirement needs in turn, on any of the targets, its extras included."""
    own = members().get(requirement.name)
    if own is not None:
        project = own[1]
        extra_texts = [project["optional-dependencies"][extra] for extra in sorted(requirement.extras)]
        for texts in (project.get("dependencies", []), *extra_texts):
            yield from map(Requirement, texts)
        return
    try:
        declared = requires(requirement.name) or ()
    except PackageNotFoundError:
        # Locked for a newer Python than this one. If it needs anything, building the image fails and names it.
        return
    extras = requirement.extras or {""}
    for each in map(Requirement, declared):
        marker = each.marker
        if marker is None or any(marker.evaluate({**at, "extra": extra}) for at in TARGETS for extra in extras):
            yield each


def closure(image: str) -> tuple[list[str], list[str]]:
    """Names of the packages of ours, dependencies first, and of the others, sorted."""
    own: dict[str, None] = {}
    others: set[str] = set()
    seen: set[str] = set()
    known = members()

    def visit(requirement: Requirement) -> None:
        name = canonicalize_name(requirement.name)
        key = f"{name}{sorted(requirement.extras)}"
        if key in seen:
            return
        seen.add(key)
        for each in needs(requirement):
            visit(each)
        if name in known:
            own[name] = None
        else:
            others.add(name)

    for text in IMAGES[image]:
        visit(Requirement(text))
    return list(own), sorted(others)


def lock_of(image: str) -> str:
    """The text of the image's lock."""
    blocks = locked_blocks()
    _, others = closure(image)
    if missing := [name for name in others if name not in blocks]:
        raise SystemExit(f"{image} needs {', '.join(missing)}, absent from requirements.lock: run make lock")
    return _HEADER.format(image=image) + "".join(blocks[name] for name in others)


def drifted(write: bool) -> list[Path]:
    """The files that differ from what they should be, written anew when asked to."""
    wanted = {FOLDER / f"{image}.lock": lock_of(image) for image in IMAGES}
    stale = [path for path in FOLDER.glob("*") if path not in wanted]
    found = stale + [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if write:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in found:
            if path in wanted:
                path.write_text(wanted[path])
            else:
                path.unlink()
    return found


def main() -> int:
    """Write, check, or print the members of one image."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a file has drifted")
    parser.add_argument("--members", metavar="IMAGE", choices=list(IMAGES), help="print our folders in this image")
    options = parser.parse_args()
    if options.members:
        known = members()
        for name in closure(options.members)[0]:
            sys.stdout.write(f"{known[name][0].relative_to(ROOT)}\n")
        return 0
    found = drifted(write=not options.check)
    for path in found:
        sys.stdout.write(f"drifted: {path.relative_to(ROOT)}\n")
    return 1 if found and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
