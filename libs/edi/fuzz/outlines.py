"""Compiled writing against the loop writers on random records, the compiled module built to notice wrong memory.

    python libs/edi/fuzz/outlines.py [--rounds 100000] [--seed 1] [--plain]

A round is one file of each kind of claim and one of claim payments, of one to three records with usual and hostile
values (tests/edi_random.py), written both ways. The module is compiled with the sanitizers of addresses and undefined
behaviour (gcc), unless --plain. Prints one line of figures; a difference ends the run with the round that shows it,
wrong memory with the sanitizer's report; exit status 1.
"""

import argparse
import ctypes
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src" / "revcycle_edi" / "x12" / "_outline.c"
_NAME = "revcycle_edi.x12._outline"
_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h
_SANITIZED = "REVCYCLE_FUZZ_SANITIZED"
_FLAGS = ("-fPIC", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


def _again_sanitized() -> int:
    """Compile, and start this program once more with the sanitizer loaded before everything else."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / f"_outline{sysconfig.get_config_var('EXT_SUFFIX')}"
        linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "gcc -shared")
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run([*linker, *_FLAGS, include, str(SOURCE), "-o", str(module)], check=True)
        found = subprocess.run(
            [linker[0], "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
        ).stdout.strip()
        # Python itself frees little at its end; without its own allocator every object is watched.
        settings = {
            "LD_PRELOAD": found,
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
            _SANITIZED: str(module),
        }
        command = [sys.executable, *sys.argv]
        return subprocess.run(command, env=os.environ | settings, check=False, preexec_fn=_place_in_order).returncode


def _place_in_order() -> None:
    """No random addresses: where they are very random, gcc's sanitizer at times finds its own place taken (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)


def _load(module: str) -> None:
    loader = ExtensionFileLoader(_NAME, module)
    spec = spec_from_loader(_NAME, loader)
    assert spec is not None
    sys.modules[_NAME] = loaded = module_from_spec(spec)
    loader.exec_module(loaded)


def _run(rounds: int, seed: int) -> int:
    sys.path.insert(0, str(HERE.parent / "tests"))
    import edi_writing
    from revcycle_edi.x12 import outlines

    if not outlines.COMPILED:
        sys.stderr.write("fuzz: there is no compiled module\n")
        return 1
    started = monotonic()
    written = 0
    for number in range(rounds):
        for record in edi_writing.BUILDERS:
            quick, slow = edi_writing.both_ways(Random(f"{seed} {number} {record.__name__}"), record)
            if quick != slow:
                sys.stdout.write(f"fuzz: seed={seed} round={number} record={record.__name__}: {quick!r} for {slow!r}\n")
                return 1
            written += isinstance(quick, bytes)
        if sys.stderr.isatty() and number % 100 == 0:
            sys.stderr.write(f"\rfuzz: round {number} of {rounds}")
    watched = "yes" if _SANITIZED in os.environ else "no"
    sys.stdout.write(
        f"fuzz: target=outlines rounds={rounds} files={rounds * len(edi_writing.BUILDERS)} written={written} "
        f"differences=0 sanitized={watched} seconds={monotonic() - started:.0f}\n"
    )
    return 0


def main() -> int:
    """Compile, then run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--plain", action="store_true", help="the installed module, without sanitizers: 8 times as fast"
    )
    chosen: Any = parser.parse_args()
    if not chosen.plain and _SANITIZED not in os.environ:
        return _again_sanitized()
    if _SANITIZED in os.environ:
        _load(os.environ[_SANITIZED])
    return _run(chosen.rounds, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
