"""One-shot jobs of a stack in containers: ``python -m revcycle_devstack.provision secrets|databases|topics``.

Each does what devstack does on one machine, may run again at any time, and ends with status 0 when it is done. The
folders below ``--root`` are volumes: ``vault`` holds everything and is seen by these jobs alone, ``<service>`` holds
what that service may know, ``owner-<service>`` what its migration may know besides, ``postgres`` the superuser's
password, ``operator`` what the checker and a person with a token need.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg

from revcycle_devstack import SERVICES, DevstackError, topics
from revcycle_devstack.connections import Connections
from revcycle_devstack.files import SecretStore, write_atomically
from revcycle_devstack.keys import write_development_keys
from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.plan import StackOptions
from revcycle_devstack.postgresql import ADMIN_ROLE
from revcycle_devstack.roles import CHECKER_ROLE, ensure_checker, ensure_database, url_for
from revcycle_devstack.waiting import run_async

ROOT: Final = Path("/run/revcycle")
DATABASE_URL: Final = "revcycle_database_url"
OWNER_URL: Final = "revcycle_database_owner_url"
"""File names as a service looks for them in REVCYCLE_SECRETS_DIR: a setting with the value as content."""

_TRIES: Final = 30
_PAUSE_SECONDS: Final = 1.0


def hand_out_secrets(root: Path, postgresql_url: str) -> None:
    """Make what is missing in the vault and give each folder its part. Passwords and keys that exist stay."""
    layout = StateLayout(root / "vault")
    write_development_keys(layout, StackOptions(state_dir=layout.root))
    connections = Connections(layout, postgresql_url, "")
    for service in SERVICES:
        own, owners = root / service, root / f"owner-{service}"
        _copy(layout.keyring_file(service), own / "keyring.json")
        _write(own / "token-key.json", public_part(layout.token_key_file.read_text(encoding="utf-8")))
        for folder in (own, owners):
            _write(folder / DATABASE_URL, connections.database_url(service))
        _write(owners / OWNER_URL, connections.owner_url(service))
    secrets = SecretStore(layout.secrets_file)
    # Read by the database's own user, whoever that is in its image; the volume is mounted nowhere else.
    _write(root / "postgres" / "password", secrets.password(ADMIN_ROLE), mode=0o444)
    operator = StateLayout(root / "operator")
    _copy(layout.keyring_file("checker"), operator.keyring_file("checker"))
    _copy(layout.token_key_file, operator.token_key_file)
    _write(operator.secrets_file, f'{{"{CHECKER_ROLE}": "{secrets.password(CHECKER_ROLE)}"}}\n')


def public_part(token_key: str) -> str:
    """The key that checks tokens, without the part that signs them: no service needs that."""
    key = json.loads(token_key)
    return json.dumps({name: value for name, value in key.items() if name != "d"})


def make_databases(root: Path, postgresql_url: str) -> None:
    """A database per service with its owner and its service role, and the checker's role that only reads.

    Raises:
        DevstackError: the server did not answer in time, or was made with another superuser's password.
    """
    layout = StateLayout(root / "vault")
    secrets = SecretStore(layout.secrets_file)
    admin_url = url_for(postgresql_url, "postgres", ADMIN_ROLE, secrets.password(ADMIN_ROLE))
    try:
        _patiently("PostgreSQL", lambda: run_async(ensure_checker(admin_url, secrets.password(CHECKER_ROLE))))
    except asyncpg.InvalidPasswordError as refused:
        raise DevstackError(
            "the database's volume is older than the passwords in the vault: remove both with "
            "`docker compose down --volumes` (the data is lost), or bring the vault's volume back"
        ) from refused
    connections = Connections(layout, postgresql_url, "")
    for service in SERVICES:
        made = run_async(ensure_database(admin_url, connections.grant(service)))
        _say(f"{service}: database {'made' if made else 'there already'}")


def make_topics(bootstrap_servers: str) -> None:
    """The topics of ``deploy/kafka/topics.yaml``.

    Raises:
        DevstackError: the broker did not answer in time, or a topic has another partition count.
    """
    wanted = topics.load_topics(checkout_root() / "deploy" / "kafka" / "topics.yaml")

    def make() -> None:
        made = run_async(topics.ensure_topics(bootstrap_servers, wanted))
        _say(f"{len(made)} of {len(wanted)} topics made, the others were there already")

    _patiently("Kafka", make)


def _patiently(what: str, step: Callable[[], object]) -> None:
    """A server that has just become healthy may still refuse a moment later (the first start of PostgreSQL does)."""
    for left in reversed(range(_TRIES)):
        try:
            step()
            return
        except (OSError, DevstackError) as failure:
            if left == 0:
                raise DevstackError(f"{what} did not answer in {_TRIES} tries: {failure}") from failure
        time.sleep(_PAUSE_SECONDS)


def _copy(source: Path, target: Path) -> None:
    _write(target, source.read_text(encoding="utf-8"))


def _write(file: Path, text: str, mode: int = 0o400) -> None:
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        write_atomically(file, text, mode)


def _say(text: str) -> None:
    sys.stderr.write(f"provision: {text}\n")


def main() -> int:
    """Run one job; status 1 with a message when it could not be done."""
    parser = argparse.ArgumentParser(prog="revcycle_devstack.provision", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("job", choices=["secrets", "databases", "topics"])
    parser.add_argument("--root", type=Path, default=ROOT, help=f"folder of the volumes (default {ROOT})")
    parser.add_argument("--postgresql", default=os.environ.get("REVCYCLE_POSTGRESQL_URL", "postgresql://postgres:5432"))
    parser.add_argument("--kafka", default=os.environ.get("REVCYCLE_KAFKA_BOOTSTRAP_SERVERS", "kafka:19092"))
    options = parser.parse_args()
    try:
        if options.job == "secrets":
            hand_out_secrets(options.root, options.postgresql)
        elif options.job == "databases":
            make_databases(options.root, options.postgresql)
        else:
            make_topics(options.kafka)
    except DevstackError as failure:
        _say(str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
