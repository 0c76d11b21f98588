"""Runs in the environment of linuxforhealth-x12: reads interchanges as JSON lines, says for each what was read.

Standard output: one JSON object a line: `accepted`, `error` (its kind, nothing of the content) and `segments`, every
value of the models as a list of elements a segment.
"""

import json
import logging
import sys
from typing import Any

from linuxforhealth.x12.io import X12ModelReader

logging.disable(logging.CRITICAL)


def judge(text: str) -> dict[str, Any]:
    """What the library read."""
    try:
        with X12ModelReader(text) as reader:
            written = [model.x12() for model in reader.models()]
    except Exception as error:
        return {"accepted": False, "error": f"{type(error).__name__}: {error}", "segments": []}
    segments = [line.strip().rstrip("~").split("*") for body in written for line in body.split("~") if line.strip()]
    return {"accepted": True, "error": "", "segments": segments}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(judge(json.loads(line))) + "\n")
        sys.stdout.flush()
