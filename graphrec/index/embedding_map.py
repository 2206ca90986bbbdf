"""Vectors on a plane, to be looked at: the two leading principal components, or UMAP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import check_choice, check_count
from graphrec.errors import DataError, MissingExtraError
from graphrec.index.order import fit_rows
from graphrec.index.row_ids import RowIds

FloatArray = npt.NDArray[np.float32]
MapMethod = Literal["pca", "umap"]
OTHER, UNKNOWN = "other", "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingMap:
    """m nodes on a plane.

    Parameters
    ----------
    nodes : RowIds
        m nodes, a sample where there were more.
    points : ndarray
        (m, 2) float32.
    colours : tuple of str or None
        (m,) the attribute of each node, "unknown" where it has none.
    method : {"pca", "umap"}
        What made the points.
    explained : float or None
        Of "pca": the share of the vectors' variance that the plane shows, 0 to 1.
    """

    nodes: RowIds
    points: FloatArray
    colours: tuple[str, ...] | None
    method: MapMethod
    explained: float | None

    def __len__(self) -> int:
        return len(self.points)

    def to_arrow(self) -> pa.Table:
        """Return the columns ``id``, where known ``kind``, ``label`` and ``colour``, and ``x``, ``y`` (float32)."""
        colours = {} if self.colours is None else {"colour": pa.array(self.colours, pa.large_string())}
        return pa.table({**self.nodes.columns(), **colours, "x": self.points[:, 0], "y": self.points[:, 1]})


def map_2d(
    nodes: RowIds,
    matrix: FloatArray,
    method: MapMethod = "pca",
    *,
    colours: Sequence[str | None] | None = None,
    most: int = 5000,
    seed: int = 0,
) -> EmbeddingMap:
    """Return nodes with vectors (n, dim) on a plane, directions alone: vectors are brought to length 1 first.

    Parameters
    ----------
    method : {"pca", "umap"}
        The two leading principal components, which keep distances as well as a plane can; or UMAP, which keeps
        neighbours and tells nothing by distances between groups.
    colours : sequence of str or None
        (n,) an attribute of each node.
    most : int, default 5000
        Nodes drawn at random where there are more; at least 3.
    seed : int
        Of the draw, and of UMAP.

    Raises
    ------
    DataError
        If there are fewer than 3 nodes, or the colours are not one a node.
    MissingExtraError
        If UMAP is wanted and not installed.

    Notes
    -----
    PCA takes O(m dim^2) time; the sign of a component is that of its greatest entry.
    """
    check_choice("method", method, get_args(MapMethod))
    check_count("most", most, 3)
    if len(matrix) < 3:
        raise DataError(f"there are {len(matrix)} vectors; a map needs 3 or more")
    if colours is not None and len(colours) != len(matrix):
        raise DataError(f"there are {len(colours)} colours for {len(matrix)} vectors; give one a vector")
    rows = np.sort(np.random.default_rng(seed).permutation(len(matrix))[:most])
    near_one = fit_rows(matrix[rows], "cosine", name="vectors").astype(np.float64)
    lengths = np.linalg.norm(near_one, axis=1, keepdims=True)
    unit = near_one / np.where(lengths > 0, lengths, 1)
    points, explained = _components(unit) if method == "pca" else (_umap(unit, seed), None)
    chosen = None if colours is None else tuple(colours[row] or UNKNOWN for row in rows.tolist())
    return EmbeddingMap(nodes.take(rows), points.astype(np.float32), chosen, method, explained)


def frequent(colours: Sequence[str], most: int) -> list[str]:
    """Return the colours with all but the ``most`` frequent as "other"; ties go to the earlier name."""
    counts = Counter(colours)
    kept = set(sorted(counts, key=lambda name: (-counts[name], name))[:most])
    return [name if name in kept else OTHER for name in colours]


def _components(vectors: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the two leading principal components (m, 2), and their share of the variance."""
    centred = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    points = centred @ axes
    if points.shape[1] < 2:
        points = np.hstack([points, np.zeros_like(points)])
    total = float(values.sum())
    return points, min(1.0, float(values[::-1][:2].sum()) / total) if total > 0 else 1.0


def _umap(vectors: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtraError("a map by UMAP", extra="map") from error
    neighbours = min(15, len(vectors) - 1)
    # The spectral start needs more points than neighbours; one thread and one seed give the same points.
    start = "spectral" if len(vectors) > 50 else "random"
    made = UMAP(n_components=2, n_neighbors=neighbours, metric="cosine", init=start, random_state=seed, n_jobs=1)
    points: npt.NDArray[np.float64] = made.fit_transform(vectors)
    return points
