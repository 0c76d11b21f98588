"""Command line of the payer simulator: `python -m revcycle_payer_simulator serve --help`."""

import argparse
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import uvicorn

from revcycle_payer_simulator.certificates import ensure_certificates
from revcycle_payer_simulator.desk import Clocks, Desk, Settings
from revcycle_payer_simulator.faults import FAULT_NAMES, Faults
from revcycle_payer_simulator.files import StateFileError
from revcycle_payer_simulator.server import create_app
from revcycle_payer_simulator.settlement import Pace

_EPILOG = f"""Faults happen a given number of times and can also be planned while it runs (POST /faults):
{", ".join(FAULT_NAMES)}.
Example: python -m revcycle_payer_simulator serve --state-dir .payer --seed 7 --fault silent_after_bytes=1
Clients trust STATE_DIR/ca.pem."""


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="revcycle_payer_simulator", description="Three payers that answer 837 and 276 in X12 over HTTPS."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve",
        help="take claims in and answer them until stopped",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8190, help="port to listen on (default 8190)")
    serve.add_argument(
        "--state-dir", type=Path, required=True, help="raw log, deposits and certificates; made if absent"
    )
    serve.add_argument(
        "--ca-copy", type=Path, help="write ca.pem here too, for clients that may not see the state folder"
    )
    serve.add_argument("--seed", type=int, default=7, help="decides every outcome together with the claim (default 7)")
    serve.add_argument(
        "--business-date", type=date.fromisoformat, default=None, help="the payers' today, YYYY-MM-DD (default: today)"
    )
    serve.add_argument("--faults", type=Path, help="JSON file: an object of fault names and counts")
    serve.add_argument("--fault", action="append", default=[], metavar="NAME=COUNT", help="one fault; may be repeated")
    serve.add_argument(
        "--remit-delay-seconds", type=float, default=0.5, help="before a claim may be paid (default 0.5)"
    )
    serve.add_argument("--batch-seconds", type=float, default=1.0, help="longest wait for a fuller 835 (default 1.0)")
    serve.add_argument("--pend-seconds", type=float, default=2.0, help="how long a pended claim waits (default 2.0)")
    serve.add_argument(
        "--steady", action="store_true", help="nothing now and then: no PLB, no answer twice, no late money"
    )
    return parser


def _planned_faults(file: Path | None, pairs: list[str]) -> Faults:
    """Faults of the file, then those of the command line. Raises ValueError that says what would be right."""
    faults = Faults()
    if file is not None:
        counts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(counts, dict):
            raise ValueError("the faults file holds one JSON object of names and counts")
        faults.plan(counts)
    for pair in pairs:
        name, _, count = pair.partition("=")
        if not count.isdecimal():
            raise ValueError(f"--fault {pair!r}: write NAME=COUNT, for example silent_after_bytes=1")
        faults.plan({name: int(count)})
    return faults


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Returns the exit status."""
    options = _parser().parse_args(arguments)
    now = _now()
    directory: Path = options.state_dir
    try:
        directory.mkdir(parents=True, exist_ok=True)
        pace = Pace(options.remit_delay_seconds, options.batch_seconds, options.pend_seconds)
        business_date = options.business_date or now.date()
        settings = Settings(directory, options.seed, business_date, pace, options.steady)
        faults = _planned_faults(options.faults, options.fault)
        desk = Desk(settings, faults, Clocks(_now, time.monotonic))
        tls = ensure_certificates(directory, options.host, now)
        if options.ca_copy is not None:
            options.ca_copy.write_bytes(tls.ca.read_bytes())
    except (ValueError, OSError, StateFileError) as error:
        print(f"payer simulator: {error}", file=sys.stderr)
        return 2
    print(
        f"payer simulator: https://{options.host}:{options.port}, trust {tls.ca}, business date {business_date}",
        flush=True,
    )
    config = uvicorn.Config(
        create_app(desk),
        host=options.host,
        port=options.port,
        ssl_certfile=str(tls.certificate),
        ssl_keyfile=str(tls.key),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
