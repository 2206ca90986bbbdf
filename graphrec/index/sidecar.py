"""``index.json``: what an index on disk was built from, so that nothing foreign is ever handed to the library."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data import files
from graphrec.errors import BundleError

NAME = "index.json"

# Bytes hashed at a time.
_BLOCK = 1 << 24


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Facts of a saved index; zeros and empty strings where a kind of index has none.

    ``format`` is "KIND/VERSION". ``n_distinct`` counts the vectors in the file, which holds equal ones once.
    """

    format: str
    dim: int
    metric: str
    count: int
    n_distinct: int = 0
    m: int = 0
    ef_construction: int = 0
    ef_search: int = 0
    matrix_sha256: str = ""
    file_sha256: str = ""
    duplicates_sha256: str = ""


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file; raise BundleError where it cannot be read."""
    try:
        return files.file_sha256(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); rebuild the index") from error


def matrix_sha256(matrix: npt.NDArray[np.float32]) -> str:
    """Return the sha256 (hex) over shape and values of a matrix, row by row; memory is bounded."""
    digest = hashlib.sha256(np.array(matrix.shape, dtype="<i8").tobytes())
    step = max(1, _BLOCK // max(1, matrix.shape[1] * 4))
    for start in range(0, len(matrix), step):
        digest.update(np.ascontiguousarray(matrix[start : start + step], dtype="<f4").data)
    return digest.hexdigest()


def write_sidecar(directory: Path, sidecar: Sidecar) -> None:
    """Write ``index.json``."""
    (directory / NAME).write_text(json.dumps(asdict(sidecar), indent=1) + "\n", encoding="utf-8")


def read_sidecar(directory: Path) -> Sidecar:
    """Return what ``index.json`` says.

    Raises
    ------
    BundleError
        If it is missing, no JSON, or a field is missing or of another type.
    """
    path = directory / NAME
    try:
        stored: Any = files.read_json(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); rebuild the index") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON ({error}); rebuild the index") from error
    if not isinstance(stored, dict):
        raise BundleError(f"{path} holds {type(stored).__name__}, no JSON object; rebuild the index")
    types = {"str": str, "int": int}
    for field in fields(Sidecar):
        value = stored.get(field.name)
        if type(value) is not types[str(field.type)]:
            raise BundleError(f"{path} holds {value!r} for {field.name!r}; expected {field.type}; rebuild the index")
    return Sidecar(**{field.name: stored[field.name] for field in fields(Sidecar)})
