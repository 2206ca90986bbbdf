"""Counting, keeping and limiting what cannot be used of an RDF file: lines, or statements of a JSON-LD document."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from graphrec.data.scratch import written_whole
from graphrec.errors import DataError
from graphrec.escapes import json_text

OnError = Literal["reject", "raise"]
# The share is judged on the way only once this many lines have been seen.
_EARLY = 10_000
_SHOWN = 60


@dataclass(slots=True)
class BadLines:
    """What to do with bad lines, and how many there were.

    Parameters
    ----------
    on_error : {"reject", "raise"}
        Count and keep, or raise on the first.
    path : Path or None
        JSON Lines file, one object a bad line: file, line (or statement), reason, text. It is written under a temporary
        name and takes its own when it is closed, also where the run stops; without bad lines there is none, and that
        of an earlier run is removed. Of two runs that write the same file at once, the last to end wins.
    max_share : float
        Largest share of rejected lines that a file may have.
    n_rejected, first : int, str
        Bad lines of all files, and what is wrong with the first of them.
    n_lines, n_blank : int
        Lines of the files of a line format, and those among them that are blank or a comment alone.
    n_unmapped : int
        Statements of JSON-LD documents whose key no context gives an IRI: by the standard they say nothing.
    """

    on_error: OnError = "reject"
    path: Path | None = None
    max_share: float = 0.05
    n_rejected: int = 0
    first: str = ""
    n_lines: int = 0
    n_blank: int = 0
    n_unmapped: int = 0
    _first_in_file: str = ""
    _stream: IO[str] | None = field(default=None, repr=False)
    _whole: ExitStack = field(default_factory=ExitStack, repr=False)
    _in_file: int = 0
    _unit: str = "line"

    def begin_file(self) -> None:
        """Start counting the share of the next file."""
        self._in_file, self._first_in_file = 0, ""

    def add(self, file: Path, place: int, reason: str, text: bytes, *, unit: str = "line") -> None:
        """Take one bad line (or ``unit``), number ``place``; raise DataError with ``on_error="raise"``."""
        shown = text.decode("utf-8", "backslashreplace")
        sentence = f"{file}, {unit} {place}: {reason.rstrip('.')}, in {shown[:_SHOWN]!r}"
        if self.on_error == "raise":
            raise DataError(f"{sentence}; correct the {unit}, or read with on_error='reject'")
        self._unit = unit
        self.first = self.first or sentence
        self._first_in_file = self._first_in_file or sentence
        self.n_rejected += 1
        self._in_file += 1
        if self.path is not None:
            self._write(self.path, {"file": str(file), unit: place, "reason": reason, "text": shown})

    def _write(self, path: Path, row: dict[str, object]) -> None:
        try:
            if self._stream is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = self._whole.enter_context(written_whole(path))
                self._stream = self._whole.enter_context(part.open("w", encoding="utf-8"))
            self._stream.write(json_text(row) + "\n")
        except OSError as error:
            raise _not_written(path, error) from error

    def check(self, file: Path, n_lines: int, *, at_end: bool) -> None:
        """Raise DataError where too many of a file's ``n_lines`` lines were bad."""
        if not self._in_file or (not at_end and n_lines < _EARLY):
            return
        if self._in_file > self.max_share * n_lines:
            raise DataError(
                f"{self._first_in_file}; {self._in_file:,} of {n_lines:,} {self._unit}s of {file} cannot be used, "
                f"more than the limit of {self.max_share:.0%}"
            )

    def close(self) -> None:
        """Put the rejects file in its place."""
        if self.path is None:
            return
        try:
            if self._stream is None:
                self.path.unlink(missing_ok=True)
            self._stream = None
            self._whole.close()
        except NotADirectoryError:
            return  # there is none to remove
        except OSError as error:
            raise _not_written(self.path, error) from error


def _not_written(path: Path, error: OSError) -> DataError:
    return DataError(f"the rejects file {path} cannot be written: {error.strerror or error}")
