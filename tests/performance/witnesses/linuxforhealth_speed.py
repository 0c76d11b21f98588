"""Runs in the environment of linuxforhealth-x12: claims per second of processor time, as JSON. FILE CLAIMS."""

import json
import logging
import sys
import time

from linuxforhealth.x12.io import X12ModelReader

logging.disable(logging.CRITICAL)


def main() -> None:
    """Read (which validates) and write twice; the second time counts."""
    path, claims = sys.argv[1], int(sys.argv[2])
    for _ in range(2):
        started = time.process_time()
        with X12ModelReader(path) as reader:
            models = list(reader.models())
        read = time.process_time()
        for model in models:
            model.x12()
        written = time.process_time()
    sys.stdout.write(json.dumps({"parse": claims / (read - started), "generate": claims / (written - read)}))


if __name__ == "__main__":
    main()
