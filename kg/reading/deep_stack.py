"""Parsers that recurse, on a thread whose stack is known to be deep enough for what the limits allow.

The caller's thread may have any stack: web servers and other languages start threads of 256 kB, in which the parser of
JSON-LD ends the process at depth 128.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from graphrec.data.limits import Limits

T = TypeVar("T")

# Measured: a level of JSON-LD takes up to 3 kB, one of triple terms 1 kB, a term of a context that is made of another
# one 2 kB. Only the pages of a stack that are used take memory.
_FREE_BYTES, _LEVEL_BYTES, _TERM_BYTES = 1 << 20, 1 << 14, 1 << 13
# Whoever lifts the limits wholly has no more than this: a larger stack may not be had.
_MOST_BYTES = 1 << 30

_starting = threading.Lock()


def on_deep_stack(items: Generator[T, None, None], limits: Limits) -> Generator[T, None, None]:
    """Yield what ``items`` yields, computed on one thread of its own whose stack is enough for what ``limits`` allow.

    Parameters
    ----------
    items : generator
        Not begun yet; its body runs on that thread alone, its end included.
    limits : Limits
        Levels that its parser may recurse into, and names that may be chained.

    Notes
    -----
    The caller waits while the thread works: exceptions, and what is read, are as without the thread.
    """
    end = object()
    with deep_thread(limits) as pool:
        try:
            while (item := pool.submit(next, items, end).result()) is not end:
                yield item  # type: ignore[misc]
        finally:
            pool.submit(items.close).result()


def deep_thread(limits: Limits) -> ThreadPoolExecutor:
    """Return one thread that runs already, whose stack is enough for what ``limits`` allow."""
    stack_bytes = min(_FREE_BYTES + limits.depth * _LEVEL_BYTES + limits.names * _TERM_BYTES, _MOST_BYTES)
    pool = ThreadPoolExecutor(1, thread_name_prefix="deep-stack")
    # The size is the whole process's: whoever starts a thread meanwhile gets a larger stack too.
    with _starting:
        before = threading.stack_size(stack_bytes)
        try:
            pool.submit(int).result()
        finally:
            threading.stack_size(before)
    return pool
