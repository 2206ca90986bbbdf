"""Threads that ask channels side by side, and the rest that a channel is given while a call of it hangs.

A thread that hangs cannot be ended from outside. It is left behind and another takes its place, so that the channels
beside it always have the threads that they were promised; and the channel is not asked again at once, so that it
does not take one thread after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

# A call that has run for so long has a thread to itself: another takes its place among those that serve the queue.
_SLOW_S = 0.25
# A channel whose call hangs is asked again after the first pause, then after twice as long, up to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 30.0, 3600.0


@dataclass(slots=True)
class _Rest(Generic[T]):
    """A channel that rests: its calls that no request waits for any more, and when it is asked again all the same."""

    pause_s: float
    until: float
    calls: set[Future[T]] = field(default_factory=set)


class ChannelThreads(Generic[T]):
    """Runs calls of channels on up to ``n`` threads, not counting those whose call is slow or hangs.

    Threads are started when there is work, and belong to the process that started them: a forked child calls
    :meth:`renew` and starts its own. They never keep a process from ending.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self.renew()

    def renew(self) -> None:
        """Forget all threads, calls and rests. In a forked child none of them exists."""
        self._lock = threading.Lock()
        self._queue: SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = SimpleQueue()
        self._serving = 0
        self._started: dict[Future[T], float] = {}
        self._left_behind: set[Future[T]] = set()
        self._rests: dict[str, _Rest[T]] = {}

    def run(self, calls: Mapping[str, Callable[[], T]], timeout_s: float) -> dict[str, Future[T]]:
        """Run calls side by side for ``timeout_s``; return those that ended by then. Others rest, or never began."""
        until = time.perf_counter() + timeout_s
        futures = {name: self._submit(call) for name, call in calls.items()}
        pending = set(futures.values())
        while pending:
            self._relieve()
            left_s = until - time.perf_counter()
            _, pending = wait(pending, timeout=max(0.0, min(left_s, _SLOW_S)))
            if left_s <= 0:
                break
        # All that have not begun go first, or a thread that takes the place of another would begin one of them.
        begun = {future for future in pending if not future.cancel()}
        for name, future in futures.items():
            if future in begun:
                self._give_up(name, future)
        return {name: future for name, future in futures.items() if future not in pending}

    def rests(self, name: str) -> bool:
        """Return whether a channel is not to be asked now; where its pause is over, this call may ask it."""
        if name not in self._rests:
            return False
        with self._lock:
            rest = self._rests.get(name)
            if rest is None or time.monotonic() < rest.until:
                return rest is not None
            rest.pause_s = min(2 * rest.pause_s, _LAST_PAUSE_S)
            rest.until = time.monotonic() + rest.pause_s
            return False

    def stop(self) -> None:
        """Let the threads end once the queue is empty."""
        with self._lock:
            for _ in range(self._serving):
                self._queue.put(None)
            self._serving = 0

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._serving < self._n:
                self._start()
        self._queue.put((future, call))
        return future

    def _start(self) -> None:
        """Start a thread; the caller holds the lock. Where the system has none to give, those that serve must do."""
        try:
            threading.Thread(target=self._serve, name="recall", daemon=True).start()
        except RuntimeError:
            if self._serving == 0:
                raise
        else:
            self._serving += 1

    def _serve(self) -> None:
        """Run calls of the queue until told to stop, or left behind with a slow call."""
        while (entry := self._queue.get()) is not None:
            future, call = entry
            if not future.set_running_or_notify_cancel():
                continue
            with self._lock:
                self._started[future] = time.monotonic()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            with self._lock:
                del self._started[future]
                if future in self._left_behind:
                    self._left_behind.remove(future)
                    return
            del entry, future, call  # an idle thread holds nothing of a request

    def _relieve(self) -> None:
        """Start a thread in the place of each that has been at one call for long."""
        now = time.monotonic()
        with self._lock:
            for future, started in self._started.items():
                if now - started > _SLOW_S:
                    self._leave_behind(future)

    def _leave_behind(self, future: Future[T]) -> None:
        """Count the thread of a call no longer, and start another; the caller holds the lock."""
        if future not in self._left_behind:
            self._left_behind.add(future)
            self._serving -= 1
            self._start()

    def _give_up(self, name: str, future: Future[T]) -> None:
        """Wait for a call that has begun no longer: its channel rests until it ends."""
        with self._lock:
            if future.done():  # it has ended this moment
                return
            self._leave_behind(future)
            rest = self._rests.setdefault(name, _Rest(_FIRST_PAUSE_S, time.monotonic() + _FIRST_PAUSE_S))
            rest.calls.add(future)
        future.add_done_callback(lambda ended: self._ended(name, ended))

    def _ended(self, name: str, future: Future[T]) -> None:
        """Let a channel be asked again, once none of the calls that were given up runs."""
        with self._lock:
            rest = self._rests.get(name)
            if rest is not None:
                rest.calls.discard(future)
                if not rest.calls:
                    del self._rests[name]
