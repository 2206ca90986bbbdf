"""Running kernels over chunks of rows on several threads.

Kernels are compiled with ``nogil=True`` and never with ``parallel=True``: numba's own thread pools may not be entered
from two Python threads at once, and a server does just that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


_LIMIT: ContextVar[int] = ContextVar("threads at most", default=0)


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads work is spread over where nothing else is said: the limit, or every processor."""
    return _LIMIT.get() or processors()


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Limit :func:`default_threads` within the block, in this thread alone; 0 leaves it as it is.

    A fit is run so: what it calls, such as the search of an index, need not hand the number on.
    """
    token = _LIMIT.set(threads or _LIMIT.get())
    try:
        yield
    finally:
        _LIMIT.reset(token)


def map_chunks(work: Callable[[int, int], T], n: int, *, chunk: int, threads: int | None = None) -> Iterator[T]:
    """Yield ``work(start, stop)`` for the chunks of ``0..n-1``, in order, computed on ``threads`` threads.

    The chunks do not depend on the number of threads, so neither does the result.
    """
    bounds = [(start, min(start + chunk, n)) for start in range(0, n, chunk)]
    # A request is one chunk: to count the processors costs as much as some kernels.
    workers = min(threads or default_threads(), len(bounds)) if len(bounds) > 1 else 1
    if workers == 1:
        yield from (work(start, stop) for start, stop in bounds)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda bound: work(*bound), bounds)
