"""Write the whole schema of every service as one SQL script, as `migrate` of this checkout would make it.

For tests that run the code of one release on the schema of another: `revcycle_service_kit.testing` makes test databases
of such scripts when REVCYCLE_TEST_SCHEMAS names their folder.
"""

import argparse
import os
import sys
from pathlib import Path

from revcycle_service_kit import migrations, testing

SERVICES = ("registration", "coding", "claims", "adjudication-gateway", "analytics")


def main() -> int:
    """A file per service; named after its migrations package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made when missing")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[migrations.SERVICE_ROLE_VARIABLE] = testing.ROLE_PLACEHOLDER
    for service in SERVICES:
        package = f"revcycle_{service.replace('-', '_')}.migrations"
        script = migrations.whole_schema(package)
        (folder / f"{package}.sql").write_text(script, encoding="utf-8")
        sys.stdout.write(f"{package}: {migrations.head_of(package)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
