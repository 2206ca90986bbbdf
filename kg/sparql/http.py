"""One query to a SPARQL endpoint over HTTP: bounded, repeated where that may help, and checked before it is parsed."""

from __future__ import annotations

import http.client
import math
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from graphrec.errors import ConfigError, DataError, FetchError, first_line
from graphrec.version import __version__

# Media types of answers, and the syntax that they are read as.
_SYNTAX = {
    "application/n-triples": "n-triples",
    "application/n-quads": "n-quads",
    "text/plain": "n-triples",  # of endpoints from before the type of N-Triples was registered
    "text/turtle": "turtle",
    "application/x-turtle": "turtle",
    "application/turtle": "turtle",
    "application/rdf+xml": "rdf-xml",
    "application/xml": "rdf-xml",
    "text/xml": "rdf-xml",
}
_ACCEPT = "application/n-triples, text/turtle;q=0.8, application/rdf+xml;q=0.5"
_BUSY = (408, 429, 500, 502, 503, 504)
_PIECE = 1 << 16
_LONGEST_WAIT_S = 60.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Sent by Virtuoso: fewer solutions than there are, since time was up; and the most that it ever gives.
_PARTIAL, _MOST = "X-SQL-State", "X-SPARQL-MaxRows"


class Answered(NamedTuple):
    """What an endpoint answered: the document, its syntax, and the most solutions that it gives at a time."""

    content: bytes
    syntax: str
    most: int | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A SPARQL endpoint, and how patient we are with it.

    Parameters
    ----------
    url : str
        http or https.
    timeout_s : float
        The longest that one answer may take, from the request to its last byte.
    retries : int
        How often a request is repeated where the endpoint is busy, out of reach or cut its answer.
    backoff_s : float
        Wait before the first repetition; each further one is twice as long, at most a minute; ``Retry-After`` counts.
    max_bytes : int
        A longer answer is refused.
    headers : mapping
        Further headers, such as ``Authorization``.
    """

    url: str
    timeout_s: float = 60.0
    retries: int = 3
    backoff_s: float = 0.5
    max_bytes: int = 1 << 30
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url) if isinstance(self.url, str) else urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"the endpoint is {self.url!r}; it must be an address such as 'https://example.org/sparql'"
            )
        for name, least in (("timeout_s", 0.001), ("retries", 0), ("backoff_s", 0), ("max_bytes", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
                raise ConfigError(f"{name} is {value!r}; it must be a number of {least} or more")

    def ask(self, query: str) -> Answered:
        """Return the answer to a query.

        Raises
        ------
        FetchError
            If the endpoint cannot be reached, is silent for too long, cuts its answers or is busy, each time.
        DataError
            If it refuses the query, or answers with something else than RDF, or with more than ``max_bytes``.
        """
        for attempt in range(int(self.retries) + 1):
            try:
                return self._asked(query)
            except _Retry as failure:
                if attempt == self.retries:
                    times = "once" if attempt == 0 else f"{attempt + 1} times"
                    raise FetchError(f"{self.url} {failure.what} (tried {times})") from failure
                time.sleep(min(max(self.backoff_s * 2**attempt, failure.wait_s), _LONGEST_WAIT_S))
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _asked(self, query: str) -> Answered:
        deadline = time.monotonic() + self.timeout_s
        body = urlencode({"query": query}).encode()
        headers = {
            "Accept": _ACCEPT,
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": f"graphrec/{__version__}",
            **(self.headers or {}),
        }
        request = urllib.request.Request(self.url, data=body, headers=headers)  # noqa: S310 - http or https, see above
        try:
            with self._opener().open(request, timeout=self.timeout_s) as response:
                return self._read(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        except (TimeoutError, urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason: Any = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise _Retry(f"did not answer within {self.timeout_s:g} s") from error
            if isinstance(reason, http.client.IncompleteRead):
                raise _Retry("cut its answer") from error
            raise _Retry(f"cannot be asked: {first_line(reason) or type(reason).__name__}") from error

    def _opener(self) -> urllib.request.OpenerDirector:
        # A proxy of the environment leads to other machines, never to this one.
        proxies: dict[str, str] | None = {} if urlsplit(self.url).hostname in _LOOPBACK else None
        return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _HttpRedirects())

    def _read(self, response: Any, deadline: float) -> Answered:
        kind = response.headers.get_content_type()
        if response.headers.get(_PARTIAL):
            raise DataError(
                f"{self.url} says that its answer is partial ({_PARTIAL}); ask for less at a time with page="
            )
        parts, n_bytes = [], 0
        while piece := response.read1(_PIECE):
            parts.append(piece)
            n_bytes += len(piece)
            if n_bytes > self.max_bytes:
                raise DataError(
                    f"{self.url} answered with more than {self.max_bytes:,} bytes; lower page=, or raise max_bytes="
                )
            if time.monotonic() > deadline:
                raise _Retry(f"did not answer within {self.timeout_s:g} s")
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and n_bytes < int(declared):
            raise _Retry(f"cut its answer after {n_bytes:,} of {int(declared):,} bytes")
        content = b"".join(parts)
        most = response.headers.get(_MOST, "")
        return Answered(content, self._syntax(kind, content), int(most) if most.isdecimal() and int(most) else None)

    def _syntax(self, kind: str, content: bytes) -> str:
        """Return the syntax of an answer, as its media type has it."""
        if kind == "text/html" or content[:256].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DataError(
                f"{self.url} answered with a web page{_title(content)}, not with RDF; is this its query address?"
            )
        if kind not in _SYNTAX:
            raise DataError(f"{self.url} answered with {kind}, which is no RDF; legal: {', '.join(_SYNTAX)}")
        return _SYNTAX[kind]

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        """Return what a status other than 200 means."""
        if error.code in _BUSY:
            after = error.headers.get("Retry-After", "")
            return _Retry(f"answered {error.code} ({error.reason})", float(after) if after.isdecimal() else 0.0)
        try:
            said = error.read(2000).decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException):
            said = ""
        line = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", said)).strip()[:200]
        return DataError(f"{self.url} refused the query: {error.code} ({error.reason}){f': {line}' if line else ''}")


class _Retry(Exception):  # noqa: N818 - never leaves this file
    """A failure that may pass."""

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.what, self.wait_s = what, wait_s


class _HttpRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects stay on http and https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise DataError(f"the endpoint redirects to {newurl!r}; only http and https are followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _title(content: bytes) -> str:
    match = re.search(rb"<title[^>]*>(.{1,100}?)</title>", content[:4096], re.IGNORECASE | re.DOTALL)
    return f" ({' '.join(match[1].decode('utf-8', 'replace').split())!r})" if match else ""
