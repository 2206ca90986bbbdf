"""A guard around calls into rdflib: inside it this thread opens no connection and no file other than Python modules.

rdflib fetches remote JSON-LD contexts, ``FROM`` and ``SERVICE`` by itself, from http and from ``file://`` alike. The
guard sits below all of them, on Python's audit events (PEP 578). A hook cannot be taken out again, so one is put in
when it is first needed, and it acts only where the context variable says so: other threads are not touched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from graphrec.errors import DataError

_guarded: ContextVar[bool] = ContextVar("graphrec_no_network", default=False)
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "http.client.connect")
_IMPORTABLE = (".py", ".pyc", ".so", ".pyd", ".pth", "METADATA", "entry_points.txt")


@contextmanager
def no_network() -> Iterator[None]:
    """Deny network and file access to everything called inside, with a DataError that names what was tried."""
    _install()
    token = _guarded.set(True)
    try:
        yield
    finally:
        _guarded.reset(token)


@cache
def _install() -> None:
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        if _guarded.get():
            raise DataError(
                f"RDF tried to reach {_shown(arguments)}; nothing is ever fetched: load the document yourself"
            )
    elif event == "open" and _guarded.get():
        # rdflib imports its plugins when they are first asked for; that is all it may open.
        path = arguments[0]
        if isinstance(path, str | bytes) and not _shown((path,)).endswith(_IMPORTABLE):
            raise DataError(f"RDF tried to open the file {_shown((path,))}; only files named by the caller are read")


def _shown(arguments: tuple[Any, ...]) -> str:
    named = next((a for a in arguments if isinstance(a, str | bytes | tuple)), "")
    return named.decode("utf-8", "replace") if isinstance(named, bytes) else str(named)
