"""Compiles the one module of this library that is written in C, when the machine can; does without it when it cannot.

revcycle_edi.x12._outline writes claims in bulk (docs/adr/0015-claims-are-written-by-a-compiled-module.md). Without it
the loop writers do the same at a tenth of the speed: a machine without a compiler installs this library all the same.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCE = Path("src/revcycle_edi/x12/_outline.c")
_FLAGS = ("-fPIC", "-O3", "-fstack-protector-strong", "-Wall")


class CompiledWriter(BuildHookInterface):
    """Puts the compiled module beside its source; in a wheel, and in an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say in the wheel what it was compiled for."""
        source = Path(self.root) / _SOURCE
        target = source.with_name(f"_outline{sysconfig.get_config_var('EXT_SUFFIX') or '.so'}")
        failure = _compile(source, target)
        if failure:
            target.unlink(missing_ok=True)
            sys.stderr.write(f"revcycle-edi: no compiled X12 writer, the slower one is used ({failure})\n")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(f"{_SOURCE.parent}/{target.name}")


def _compile(source: Path, target: Path) -> str:
    """Why it could not be compiled, empty when it was."""
    linker = shlex.split(os.environ.get("LDSHARED") or sysconfig.get_config_var("LDSHARED") or "")
    if sys.implementation.name != "cpython" or not linker:
        return "this Python says nothing about how to compile for it"
    made = target.with_suffix(f".{os.getpid()}.new")
    command = [*linker, *_FLAGS, f"-I{sysconfig.get_path('include')}", str(source), "-o", str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["the compiler failed"])[-1]
    made.replace(target)  # Whoever has the old one loaded keeps it.
    return ""
