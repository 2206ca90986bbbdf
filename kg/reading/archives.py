"""A file as the bytes inside it: the compression is what its first bytes say, and what comes out is counted."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from graphrec.data.limits import Expansion, Limits
from graphrec.errors import DataError

COMPRESSIONS = (".gz", ".xz", ".zst")
_MAGIC = {b"\x1f\x8b": ".gz", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
_UNREADABLE = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "lz4",
    b"$HDT": "HDT",
}
_HEAD_BYTES = 8
# What the decompressors raise on a damaged or truncated file.
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError)


class UnpackedBytes:
    """The bytes of one file, decompressed. Opened once and read once, so it may be a pipe.

    Parameters
    ----------
    path : Path
        Plain, gzip, xz or zstd under any name.
    limits : Limits
        ``expansion`` and ``expanded_bytes`` are used, where it is compressed.

    Raises
    ------
    DataError
        If the file cannot be opened, or holds an archive of another kind.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._file: Any = None
        try:
            self._file = path.open("rb")
            size = _size(self._file)
            head = self._file.read(_HEAD_BYTES)
        except OSError as error:
            self.close()
            raise DataError(f"{path} cannot be opened: {error.strerror or error}") from error
        self.compression = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
        self.packed_bytes = size
        self._expansion = Expansion(path, size, limits) if self.compression else None
        try:
            check_readable(path, head)
            self._stream = _decompressed(self._rewound(head), self.compression)
        except BaseException:
            self.close()
            raise

    def _rewound(self, head: bytes) -> Any:
        if self._file.seekable():
            self._file.seek(0)
            return self._file
        return io.BufferedReader(_Joined(head, self._file), 1 << 16)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; empty at the end."""
        try:
            data = bytes(self._stream.read(size))
        except _DAMAGE as error:
            how = f"as {self.compression}" if self.compression else "from disk"
            raise DataError(
                f"{self._path} cannot be read {how} (truncated or damaged: {error}); fetch it again"
            ) from error
        if self._expansion is not None:
            self._expansion.add(len(data))
        return data

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def check_readable(path: Path, head: bytes) -> None:
    """Raise DataError where ``head`` is the beginning of an archive that is not unpacked here."""
    for magic, kind in _UNREADABLE.items():
        if head.startswith(magic):
            raise DataError(f"{path} is a {kind} file; unpack it first, or compress it as {', '.join(COMPRESSIONS)}")


def check_unpacked(path: Path, head: bytes) -> None:
    """Raise DataError where what came out of an archive is an archive again."""
    check_readable(path, head)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"{path} holds a {kind} file inside its compression; unpack it once")


def _size(file: io.BufferedReader) -> int | None:
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _decompressed(file: Any, compression: str) -> Any:
    if compression == ".gz":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if compression == ".xz":
        return lzma.LZMAFile(file)
    if compression == ".zst":
        return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    return file


class _Joined(io.RawIOBase):
    """What was read of a pipe already, then the rest."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data, self._head = (self._head or self._rest.read1(len(buffer))), b""
        buffer[: len(data)] = data
        return len(data)
