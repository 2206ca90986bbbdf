"""N-Triples and N-Quads, read in blocks of whole lines: a bad line costs that line alone.

Lines that are canonical already are taken as they are (``canonical``); oxigraph parses the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyoxigraph as ox

from graphrec.data.limits import Limits, beyond_limit
from graphrec.data.line_ends import count_byte
from graphrec.errors import DataError

from .bad_lines import BadLines
from .canonical import parted
from .faults import PARSER_FAULTS, line_reason
from .formats import FORMATS, RdfFile
from .guarded_bytes import GuardedBytes
from .nesting import TEXT_PARSER_BYTES, is_too_deep

BLOCK_BYTES = 1 << 21
_CHUNK_TRIPLES = 1 << 16
_KEPT_BYTES = 1 << 12  # of a line that is too long

_Numbers = npt.NDArray[np.int64]


def line_chunks(source: GuardedBytes, bad_lines: BadLines) -> Iterator[bytes]:
    """Yield canonical N-Quads, a block of lines at a time; blank lines are counted, bad ones given to ``bad_lines``."""
    reader = _LineReader(source.file, source.limits, bad_lines)
    rest = b""
    while block := source.read(BLOCK_BYTES):
        data = rest + block
        # A lone carriage return ends a line too, but one at the very end may be half of a pair.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        yield from reader.chunks(data[:cut])
        rest = reader.shortened(data[cut:])
        bad_lines.check(source.file.path, reader.line, at_end=False)
    yield from reader.chunks(rest)
    bad_lines.n_lines += reader.line - 1
    bad_lines.check(source.file.path, reader.line - 1, at_end=True)


class _LineReader:
    """Turns blocks of lines into chunks; ``line`` is the number of the next block's first line."""

    def __init__(self, file: RdfFile, limits: Limits, bad_lines: BadLines) -> None:
        self._file, self._limits, self._bad_lines = file, limits, bad_lines
        self._most_bytes = min(limits.text_bytes, TEXT_PARSER_BYTES)
        self.line = 1
        self._cut_bytes = 0  # what was left out of the line that the next block begins with

    def chunks(self, block: bytes) -> Iterator[bytes]:
        """Yield the good lines of ``block``."""
        if self._cut_bytes and block:
            block = self._without_first(block)
        if self._may_be_long(block):
            lines = block.splitlines(keepends=True)
            yield from self._one_by_one(lines, self.line + np.arange(len(lines)))
            self.line += len(lines)
            return
        parts = parted(block, graphs=self._file.format == "n-quads")
        if parts.canonical:
            yield parts.canonical
        numbers = self.line + parts.numbers
        if self._may_be_deep(parts.others):
            yield from self._one_by_one(parts.others.splitlines(keepends=True), numbers)
        else:
            yield from self._parsed(parts.others, numbers)
        self.line += parts.n

    def shortened(self, rest: bytes) -> bytes:
        """Return the begun line ``rest``, only its beginning where it is too long already."""
        if self._cut_bytes or len(rest) > self._most_bytes:
            kept = rest[:_KEPT_BYTES]
            self._cut_bytes += len(rest) - len(kept)
            return kept
        return rest

    def _without_first(self, block: bytes) -> bytes:
        """Return ``block`` without its first line, which is too long."""
        first = block.splitlines(keepends=True)[0]
        self._reject_long(first, self._cut_bytes + len(first), self.line)
        self._cut_bytes = 0
        self.line += 1
        return block[len(first) :]

    def _may_be_long(self, block: bytes) -> bool:
        """Return whether a line of ``block`` may be too long. Of a block's lines only the first can be."""
        first = block.find(b"\n")
        return len(block) > self._most_bytes and (self._most_bytes < BLOCK_BYTES or not 0 <= first <= self._most_bytes)

    def _may_be_deep(self, lines: bytes) -> bool:
        return count_byte(lines, "(") > self._limits.depth and lines.count(b"<<(") > self._limits.depth

    def _one_by_one(self, lines: Sequence[bytes], numbers: _Numbers) -> Iterator[bytes]:
        """Yield the good ones of ``lines`` that may be beyond the limits."""
        for position, line in enumerate(lines):
            if len(line) > self._most_bytes:
                self._reject_long(line, len(line), int(numbers[position]))
            elif line.count(b"<<(") > self._limits.depth and is_too_deep(line, self._limits):
                what = f"more than {self._limits.depth:,} triple terms are nested"
                self._reject(beyond_limit("", what, self._limits, "depth"), line, int(numbers[position]))
            else:
                yield from self._parsed(line, numbers[position : position + 1])

    def _reject_long(self, line: bytes, n_bytes: int, number: int) -> None:
        if line.lstrip(b" \t").startswith(b"#"):
            self._bad_lines.n_blank += 1
            return
        what = f"the line has {n_bytes:,} bytes"
        error = beyond_limit("", what, self._limits, "text_bytes", most=self._most_bytes)
        self._reject(error, line[:_KEPT_BYTES], number)

    def _reject(self, error: DataError, line: bytes, number: int) -> None:
        self._bad_lines.add(self._file.path, number, str(error).removeprefix(": "), line.rstrip(b"\r\n"))

    def _parsed(self, block: bytes, numbers: _Numbers) -> Iterator[bytes]:
        """Yield the good ones of the lines with these ``numbers``; halve them where one is bad."""
        if not block:
            return
        chunks, reason = self._statements(block, len(numbers))
        if reason is None:
            yield from chunks
        elif len(numbers) == 1:
            self._bad_lines.add(self._file.path, int(numbers[0]), reason, block.rstrip(b"\r\n"))
        else:
            lines, middle = block.splitlines(keepends=True), len(numbers) // 2
            yield from self._parsed(b"".join(lines[:middle]), numbers[:middle])
            yield from self._parsed(b"".join(lines[middle:]), numbers[middle:])

    def _statements(self, block: bytes, n_lines: int) -> tuple[list[bytes], str | None]:
        """Return the statements of ``block``, or what is wrong with it: each line is one of them or blank."""
        chunks = []
        try:
            parsed = ox.parse(block, FORMATS[self._file.format])
            while chunk := ox.serialize(itertools.islice(parsed, _CHUNK_TRIPLES), format=ox.RdfFormat.N_QUADS):
                chunks.append(chunk)
        except PARSER_FAULTS as error:
            return [], line_reason(error)
        n_statements = sum(count_byte(chunk, "\n") for chunk in chunks)
        n_blank = 0 if n_lines == n_statements else _n_blank(block)
        if n_statements + n_blank != n_lines:
            return [], "the parser made no statement of it, and it is not blank"
        self._bad_lines.n_blank += n_blank
        return chunks, None


def _n_blank(data: bytes) -> int:
    """Return how many lines hold nothing, or a comment alone."""
    return sum(1 for line in data.splitlines() if line.lstrip(b" \t")[:1] in (b"", b"#"))
