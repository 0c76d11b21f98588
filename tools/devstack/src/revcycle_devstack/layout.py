"""Where things lie: the checkout, the folder of a stack's state, and the cache outside the checkout."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from revcycle_devstack import DevstackError

_MARKER = Path("deploy") / "kafka" / "topics.yaml"


def checkout_root() -> Path:
    """Folder of the checkout: the one around the working directory, else the one this package was installed from.

    Raises:
        DevstackError: neither holds `deploy/kafka/topics.yaml`.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / _MARKER).is_file():
            return folder
    raise DevstackError(f"no {_MARKER} here or above {here}: run this inside a checkout of revcycle")


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder for downloads, outside the checkout so that a fresh clone need not fetch them again.

    `REVCYCLE_CACHE_DIR` wins, then `XDG_CACHE_HOME`/revcycle, then `~/.cache/revcycle`.
    """
    if own := environment.get("REVCYCLE_CACHE_DIR"):
        return Path(own).expanduser().resolve()
    if xdg := environment.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser().resolve() / "revcycle"
    return Path.home() / ".cache" / "revcycle"


@dataclass(frozen=True)
class StateLayout:
    """The files below one stack's state folder; `root` is absolute."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Keyrings of the services and the key that signs development tokens."""
        return self.root / "keys"

    @property
    def payer(self) -> Path:
        """Everything the payer simulator writes."""
        return self.root / "payer"

    @property
    def postgresql(self) -> Path:
        """Data directory of PostgreSQL (its parent is never owned by another user)."""
        return self.root / "postgresql" / "data"

    @property
    def kafka(self) -> Path:
        """Configuration and log segments of the broker."""
        return self.root / "kafka"

    @property
    def secrets_file(self) -> Path:
        """Passwords of the database roles, readable by the owner alone."""
        return self.root / "secrets.json"

    @property
    def state_file(self) -> Path:
        """What runs, written by the supervisor."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by whoever starts or stops this stack."""
        return self.root / "stack.lock"

    @property
    def token_key_file(self) -> Path:
        """Key that signs and checks development bearer tokens."""
        return self.keys / "token-key.json"

    @property
    def payer_ca_file(self) -> Path:
        """Certificate authority of the payer simulator's door."""
        return self.payer / "ca.pem"

    @property
    def traces(self) -> Path:
        """Spans, one file per process."""
        return self.root / "traces"

    def keyring_file(self, service: str) -> Path:
        """Envelope and compartment keys that one service may hold."""
        return self.keys / f"{service}.json"

    def log_file(self, process: str) -> Path:
        """Log of one process, standard output and standard error together."""
        return self.logs / f"{process}.log"


def default_state_folder() -> Path:
    """State folder of the stack that `revcycle up` runs from this checkout."""
    return checkout_root() / ".revcycle"
