"""The jars of Apache Kafka: fetched once through jgo, kept outside the checkout, never used unless they match the lock.

`deploy/kafka/jars.lock` names every jar with its coordinate and SHA-256. jgo's own `sync` accepts a jar whose hash
differs from its lock, so the comparison is made here, for every jar, before every first start of a broker.
"""

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from revcycle_devstack import DevstackError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

_FETCHES_AT_ONCE = 8
_FETCH_TIMEOUT_SECONDS = 120
_FETCH_TRIES = 3

KAFKA_COORDINATE = "org.apache.kafka:kafka_2.13:4.4.0"
# Kafka brings slf4j-api 1.7 and log4j 2 but not the bridge between them, without which the broker is mute.
LOGGING_BRIDGE = ("org.apache.logging.log4j", "log4j-slf4j-impl")


@dataclass(frozen=True, order=True)
class LockedJar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the jar in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"


class JarMismatchError(DevstackError):
    """A jar is not the one the lock names."""

    def __init__(self, jar: LockedJar, found: str, where: Path) -> None:
        super().__init__(
            f"{jar.coordinate} is not the jar that was locked and is refused:\n"
            f"  expected SHA-256 {jar.sha256}\n"
            f"  found    SHA-256 {found}\n"
            f"  in {where}\n"
            "Delete that folder, if it still exists, to have everything fetched again; if the jar differs again, "
            "do not use this package source."
        )


def read_lock(lock_file: Path) -> tuple[LockedJar, ...]:
    """Read the lock.

    Raises:
        DevstackError: the file is missing, empty or holds something that is no SHA-256.
    """
    try:
        content = tomllib.loads(lock_file.read_text(encoding="utf-8"))
        jars = tuple(LockedJar(**entry) for entry in content["jar"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DevstackError(f"the lock of the Kafka jars cannot be read ({lock_file}): {error}") from error
    for jar in jars:
        if len(jar.sha256) != 64 or not set(jar.sha256) <= set("0123456789abcdef"):
            raise DevstackError(f"{lock_file}: sha256 of {jar.coordinate} must be 64 lower-case hexadecimal digits")
    if not jars:
        raise DevstackError(f"{lock_file} names no jar")
    return jars


def write_lock(lock_file: Path, jars: Iterable[LockedJar]) -> None:
    """Write the lock, sorted, so that a change shows as a small difference."""
    lines = ["# Jars of the Kafka broker. Written by: python -m revcycle_devstack.lock_jars\n"]
    lines += [
        f'\n[[jar]]\ngroup = "{jar.group}"\nartifact = "{jar.artifact}"\n'
        f'version = "{jar.version}"\nsha256 = "{jar.sha256}"\n'
        for jar in sorted(jars)
    ]
    lock_file.write_text("".join(lines), encoding="utf-8")


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(jars: Sequence[LockedJar], folder: Path) -> None:
    """Compare every jar in the folder with the lock.

    Raises:
        JarMismatchError: one differs.
        DevstackError: one is missing, or the folder holds a jar that the lock does not name (Java would load it).
    """
    for jar in jars:
        file = folder / jar.file_name
        if not file.is_file():
            raise DevstackError(
                f"{jar.coordinate} is missing from {folder}: delete that folder to have it fetched again"
            )
        if (found := sha256_of(file)) != jar.sha256:
            raise JarMismatchError(jar, found, file)
    strangers = {file.name for file in folder.glob("*.jar")} - {jar.file_name for jar in jars}
    if strangers:
        names = ", ".join(sorted(strangers))
        raise DevstackError(f"{folder} holds jars that the lock does not name: {names}. Delete that folder")


def _context(folder: Path) -> "MavenContext":
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, timeout=_FETCH_TIMEOUT_SECONDS)
    # A site's own mirror, set by `jgo config set repositories.central …`, is honoured.
    context.remote_repos.update(GlobalSettings.load().repositories)
    return context


def _fetch_one(context: "MavenContext", jar: LockedJar) -> Path:
    last: Exception | None = None
    for _ in range(_FETCH_TRIES):
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            return Path(artifact.resolve())
        except (OSError, RuntimeError) as error:
            last = error
            # jgo leaves a torn file behind and would take it for the whole one next time.
            if artifact.cached_path is not None:
                artifact.cached_path.unlink(missing_ok=True)
    raise DevstackError(
        f"{jar.coordinate} could not be fetched in {_FETCH_TRIES} tries ({type(last).__name__}). "
        "Check the network, or set KAFKA_BOOTSTRAP_SERVERS=host:port to use a broker of your own."
    ) from last


def jar_folder(lock_file: Path, cache: Path) -> Path:
    """Folder of the cache for exactly this lock; another lock uses another folder."""
    return cache / "kafka" / sha256_of(lock_file)[:16]


def ensure_jars(lock_file: Path, cache: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """Return a folder holding exactly the locked jars, fetching them if the cache has none.

    `progress` is told (jars done, jars in all). Several processes may call this at once: the folder appears whole,
    by one rename.

    Raises:
        JarMismatchError, DevstackError: see `verify`; nothing unverified is ever left in the cache.
    """
    jars = read_lock(lock_file)
    folder = jar_folder(lock_file, cache)
    if folder.is_dir():
        verify(jars, folder)
        progress(len(jars), len(jars))
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as scratch:
        whole = Path(scratch) / "jars"
        whole.mkdir(mode=0o755)
        context = _context(Path(scratch) / "repository")
        with ThreadPoolExecutor(_FETCHES_AT_ONCE) as pool:
            fetched = pool.map(lambda jar: _fetch_one(context, jar), jars)
            for done, (jar, file) in enumerate(zip(jars, fetched, strict=True), start=1):
                shutil.move(file, whole / jar.file_name)
                progress(done, len(jars))
        verify(jars, whole)
        # Another process may have been faster; its folder is as good as ours.
        with suppress(OSError):
            os.rename(whole, folder)
    verify(jars, folder)
    return folder


def resolve_jars(scratch: Path) -> tuple[LockedJar, ...]:
    """Resolve Kafka and its dependencies anew, for a new lock.

    The logging bridge is not resolved together with Kafka: the versions that log4j's own parent manages would then
    win, and the broker would come with clients of another release.
    """
    context = _context(scratch)
    inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA_COORDINATE)])
    artifacts = [dependency.artifact for dependency in (*inputs, *transitive)]
    logging_version = next(a.version for a in artifacts if a.artifactId == "log4j-core")
    artifacts.append(context.project(*LOGGING_BRIDGE).at_version(logging_version).artifact())
    return tuple(LockedJar(a.groupId, a.artifactId, a.version, sha256_of(Path(a.resolve()))) for a in artifacts)
