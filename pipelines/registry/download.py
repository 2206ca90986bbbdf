"""One file over https: resumed where it was cut, bounded in size and time, checked, and put in place at once."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from graphrec.data.files import file_sha256
from graphrec.errors import FetchError

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
ATTEMPTS = 4
MAX_BYTES = 4 << 30
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Progress = Callable[[str, int, int | None], None]
"""Called with (file name, bytes so far, bytes in all or None where the server does not say)."""


def fits(path: Path, sha256: str, md5: str = "") -> bool:
    """Return whether a file has one of the hashes that are known for it; True where none is."""
    if not sha256 and not md5:
        return True
    if sha256 and file_sha256(path) == sha256:
        return True
    with path.open("rb") as file:
        return bool(md5) and hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def check_address(url: str) -> None:
    """Raise FetchError unless ``url`` is https (or http to this very machine)."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise FetchError(f"{url!r} is not an https address; data are fetched over https only")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects stay on https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _CutError(Exception):
    """The connection ended before the file did."""


def download(
    url: str, target: Path, *, sha256: str = "", md5: str = "", progress: Progress | None = None,
    max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S,
) -> str:  # fmt: skip
    """Fetch ``url`` into ``target`` and return its sha256 (hex).

    Bytes go to ``target`` + ``.part``; a later call goes on where an earlier one stopped, if the server can.
    The finished file is checked before it takes its name, so ``target`` is whole or absent.

    Parameters
    ----------
    url : str
        An https address.
    target : Path
        The file to write; its directory is made.
    sha256, md5 : str
        What the file must hash to, one of them; both empty means that nobody knows, and the caller decides.
    progress : callable or None
        Called with (name, bytes so far, bytes in all or None).
    max_bytes : int
        A longer file is refused.
    timeout_s : float
        Longest silence of the server.

    Raises
    ------
    FetchError
        Without a network, on an error of the server, a wrong hash, or a file that is too long.
    """
    check_address(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _transfer(url, part, progress=progress, max_bytes=max_bytes, timeout_s=timeout_s)
    if resumed and not fits(part, sha256, md5):
        # The piece from before may belong to another version of the file: once more, from the start.
        part.unlink()
        _transfer(url, part, progress=progress, max_bytes=max_bytes, timeout_s=timeout_s)
    actual = file_sha256(part)
    if not fits(part, sha256, md5):
        part.unlink()
        raise FetchError(f"{url} has sha256 {actual}, expected was {sha256 or f'md5 {md5}'}; the file was not kept")
    os.replace(part, target)  # noqa: PTH105 - atomic on one file system
    return actual


def _transfer(url: str, part: Path, *, progress: Progress | None, max_bytes: int, timeout_s: float) -> None:
    """Bring ``part`` to its full length, going on after a cut as long as each attempt brings something."""
    opener = urllib.request.build_opener(_SafeRedirects)
    for attempt in range(1, ATTEMPTS + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(opener, url, part, progress=progress, max_bytes=max_bytes, timeout_s=timeout_s)
        except urllib.error.HTTPError as error:
            raise FetchError(
                f"the server answered {error.code} {error.reason} for {url}; look whether it has moved"
            ) from error
        except FetchError:
            raise
        except (_CutError, OSError, http.client.HTTPException) as error:
            got = part.stat().st_size if part.exists() else 0
            if got > before and attempt < ATTEMPTS:
                continue
            reason = getattr(error, "reason", None) or error or type(error).__name__
            kept = f"; {got:,} bytes are kept and the next call goes on from there" if got else ""
            raise FetchError(
                f"{url} could not be fetched ({reason}){kept}; check the network, or give files at hand with --from DIR"
            ) from error
        else:
            return


def _attempt(
    opener: urllib.request.OpenerDirector, url: str, part: Path, *, progress: Progress | None,
    max_bytes: int, timeout_s: float,
) -> None:  # fmt: skip
    """Make one request and append (or, where the server cannot resume, write anew) its bytes to ``part``."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "graphrec", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout_s)  # noqa: S310 - checked
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        # Nothing after what we have: whole already, or of another version, which the hash will tell.
        if error.headers.get("Content-Range", "").rpartition("/")[2] != str(have):
            part.unlink()
            _attempt(opener, url, part, progress=progress, max_bytes=max_bytes, timeout_s=timeout_s)
        return
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        _receive(answer, part, have=have, total=total, progress=progress, max_bytes=max_bytes, url=url)


def _receive(
    answer: IO[bytes], part: Path, *, have: int, total: int | None, progress: Progress | None, max_bytes: int, url: str
) -> None:
    """Write the body of an answer behind the first ``have`` bytes of ``part``."""
    name = part.name.removesuffix(".part")
    if (total or 0) > max_bytes:
        raise FetchError(f"{url} has {total:,} bytes; at most {max_bytes:,} were expected")
    with part.open("ab" if have else "wb") as file:
        while piece := answer.read(CHUNK_BYTES):
            have += len(piece)
            if have > max_bytes:
                raise FetchError(f"{url} has more than the {max_bytes:,} bytes that were expected")
            file.write(piece)
            if progress is not None:
                progress(name, have, total)
    if total is not None and have < total:
        raise _CutError(f"the connection ended after {have:,} of {total:,} bytes")
