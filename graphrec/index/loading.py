"""Reading any index back, and measuring how much of the exact answer it finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import exact, hnsw, quantised, tree
from graphrec.index.exact import ExactIndex
from graphrec.index.order import check_matrix
from graphrec.index.protocol import Index
from graphrec.index.sidecar import matrix_sha256, read_sidecar


def load_index(directory: Path, matrix: npt.ArrayLike) -> Index:
    """Return the index that was saved in ``directory``, over the ``matrix`` (n, dim) it was built from.

    Parameters
    ----------
    directory : Path
        Holds ``index.json`` and, for HNSW, ``index.hnsw``; for a quantised index, ``sketch.json`` and
        arrays; for a tree, arrays.
    matrix : array
        float32; a memory-mapped file stays one.

    Raises
    ------
    BundleError
        If a file is missing, damaged, of a newer format, or was built from another matrix.
    """
    sidecar = read_sidecar(directory)
    try:
        vectors = check_matrix(matrix, sidecar.metric)
    except DataError as error:
        raise BundleError(f"{directory}: {error}; rebuild the index") from error
    formats = (exact.FORMAT, hnsw.FORMAT, quantised.FORMAT, tree.FORMAT)
    if sidecar.format not in formats:
        raise BundleError(
            f"{directory} holds an index of format {sidecar.format!r}; this version reads "
            f"{', '.join(map(repr, formats))}: upgrade graphrec or rebuild the index"
        )
    if sidecar.dim != vectors.shape[1]:
        raise BundleError(
            f"{directory}: the index was built for dim {sidecar.dim}, the matrix has dim {vectors.shape[1]}; "
            "rebuild the index"
        )
    if sidecar.count != len(vectors):
        raise BundleError(
            f"{directory}: the index was built for {sidecar.count} rows, the matrix has {len(vectors)}; "
            "rebuild the index"
        )
    if sidecar.matrix_sha256 != matrix_sha256(vectors):
        raise BundleError(f"{directory}: the index was built from other vectors than the matrix; rebuild the index")
    try:
        if sidecar.format == exact.FORMAT:
            return ExactIndex(vectors, sidecar.metric)
        if sidecar.format == quantised.FORMAT:
            return quantised.load_quantised(directory, vectors, sidecar)
        if sidecar.format == tree.FORMAT:
            return tree.load_tree(directory, vectors, sidecar)
        return hnsw.load_hnsw(directory, vectors, sidecar)
    except ConfigError as error:
        raise BundleError(f"{directory / 'index.json'}: {error}; rebuild the index") from error


def audit(index: Index, queries: npt.ArrayLike, k: int, *, matrix: npt.ArrayLike) -> float:
    """Return the share of the exact k best rows that ``index`` finds, averaged over ``queries`` (q, dim); 1 for none.

    Raises
    ------
    DataError
        If queries or matrix do not fit the index.
    ConfigError
        If ``k < 1``.
    """
    truth = ExactIndex(matrix, index.metric).search(queries, k)
    found = index.search(queries, k)
    shares = [
        len(np.intersect1d(exact_rows, rows)) / len(exact_rows)
        for (exact_rows, _), (rows, _) in zip(truth, found, strict=True)
        if len(exact_rows)
    ]
    return float(np.mean(shares)) if shares else 1.0
