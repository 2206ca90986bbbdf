"""Running kernels over chunks of rows on several threads.

Kernels are compiled with ``nogil=True`` and never with ``parallel=True``: numba's own thread pools may not be entered
from two Python threads at once, and a server does just that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def default_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_chunks(work: Callable[[int, int], T], n: int, *, chunk: int, threads: int | None = None) -> Iterator[T]:
    """Yield ``work(start, stop)`` for the chunks of ``0..n-1``, in order, computed on ``threads`` threads.

    The chunks do not depend on the number of threads, so neither does the result.
    """
    bounds = [(start, min(start + chunk, n)) for start in range(0, n, chunk)]
    workers = min(threads or default_threads(), len(bounds))
    if workers <= 1:
        yield from (work(start, stop) for start, stop in bounds)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda bound: work(*bound), bounds)
