"""Counting, keeping and limiting the lines of an RDF file that cannot be used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from graphrec.errors import DataError

OnError = Literal["reject", "raise"]
# The share is judged on the way only once this many lines have been seen.
_EARLY = 10_000
_SHOWN = 200


@dataclass(slots=True)
class BadLines:
    """What to do with bad lines, and how many there were.

    Parameters
    ----------
    on_error : {"reject", "raise"}
        Count and keep, or raise on the first.
    path : Path or None
        JSON Lines file, one object a bad line: file, line, reason, text. Written only if there is one.
    max_share : float
        Largest share of rejected lines that a file may have.
    n_rejected, first : int, str
        Bad lines of all files, and what is wrong with the first of them.
    """

    on_error: OnError = "reject"
    path: Path | None = None
    max_share: float = 0.05
    n_rejected: int = 0
    first: str = ""
    _first_in_file: str = ""
    _stream: IO[str] | None = field(default=None, repr=False)
    _in_file: int = 0

    def begin_file(self) -> None:
        """Start counting the share of the next file."""
        self._in_file, self._first_in_file = 0, ""

    def add(self, file: Path, line: int, reason: str, text: bytes) -> None:
        """Take one bad line; raise DataError with ``on_error="raise"``."""
        shown = text.decode("utf-8", "backslashreplace")
        sentence = f"{file}, line {line}: {reason.rstrip('.')}, in {shown[:_SHOWN]!r}"
        if self.on_error == "raise":
            raise DataError(f"{sentence}; correct the line, or read with on_error='reject'")
        self.first = self.first or sentence
        self._first_in_file = self._first_in_file or sentence
        self.n_rejected += 1
        self._in_file += 1
        if self.path is not None:
            if self._stream is None:
                self._stream = _opened(self.path)
            row = {"file": str(file), "line": line, "reason": reason, "text": shown}
            self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def check(self, file: Path, n_lines: int, *, at_end: bool) -> None:
        """Raise DataError where too many of a file's ``n_lines`` lines were bad."""
        if not self._in_file or (not at_end and n_lines < _EARLY):
            return
        if self._in_file > self.max_share * n_lines:
            raise DataError(
                f"{self._first_in_file}; {self._in_file:,} of {n_lines:,} lines of {file} cannot be used, "
                f"more than the limit of {self.max_share:.0%}"
            )

    def close(self) -> None:
        """Close the rejects file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise DataError(f"the rejects file {path} cannot be written: {error.strerror or error}") from error
