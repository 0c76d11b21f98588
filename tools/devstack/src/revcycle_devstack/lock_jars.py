"""Writes `deploy/kafka/jars.lock` anew: `python -m revcycle_devstack.lock_jars` (after a change of Kafka's version)."""

import sys
import tempfile
from pathlib import Path

from revcycle_devstack.jars import resolve_jars, write_lock
from revcycle_devstack.layout import checkout_root


def main() -> int:
    """Resolve, hash and write; says how many jars the lock now names."""
    lock_file = checkout_root() / "deploy" / "kafka" / "jars.lock"
    with tempfile.TemporaryDirectory() as scratch:
        jars = resolve_jars(Path(scratch))
    write_lock(lock_file, jars)
    sys.stdout.write(f"{lock_file}: {len(jars)} jars. Look at the difference before you commit it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
