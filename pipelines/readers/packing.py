"""The bytes of an input file: known for packed by how they begin, unpacked, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from graphrec.data.limits import Expansion, Limits
from graphrec.errors import DataError, first_line

from .batches import check_file

COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}

_SIGNATURES: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"\xd0\xcf\x11\xe0": "Excel",
}


def packed_as(path: Path) -> str | None:
    """Return how a text file is packed, whatever its name: "gzip", "zstd", or None for plain text.

    Raises
    ------
    DataError
        If it is packed in another way, is a file of another kind, or has the name of a packed file and is none.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(8)
    found = next((kind for signature, kind in _SIGNATURES.items() if start.startswith(signature)), None)
    named = COMPRESSIONS.get(path.suffix.lower())
    if found not in (None, *COMPRESSIONS.values()):
        raise DataError(f"{path} is a {found} file, and is read as text; unpack or convert it, or give it its own name")
    if named and found is None:
        raise DataError(f"{path} is not a sound {named} file (it does not begin like one)")
    return found


class Unpacked:
    """The bytes of a text file, unpacked as they are read and counted against the limits. Used as a context."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._compression = path, packed_as(path)
        self._expansion = Expansion(path, path.stat().st_size, limits) if self._compression else None
        self._stream: Any = None

    def __enter__(self) -> Self:
        try:
            self._stream = pa.input_stream(str(self._path), compression=self._compression)
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer at the end alone.

        Raises
        ------
        DataError
            If the file is broken, cannot be read, or expands beyond the limits.
        """
        try:
            piece: bytes = self._stream.read(size)
        except (pa.ArrowException, OSError, MemoryError) as error:
            raise self._broken(error) from error
        if self._expansion is not None:
            self._expansion.add(len(piece))
        return piece

    def _broken(self, error: BaseException) -> DataError:
        if self._compression:
            return DataError(f"{self._path} is not a sound {self._compression} file ({first_line(error)})")
        return DataError(f"{self._path} cannot be read ({first_line(error)})")
