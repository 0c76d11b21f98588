"""A disk of a chosen size in memory (tmpfs), so that it can be filled without harm to anything else. Root only."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from revcycle_devstack import DevstackError

_MOUNT_SECONDS: Final = 30.0


def can_mount() -> str | None:
    """None when a disk can be mounted here, else why not."""
    if os.geteuid() != 0:
        return "mounting a tmpfs needs root"
    if shutil.which("mount") is None or shutil.which("umount") is None:
        return "there is no mount command"
    return None


def mount_memory_disk(folder: Path, size_mib: int) -> None:
    """Mount an empty disk on a folder, which is made if need be.

    Raises:
        DevstackError: it cannot be done here; the text says why.
    """
    reason = can_mount()
    if reason is not None:
        raise DevstackError(f"no disk of {size_mib} MiB for {folder}: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    _run(("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0755", "tmpfs", str(folder)), folder)


def unmount_memory_disk(folder: Path) -> None:
    """Take the disk away again, with everything on it; nothing happens when there is none."""
    if folder.is_mount():
        # Lazily: a process that is just dying may still hold a file of it.
        _run(("umount", "--lazy", str(folder)), folder)


def _run(arguments: tuple[str, ...], folder: Path) -> None:
    try:
        subprocess.run(arguments, check=True, capture_output=True, timeout=_MOUNT_SECONDS, text=True)
    except (OSError, subprocess.SubprocessError) as failure:
        said = getattr(failure, "stderr", None) or type(failure).__name__
        raise DevstackError(f"{arguments[0]} {folder} failed: {str(said).strip()}") from failure
