"""Run fuzz targets in an environment of their own: coverage-guided, seeded, bounded in time per input and in memory.

    python libs/edi/fuzz/run.py readers|x12|x12_records|hl7|mllp [--executions 2000000] [--seconds 240] [--fresh]

Starts from one clean synthetic interchange (or message) per kind. Prints one line of figures a target; what was run is
remembered under .revcycle/fuzz/TARGET/, so a run that was stopped is taken up again. An input that crashes, takes over
a second or too much memory stops the run, stays there and its path is printed; exit status 1.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
TARGETS = ("x12", "x12_records", "hl7", "mllp")
READERS = ("x12", "hl7", "mllp")
_HANG_SECONDS = 30  # By the clock; bounded.py holds an input to one second of processor time.
_MEMORY_MB = 512
_MAXIMUM_INPUT_BYTES = 256
_HL7 = (
    b"MSH|^~\\&|A|B|C|D|20260601||ADT^A04|C1|P|2.5.1\rEVN|A04|20260601\rPID|1||T1^^^H^MR~T2||TESTER^ANN||19800102|F\r"
    b"IN1|1|PLAN|P1|TEST PAYER\r",
    b"MSH|^~\\&|A|B|C|D|20260601||DFT^P03|C2|P|2.3\rPID|1||T1\rFT1|1|||20260501||CG|G0463|||2|150||||||||E119~I10\r",
    b"MSH|^~\\&|A|B|C|D|20260601||MDM^T02|C3|P|2.5||||||UNICODE UTF-8\rTXA|1|PN||||||||||D1|||||LA\r"
    b"OBX|1|TX|N||A\\.br\\B\\X41\\\\F\\\r",
)


def seeds(target: str) -> list[bytes]:
    """Where the fuzzer starts from; the first byte is the target's choice."""
    if target == "hl7":
        return [bytes([choice]) + text for text in _HL7 for choice in (0, 1, 2, 0x40)]
    if target == "mllp":
        frames = b"".join(b"\x0b" + text + b"\x1c\r" for text in _HL7)
        return [bytes([size]) + frames for size in (0, 6)] + [b"\x02xx\x0bA\x0bB\x1c\r\x1c\r\x0b\x1c\x1c\r"]
    sys.path.insert(0, str(HERE.parent / "tests"))
    from edi_bases import BASES

    found = []
    for base in BASES.values():
        data = base()
        body = data.split(b"~")[3:-4]
        parts = [b"~".join(body[at : at + 6]) for at in range(0, len(body), 6)]
        if target == "x12":
            found += [bytes([choice]) + data[:255] for choice in (0x00, 0x04, 0x40)]
            found += [bytes([choice]) + part for part in parts[:3] for choice in (0x02, 0x13, 0x16)]
        else:
            found += [bytes([choice]) + part for part in parts for choice in (0x80, 0xA0, 0xC0)]
    return found


class Tally(NamedTuple):
    """What was run of one target so far, over all runs that were stopped and taken up again."""

    executions: int = 0
    seconds: int = 0
    peak_megabytes: int = 0

    def line(self, target: str, crashes: int) -> str:
        """The figures, for people and for programs."""
        return (
            f"fuzz: target={target} executions={self.executions} seconds={self.seconds} crashes={crashes} "
            f"peak_megabytes={self.peak_megabytes}"
        )


def _recorded(record: Path) -> Tally:
    return Tally(*json.loads(record.read_text())) if record.exists() else Tally()


def _told(output: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", output)
    return int(found[1]) if found else 0


def _crashes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-", "leak-")))


def _run(python: str, target: str, executions: int, seed: int, seconds: int) -> int:
    """Run one target until it has so many executions or the time is over; exit status of the fuzzer."""
    folder = ROOT / ".revcycle" / "fuzz" / target
    corpus, record = folder / "corpus", folder / "tally.json"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(target)):
        (corpus / f"seed{number:03d}").write_bytes(content)
    tally = _recorded(record)
    left = executions - tally.executions
    status = 0
    if left > 0:
        options = {
            "runs": left,
            "seed": seed + tally.executions,
            "timeout": _HANG_SECONDS,
            "rss_limit_mb": _MEMORY_MB,
            "max_len": _MAXIMUM_INPUT_BYTES,
            "max_total_time": seconds,
            "artifact_prefix": f"{folder}/",
            "print_final_stats": 1,
        }
        command = [
            python,
            str(HERE / f"fuzz_{target}.py"),
            *(f"-{name}={value}" for name, value in options.items()),
            str(corpus),
        ]
        started = time.monotonic()
        sys.stderr.write(f"fuzz: {target}, {left} executions\n")
        ran = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")},
            check=False,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        status = ran.returncode
        (folder / "last.log").write_text(ran.stderr)
        tally = _recorded(record)  # Another run may have added to it meanwhile.
        tally = Tally(
            tally.executions + _told(ran.stderr, "number_of_executed_units"),
            tally.seconds + round(time.monotonic() - started),
            max(tally.peak_megabytes, _told(ran.stderr, "peak_rss_mb")),
        )
        record.write_text(json.dumps(tally))
    crashes = _crashes(folder)
    for path in crashes:
        sys.stderr.write(f"fuzz: {path.relative_to(ROOT)} fails\n")
    sys.stdout.write(tally.line(target, len(crashes)) + "\n")
    sys.stdout.flush()
    return status or bool(crashes)


def main() -> int:
    """Run one target or those of the three readers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=(*TARGETS, "readers"), help="`readers`: x12, hl7 and mllp")
    parser.add_argument("--executions", type=int, default=2_000_000, help="in all runs together [2000000]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=0, help="stop a target after so long; the next run goes on")
    parser.add_argument("--fresh", action="store_true", help="forget corpus, tally and crashes of earlier runs")
    chosen = parser.parse_args()
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle_env.py", "atheris"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        sys.stderr.write(made.stderr)
        return made.returncode
    status = 0
    for target in READERS if chosen.target == "readers" else (chosen.target,):
        if chosen.fresh:
            shutil.rmtree(ROOT / ".revcycle" / "fuzz" / target, ignore_errors=True)
        status |= _run(made.stdout.strip(), target, chosen.executions, chosen.seed, chosen.seconds)
    return status


if __name__ == "__main__":
    sys.exit(main())
