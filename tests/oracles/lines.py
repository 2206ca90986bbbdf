"""Records of text files the slow, obvious way: with regular expressions, on the whole text."""

from __future__ import annotations

import re
from typing import NamedTuple

_END = r"(?:\r\n|\r|\n|\Z)"


class Record(NamedTuple):
    """A record: its first line, how many lines it takes, its cells (None where a quote is open)."""

    line: int
    n_lines: int
    cells: list[str] | None


def records(text: str, separator: str, quote: str) -> tuple[list[Record], int]:
    """Return the records of a text, and how many of its lines are blank."""
    sep, found, blank, line, at = re.escape(separator), [], 0, 1, 0
    plain = rf"[^{sep}\r\n{quote}][^{sep}\r\n]*|" if quote else rf"[^{sep}\r\n]*"
    quoted = rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?={sep}|{_END})|" if quote else ""
    cell = re.compile(rf"({quoted}{plain})({sep}|{_END})")
    while at < len(text):
        cells, start, stop = [], at, at
        while True:
            match = cell.match(text, stop)
            if match is None:
                break
            cells.append(match[1])
            stop = match.end()
            if match[2] != separator:
                break
        if match is None:
            first = re.compile(rf"[^\r\n]*{_END}").match(text, start)
            assert first is not None
            found.append(Record(line, 1, None))
            at, line = first.end(), line + 1
            continue
        n_lines = len(re.findall(r"\r\n|\r|\n", text[start:stop])) or 1
        if text[start:stop] and text[stop - 1] not in "\r\n" and len(re.findall(r"\r\n|\r|\n", text[start:stop])):
            n_lines += 1
        values = [part[1:-1].replace(quote * 2, quote) if quote and part[:1] == quote else part for part in cells]
        if all(not value.strip(" \t") for value in values):
            blank += n_lines
        else:
            found.append(Record(line, n_lines, values))
        at, line = stop, line + n_lines
    return found, blank
