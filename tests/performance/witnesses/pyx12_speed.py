"""Runs in the environment of pyx12: claims per second of processor time of a validation, as JSON. FILE CLAIMS."""

import json
import logging
import sys
import time

import pyx12.params
import pyx12.x12n_document

logging.disable(logging.CRITICAL)


def main() -> None:
    """Validate twice, maps are read the first time; the second counts."""
    path, claims = sys.argv[1], int(sys.argv[2])
    for _ in range(2):
        started = time.process_time()
        accepted = pyx12.x12n_document.x12n_document(pyx12.params.params(), path, None, None)
        seconds = time.process_time() - started
    if not accepted:
        raise SystemExit("pyx12 refuses the file: what is measured would not be a validation to its end")
    sys.stdout.write(json.dumps({"validate": claims / seconds}))


if __name__ == "__main__":
    main()
