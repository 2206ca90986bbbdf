"""N-Triples and N-Quads, read in blocks of whole lines: a bad line costs that line alone.

Lines that are canonical already are taken as they are (``canonical``, or by the caller); oxigraph parses the others.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyoxigraph as ox

from graphrec.data.limits import Limits, beyond_limit
from graphrec.data.line_ends import count_byte
from graphrec.errors import DataError

from .bad_lines import BadLines
from .canonical import LineParts, parted
from .faults import PARSER_FAULTS, line_reason
from .formats import FORMATS, RdfFile
from .guarded_bytes import GuardedBytes
from .nesting import TEXT_PARSER_BYTES, is_too_deep

BLOCK_BYTES = 1 << 21
_CHUNK_TRIPLES = 1 << 16
_KEPT_BYTES = 1 << 12  # of a line that is too long

_Numbers = npt.NDArray[np.int64]

Take = Callable[[bytes, bool], Callable[[], LineParts]]
"""Takes a block of lines, and whether a statement may name a graph; returns what gives the lines left to the parser."""


def _parted_when_needed(block: bytes, graphs: bool) -> Callable[[], LineParts]:
    return partial(parted, block, graphs=graphs)


def line_chunks(
    source: GuardedBytes, bad_lines: BadLines, take: Take = _parted_when_needed, *, ahead: int = 0
) -> Iterator[bytes]:
    """Yield canonical N-Quads, block by block; blank lines are counted, bad ones given to ``bad_lines``.

    ``take`` is given each block of lines, up to ``ahead`` blocks before what it left is needed.
    """
    reader = _LineReader(source.file, source.limits, bad_lines, take)
    waiting: deque[_Begun] = deque()
    for block in _blocks(source, reader.most_bytes):
        waiting.append(reader.begin(block))
        while len(waiting) > ahead:
            yield from reader.chunks(waiting.popleft())
    while waiting:
        yield from reader.chunks(waiting.popleft())
    bad_lines.n_lines += reader.line - 1
    bad_lines.check(source.file.path, reader.line - 1, at_end=True)


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole lines, and how many bytes the first is longer than what stands here of it."""

    data: bytes
    cut_bytes: int


def _blocks(source: GuardedBytes, most_bytes: int) -> Iterator[_Block]:
    """Yield the lines of ``source``; of one that is too long by its beginning, only that."""
    rest, cut_bytes = b"", 0
    while block := source.read(BLOCK_BYTES):
        data = rest + block
        # A lone carriage return ends a line too, but one at the very end may be half of a pair.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        if cut:
            yield _Block(data[:cut], cut_bytes)
            cut_bytes = 0
        rest = data[cut:]
        if cut_bytes or len(rest) > most_bytes:
            cut_bytes += max(len(rest) - _KEPT_BYTES, 0)
            rest = rest[:_KEPT_BYTES]
    if rest:
        yield _Block(rest, cut_bytes)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A block that is worked on: its first line where that is too long, the others, and what will be left of them."""

    first: bytes
    n_first: int
    data: bytes
    parts: Callable[[], LineParts] | None


class _LineReader:
    """Turns blocks of lines into chunks; ``line`` is the number of the next block's first line."""

    def __init__(self, file: RdfFile, limits: Limits, bad_lines: BadLines, take: Take) -> None:
        self._file, self._limits, self._bad_lines, self._take = file, limits, bad_lines, take
        self.most_bytes = min(limits.text_bytes, TEXT_PARSER_BYTES)
        self.line = 1

    def begin(self, block: _Block) -> _Begun:
        """Give the block to ``take``, unless its lines have to be looked at one by one."""
        first = block.data.splitlines(keepends=True)[0] if block.cut_bytes else b""
        data = block.data[len(first) :]
        parts = None if self._may_be_long(data) else self._take(data, self._file.format == "n-quads")
        return _Begun(first, block.cut_bytes + len(first), data, parts)

    def chunks(self, begun: _Begun) -> Iterator[bytes]:
        """Yield the good lines of a block; at least one chunk, which may be empty."""
        if begun.first:
            self._reject_long(begun.first, begun.n_first, self.line)
            self.line += 1
        if begun.parts is None:
            lines = begun.data.splitlines(keepends=True)
            yield from self._one_by_one(lines, self.line + np.arange(len(lines)))
            self.line += len(lines)
        else:
            parts = begun.parts()
            yield parts.canonical
            yield from self._others(parts.others, self.line + parts.numbers)
            self.line += parts.n
        self._bad_lines.check(self._file.path, self.line, at_end=False)

    def _others(self, others: bytes, numbers: _Numbers) -> Iterator[bytes]:
        if self._may_be_deep(others):
            yield from self._one_by_one(others.splitlines(keepends=True), numbers)
        else:
            yield from self._parsed(others, numbers)

    def _may_be_long(self, block: bytes) -> bool:
        """Return whether a line of ``block`` may be too long. Of a block's lines only the first can be."""
        first = block.find(b"\n")
        return len(block) > self.most_bytes and (self.most_bytes < BLOCK_BYTES or not 0 <= first <= self.most_bytes)

    def _may_be_deep(self, lines: bytes) -> bool:
        return count_byte(lines, "(") > self._limits.depth and lines.count(b"<<(") > self._limits.depth

    def _one_by_one(self, lines: Sequence[bytes], numbers: _Numbers) -> Iterator[bytes]:
        """Yield the good ones of ``lines`` that may be beyond the limits."""
        for position, line in enumerate(lines):
            if len(line) > self.most_bytes:
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
        error = beyond_limit("", what, self._limits, "text_bytes", most=self.most_bytes)
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
