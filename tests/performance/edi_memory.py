"""Validate, read and balance a stream of so many megabytes in this process; prints its peak memory. MEGABYTES.

The stream is one interchange, made as it is read: the claims of a small file come again under other control numbers.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import edi_corpus
from revcycle_edi.x12 import ValidationContext, balance_837, build_837p, iter_837p_claims, unbalanced, validate

_CLAIMS = 500


def stream(megabytes: int) -> Iterator[bytes]:
    """An 837P with transactions until so many bytes are sent."""
    small = build_837p(edi_corpus.ENVELOPE, edi_corpus.HEADER, edi_corpus.professional_claims(_CLAIMS))
    head, body = small[: small.index(b"ST*")], small[small.index(b"ST*") : small.index(b"GE*")]
    count = max(1, megabytes * 1_000_000 // len(body))
    yield head
    for number in range(1, count + 1):
        own = b"%04d" % number
        yield (
            body.replace(b"ST*837*0001*", b"ST*837*" + own + b"*")
            .replace(b"*0001~", b"*" + own + b"~")
            .replace(b"BENCH0", b"B%05d" % number)
        )
    yield b"GE*%d*1~IEA*1*000000001~" % count


def megabytes_used() -> float:
    """The most memory this program ever had; getrusage would count what its parent had when it was forked, too."""
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def main() -> None:
    """Print the peak after both passes and the memory before them."""
    megabytes = int(sys.argv[1])
    start = megabytes_used()
    findings = validate(stream(megabytes), context=ValidationContext())
    broken = sum(len(unbalanced(balance_837(claim))) for claim in iter_837p_claims(stream(megabytes)))
    if findings or broken:
        raise SystemExit(f"the stream is not clean: {len(findings)} findings, {broken} equations")
    sys.stdout.write(json.dumps({"megabytes": [megabytes_used(), start]}))


if __name__ == "__main__":
    main()
