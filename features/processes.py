"""Which process on which machine somebody is, so that another can tell later whether it is gone."""

from __future__ import annotations

import functools
import socket
from pathlib import Path

PROC = Path("/proc")


@functools.cache
def machine() -> str:
    """This machine since it was started, or the container on it: where a process number means one process."""
    name = socket.gethostname()
    boot, space = PROC / "sys/kernel/random/boot_id", PROC / "self/ns/pid"
    if not (boot.is_file() and space.exists()):
        return name
    return f"{name} {boot.read_text(encoding='ascii').strip()} {space.stat().st_ino}"


def started(process: int) -> str | None:
    """When a process began, in the kernel's ticks: its number may be given anew. None: there is none.

    None for every process where the machine has no /proc: then nobody can tell.
    """
    try:
        stat = (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
