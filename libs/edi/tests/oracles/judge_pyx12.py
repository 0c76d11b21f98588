"""Runs in the environment of pyx12: reads interchanges as JSON lines (strings), says for each whether pyx12 accepts it.

Standard output: one JSON object a line, `accepted` and `errors` as "segment line code" in the order found.
"""

import functools
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pyx12.map_if
import pyx12.map_index
import pyx12.params
import pyx12.x12n_document

logging.disable(logging.CRITICAL)
# Maps do not change while they are walked: read each once instead of once a document. The parameters are part of the
# key, so they must be the same object too.
PARAMETERS = pyx12.params.params()
pyx12.map_if.load_map_file = functools.lru_cache(maxsize=None)(pyx12.map_if.load_map_file)
pyx12.map_index.map_index = functools.lru_cache(maxsize=None)(pyx12.map_index.map_index)


def errors(node: dict[str, Any], segment: str = "") -> Iterator[str]:
    """Every error below a node of pyx12's error document."""
    segment = str(node.get("seg_id") or node.get("segment_id") or segment)
    for error in node.get("errors", ()):
        code = error.get("err_cde") or error.get("code") if isinstance(error, dict) else error
        yield f"{segment} {node.get('cur_line', '')} {code}"
    for value in node.values():
        for child in value if isinstance(value, list) else ():
            if isinstance(child, dict):
                yield from errors(child, segment)


def judge(text: str) -> dict[str, Any]:
    """Accepted or not, and why not."""
    out = io.StringIO()
    try:
        accepted = pyx12.x12n_document.x12n_document(PARAMETERS, io.StringIO(text), None, None, fd_json=out)
    except Exception as error:
        return {"accepted": False, "errors": [f"raised {type(error).__name__}"]}
    document = json.loads(out.getvalue()) if out.getvalue() else {}
    return {"accepted": bool(accepted), "errors": list(errors(document))}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(judge(json.loads(line))) + "\n")
        sys.stdout.flush()
