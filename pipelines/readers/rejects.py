"""Rows that cannot be used: counted by reason, written to a file, and a reason to stop when they are too many."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from graphrec.checks import as_path
from graphrec.data.scratch import written_whole
from graphrec.errors import DataError
from graphrec.escapes import spreadsheet_cell


@dataclass(slots=True)
class Reason:
    """How often a reason was met, and its first case."""

    count: int
    place: int
    value: str


class Rejects:
    """A tally of rejected rows; with a path, each is written there as ``line,reason,row``.

    The file is for people and their spreadsheets: a field that would run as a formula has an apostrophe before it.
    It is written under a temporary name and takes its own when the tally is closed, also when the run then stops;
    without rejects there is none, and an old one is removed.
    """

    def __init__(self, path: str | Path | None, *, name: str, place: str) -> None:
        self.reasons: dict[str, Reason] = {}
        self.name, self.place = name, place
        self.path = None if path is None else as_path(path, name="rejects")
        self._file: IO[str] | None = None
        self._writer: Any = None
        self._whole = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def n(self) -> int:
        """Rejected rows in all."""
        return sum(reason.count for reason in self.reasons.values())

    def add(self, reason: str, place: int, row: Sequence[object], *, value: object, count: int = 1) -> None:
        """Count one row (as ``count`` of them, where it takes several lines), and write it where there is a file."""
        known = self.reasons.get(reason)
        if known is None:
            self.reasons[reason] = Reason(count, place, str(value))
        else:
            known.count += count
        if self.path is not None:
            self._write(self.path, (place, reason, *row))

    def _write(self, path: Path, fields: Sequence[object]) -> None:
        try:
            if self._writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = self._whole.enter_context(written_whole(path))
                self._file = self._whole.enter_context(part.open("w", encoding="utf-8", newline=""))
                self._writer = csv.writer(self._file, lineterminator="\n")
                self._writer.writerow((self.place, "reason", "row"))
            self._writer.writerow([spreadsheet_cell(field) for field in fields])
        except OSError as error:
            raise self._unwritten(path, error) from error

    def close(self) -> None:
        """Put the file in its place."""
        if self.path is None:
            return
        try:
            if self._file is None and self.path.is_file():
                self.path.unlink(missing_ok=True)
            self._whole.close()
        except OSError as error:
            raise self._unwritten(self.path, error) from error

    def _unwritten(self, path: Path, error: OSError) -> DataError:
        return DataError(f"rejects file {path} cannot be written: {error.strerror or error}")

    def check(self, n_rows: int, max_share: float, *, forgiven: Sequence[str] = ()) -> None:
        """Raise DataError when more than ``max_share`` of ``n_rows`` were rejected for reasons not ``forgiven``."""
        faults = {reason: case for reason, case in self.reasons.items() if reason not in forgiven}
        n = sum(case.count for case in faults.values())
        if not n or n <= max_share * n_rows:
            return
        reason, case = max(faults.items(), key=lambda pair: pair[1].count)
        written = f"; all of them are in {self.path}" if self.path is not None else ""
        raise DataError(
            f"{self.name}: {n:,} of {n_rows:,} rows cannot be used, more than max_reject_share = {max_share:g} allows; "
            f"most often: {reason} ({case.count:,} rows, first in {self.place} {case.place}: {case.value!r}){written}"
        )
