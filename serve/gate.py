"""How an engine closes: requests in flight end, later ones are refused."""

from __future__ import annotations

import threading
from types import TracebackType

from graphrec.errors import ClosedError


class Gate:
    """Counts the requests in flight: each runs within ``with gate:``. Once closed, it lets no other in."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closed = False
        self.renew()

    def renew(self) -> None:
        """Count from 0 with a lock of one's own: a forked child has none of its parent's requests."""
        self._changed = threading.Condition()
        self._in_flight = 0

    def __enter__(self) -> None:
        with self._changed:
            if self._closed:
                raise ClosedError(f"the engine of {self._name!r} is closed; open another with Engine.open")
            self._in_flight += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Refuse further requests; return whether those in flight ended within ``timeout_s``."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout_s)
