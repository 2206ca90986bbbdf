"""What memory is left, and a sentence in place of an allocation that it would not hold.

Linux hands out more than it has and kills a process later, so a large result is estimated before it is allocated.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

from graphrec.errors import ConfigError

_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")
# (limit, use) in bytes of the group of processes that this one is in: version 2, version 1.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_bytes() -> int | None:
    """Return how many bytes this process may still allocate: the least that the system, its group and ``ulimit`` leave.

    None where the system does not say (it is no Linux).
    """
    return min((left for left in _left()), default=None)


def check_memory(n_bytes: int, what: str, remedy: str) -> None:
    """Raise ConfigError if ``n_bytes`` are more than there is memory for.

    Parameters
    ----------
    n_bytes : int
        The estimate.
    what, remedy : str
        What takes the memory, and what to do instead: ``{what} take 12.0 GB ...; {remedy}``.
    """
    left = available_bytes()
    if left is not None and n_bytes > left:
        raise ConfigError(
            f"{what} take {_gigabytes(n_bytes)} of memory, and {_gigabytes(left)} are available; {remedy}"
        )


def release_free_memory() -> None:
    """Give freed memory back to the system, where the C library can be asked to (glibc); elsewhere do nothing.

    Arrays of a few megabytes that are freed one by one leave holes that glibc keeps for later: after a large file was
    read they are as much as the graph itself. Some milliseconds.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"


def _left() -> Iterator[int]:
    """Yield what each limit leaves, where it can be read."""
    if (free := _kilobytes(_MEMINFO, "MemAvailable")) is not None:
        yield free
    for limit, use in _GROUPS:
        try:
            # A group without a limit says "max", or a number beyond every machine.
            yield max(0, int(Path(limit).read_text()) - int(Path(use).read_text()))
        except (OSError, ValueError):
            continue
    try:
        import resource

        bound, used = resource.getrlimit(resource.RLIMIT_AS)[0], _kilobytes(_STATUS, "VmSize")
        if bound != resource.RLIM_INFINITY and used is not None:
            yield max(0, bound - used)
    except ImportError:
        return


def _kilobytes(path: Path, name: str) -> int | None:
    """Return the bytes of the line ``name`` of a file of the system, or None."""
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
