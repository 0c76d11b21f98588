"""Run a fuzz target in its own environment: coverage-guided, seeded, bounded in time per input and in memory.

    python libs/edi/fuzz/run.py x12|x12_records|hl7|mllp [--executions 2000000] [--seed 1]

Starts from one clean synthetic interchange (or message) per kind. An input that crashes, takes over a second or too
much memory stops the run, stays under .revcycle/fuzz/TARGET/ and its path is printed; exit status of the fuzzer.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
TARGETS = ("x12", "x12_records", "hl7", "mllp")
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


def main() -> int:
    """Run one target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--executions", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "oracle_env.py", "atheris"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        sys.stderr.write(made.stderr)
        return made.returncode
    folder = ROOT / ".revcycle" / "fuzz" / chosen.target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(chosen.target)):
        (corpus / f"seed{number:03d}").write_bytes(seed)
    options = {
        "runs": chosen.executions,
        "seed": chosen.seed,
        "timeout": _HANG_SECONDS,
        "rss_limit_mb": _MEMORY_MB,
        "max_len": _MAXIMUM_INPUT_BYTES,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    command = [
        made.stdout.strip(),
        str(HERE / f"fuzz_{chosen.target}.py"),
        *(f"-{name}={value}" for name, value in options.items()),
        str(corpus),
    ]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE.parent / "src")}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
