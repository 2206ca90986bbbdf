"""Approximate nearest rows by HNSW [1]_: the one file that calls hnswlib, and every guard around it.

hnswlib 0.8 trusts its caller. It loads a file under another width or metric, reads beyond a query that is too short,
follows damaged links out of its memory, takes NaN, loses points among equal vectors, and fails a whole batch where one
query has too few neighbours. Here:

- an index is an immutable snapshot: built once from a matrix, labels are rows; nothing is added, deleted or resized;
- equal vectors are indexed once and expanded in the answer;
- a file is hashed and its structure verified before the library sees it;
- a width beyond the least is asked for with each call and is no state of the index, so threads do not disturb others;
- where the graph has nothing to gain or cannot answer, exact search over the matrix does.

Inner product is searched as cosine: vectors are given one more dimension that makes all lengths equal [2]_, and the
search is twice as wide. On the lengths as they are, hnswlib's graph is led to the longest vectors: it finds 10 rows
well and loses the hundreds that recall asks for (20,000 x 48, log-normal lengths, k = 100: 0.88 of them; this way 0.94
at the same width).

References
----------
.. [1] Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", TPAMI 2020.
.. [2] Y. Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
   spaces", RecSys 2014.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import hnswlib
import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count, check_k, typed_fields
from graphrec.data.files import read_array, write_array
from graphrec.data.lists import ItemLists, concatenate, empty_lists, indptr_of, lists_of, take_lists
from graphrec.errors import BundleError, ConfigError
from graphrec.index.exact import ExactIndex, copies_allowed
from graphrec.index.hnsw_file import verify
from graphrec.index.hnsw_kernels import as_led, unit_rows
from graphrec.index.order import Duplicates, check_matrix, check_metric, check_search, find_duplicates, ordered_lists
from graphrec.index.protocol import Metric
from graphrec.index.sidecar import Sidecar, file_sha256, matrix_sha256, write_sidecar
from graphrec.threads import default_threads

FORMAT = "hnsw/1"
_GRAPH = "index.hnsw"
_DUPLICATES = "duplicates.npy"

# Nanoseconds on one thread, of a row and of each of its numbers (python -m benchmarks.ann): of a row that the graph
# visits, m of them for a unit of width; of a row that exact search scores for a query; of a row that it reads from
# memory, once for all queries of a call; and of a row that it copies first, as it does where half are allowed or less.
_VISITED_NS, _VISITED_NUMBER_NS = 80.0, 0.6
_SCORED_NS, _SCORED_NUMBER_NS = 1.5, 0.03
_READ_NS, _READ_NUMBER_NS = 0.0, 0.15
_COPIED_NS, _COPIED_NUMBER_NS = 20.0, 0.9
# Above this share of all rows asked for, the graph would visit nearly everything.
_WIDE_SHARE = 0.25
# A search for k rows is wider than k by this factor: at k itself the graph's last rows are no longer the nearest.
_MARGIN = 1.5
# Queries from which a batch is spread over threads.
_BATCH = 64
# The greatest width there may be.
_WIDEST = 1_000_000

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HnswSettings:
    """``m`` links a node (2 to 512), width while building, least width of a search."""

    m: int = 16
    ef_construction: int = 200
    ef_search: int = 300

    def __post_init__(self) -> None:
        check_count("m", self.m, 2, 512)
        for name in ("ef_construction", "ef_search"):
            check_count(name, getattr(self, name), 1, _WIDEST)


@typed_fields
class HnswIndex:
    """An HNSW graph over the rows of a matrix. Made by :func:`build_hnsw` and ``load_index``, never changed.

    Searching is safe from several threads. A search costs about O(dim * m * log n * max(ef_search, k)); the graph takes
    about ``4 * dim + 9 * m`` bytes a distinct vector beside the matrix.
    """

    def __init__(
        self, graph: hnswlib.Index | None, matrix: FloatArray, metric: Metric, settings: HnswSettings, same: Duplicates
    ) -> None:
        self._graph = graph
        self._matrix = matrix
        self._metric = metric
        self._settings = settings
        self._same = same
        # Distances are scores, but for their sign.
        self._plain = graph is not None and metric == "cosine"
        self._exact = ExactIndex(matrix, metric, duplicates=same)
        # Members of each group of equal vectors, the first included, as CSR over rows.
        n = len(matrix)
        leader = np.arange(n)
        leader[same.rows] = same.firsts
        self._members = np.argsort(leader, kind="stable").astype(np.int32)
        self._bounds = indptr_of(np.bincount(leader, minlength=n))

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._matrix.shape[1])

    @property
    def metric(self) -> Metric:
        """The similarity that scores are in."""
        return self._metric

    @property
    def settings(self) -> HnswSettings:
        """What the graph was built with."""
        return self._settings

    def __len__(self) -> int:
        return len(self._matrix)

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int,
        *,
        allow: npt.NDArray[np.bool_] | None = None,
        skip: ItemLists | None = None,
    ) -> ItemLists:
        """Return about the best k legal rows of each query; see :meth:`graphrec.index.protocol.Index.search`.

        Exact where that is faster, as where few rows are allowed or many queries share a filter, where ``k`` and the
        rows to skip near the number of rows, and for queries that the graph leaves short. Else the graph is searched
        wider by what the filters may take away: its own filter calls Python for each row visited, which is 30 to 100
        times slower.
        """
        check_k(k)
        if allow is None and skip is None and self._plain:
            answer = self._search_plain(vectors, k)
            if answer is not None:
                return answer
        if skip is None and self._is_for_exact(vectors, k, allow):
            return self._exact.search(vectors, k, allow=allow)
        queries = check_search(vectors, k, allow, skip, n=len(self), dim=self.dim, metric=self._metric)
        n_allowed = len(self) if allow is None else int(np.count_nonzero(allow))
        known: npt.NDArray[np.bool_] = np.any(queries, axis=1)  # a zero vector leads nowhere
        if skip is None and known.all():
            if not self._graph_pays(k, n_allowed, len(queries)):
                return self._exact.search(queries, k, allow=allow)
            answer = self._approximate(queries, self._reach(k, n_allowed), allow, None, k)
            if len(answer.items) == k * len(queries):
                return answer
        return self._search_apart(queries, k, allow, skip, known, n_allowed)

    def _search_plain(self, vectors: npt.ArrayLike, k: int) -> ItemLists | None:
        """Return the lists of an unfiltered search by cosine, in little more than the library's own time.

        None leaves it to the whole of :meth:`search`: what is wrong with the queries, or few rows, or odd lengths.
        """
        queries = as_array(vectors, np.float32, name="vectors", ndim=2)
        unit = np.empty_like(queries)
        n, width = len(queries), self._width(k)
        if queries.shape[1] != self.dim or not self._graph_pays(k, len(self), n) or not unit_rows(queries, unit):
            return None
        rows, scores = np.empty((n, k), dtype=np.int32), np.empty((n, k), dtype=np.float32)
        # One more than k, to see whether the last place is shared; at the graph's own width, fewer cost less.
        for wanted in (min(k + 1, width) if width <= self._settings.ef_search else width, width):
            led = self._led(unit, wanted) if n else None
            if led is None:
                return None
            if as_led(*led, self._bounds, self._members, rows, scores) or wanted == width:
                break
        return lists_of(np.arange(0, (n + 1) * k, k), rows.reshape(-1), scores.reshape(-1))

    def _led(self, mapped: FloatArray, wanted: int) -> tuple[npt.NDArray[np.uint64], FloatArray] | None:
        """Return labels and distances (q, wanted) that the graph leads to, best first; None where it fails.

        The search is as wide as ``wanted``, or as ``ef_search`` where that is more.
        """
        threads = default_threads() if len(mapped) >= _BATCH else 1
        try:
            led: tuple[npt.NDArray[np.uint64], FloatArray] = self._graph.knn_query(  # type: ignore[union-attr]
                mapped, k=wanted, num_threads=threads
            )
        except RuntimeError:  # too few reachable: one such query fails the batch, and exact search answers it
            return None
        return led

    def _search_apart(
        self,
        queries: FloatArray,
        k: int,
        allow: npt.NDArray[np.bool_] | None,
        skip: ItemLists | None,
        known: npt.NDArray[np.bool_],
        n_allowed: int,
    ) -> ItemLists:
        """Return the lists of queries that are not answered alike: some by the graph, some exactly."""
        rooms = np.full(len(queries), k, dtype=np.int64) if skip is None else k + _room(skip.lengths)
        graph_pays = known.copy()
        parts, places = [], []
        for room in np.unique(rooms).tolist():  # a query's answer does not depend on those beside it
            chosen = np.flatnonzero(graph_pays & (rooms == room))
            if not self._graph_pays(room, n_allowed, len(queries)):
                graph_pays[chosen] = False
                continue
            answer = self._approximate(queries[chosen], self._reach(room, n_allowed), allow, _taken(skip, chosen), k)
            full = np.flatnonzero(answer.lengths == k)
            graph_pays[np.delete(chosen, full)] = False
            parts.append(take_lists(answer, full))
            places.append(chosen[full])
        rest = np.flatnonzero(~graph_pays)
        parts.append(self._exact.search(queries[rest], k, allow=allow, skip=_taken(skip, rest)))
        return take_lists(concatenate(parts), np.argsort(np.concatenate([*places, rest])))

    def _reach(self, room: int, n_allowed: int) -> int:
        """Return how many rows of the graph hold ``room`` allowed ones, with a margin for unevenness."""
        return room if n_allowed == len(self) else int(room * len(self) / max(1, n_allowed) * 1.2) + 16

    def _width(self, reach: int) -> int:
        """Return the width of a search for ``reach`` rows; another ``set_ef`` would widen everybody's."""
        width = max(int(reach * _MARGIN), self._settings.ef_search)
        return min(len(self) - len(self._same.rows), 2 * width if self._metric == "ip" else width)

    def _graph_pays(self, room: int, n_allowed: int, n_queries: int) -> bool:
        """Tell whether the graph is to be asked for ``room`` of the allowed rows by each of so many queries."""
        if self._graph is None or room > _WIDE_SHARE * n_allowed:
            return False
        if n_allowed == len(self):
            return True
        width = self._width(self._reach(room, n_allowed))
        return self._graph_ns(width, n_queries) < self._exact_ns(n_allowed, n_queries)

    def _graph_ns(self, width: int, n_queries: int) -> float:
        """Return about how long searches of a width take."""
        return n_queries * self._settings.m * width * (_VISITED_NS + _VISITED_NUMBER_NS * self.dim)

    def _exact_ns(self, n_allowed: int, n_queries: int) -> float:
        """Return about how long exact search takes: a batch shares what is read, so that a query alone costs more."""
        copies = copies_allowed(n_allowed, len(self))
        once = _READ_NS + _READ_NUMBER_NS * self.dim + copies * (_COPIED_NS + _COPIED_NUMBER_NS * self.dim)
        each = _SCORED_NS + _SCORED_NUMBER_NS * self.dim
        return (n_allowed if copies else len(self)) * (once + n_queries * each)

    def _is_for_exact(self, vectors: npt.ArrayLike, k: int, allow: npt.NDArray[np.bool_] | None) -> bool:
        """Tell whether exact search answers every query of an array the sooner: it checks them itself."""
        if not isinstance(allow, np.ndarray) or allow.dtype != np.bool_ or allow.shape != (len(self),):
            return False
        if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
            return False
        return not self._graph_pays(k, int(np.count_nonzero(allow)), len(vectors))

    def _approximate(
        self, queries: FloatArray, reach: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None, k: int
    ) -> ItemLists:
        """Return the best ``k`` legal rows among the ``reach`` that the graph leads to; empty lists where it fails."""
        if self._graph is None or len(queries) == 0:
            return empty_lists(len(queries))
        led = self._led(self._map_queries(queries), self._width(reach))
        if led is None:
            return empty_lists(len(queries))
        labels, distances = led
        firsts = labels.astype(np.int64)  # (q, width) rows that stand for their group
        sizes = (self._bounds[firsts + 1] - self._bounds[firsts]).ravel()
        which = np.repeat(np.arange(len(queries)), labels.shape[1])
        scores = self._scores(queries, firsts, distances).ravel()
        starts = self._bounds[firsts].ravel()
        ends = np.cumsum(sizes)
        rows = self._members[np.repeat(starts - ends + sizes, sizes) + np.arange(ends[-1])]
        which, scores = np.repeat(which, sizes), np.repeat(scores, sizes)
        kept = np.ones(len(rows), dtype=np.bool_) if allow is None else allow[rows]
        if skip is not None:
            owners = np.repeat(np.arange(len(skip)), skip.lengths)
            kept &= ~np.isin(which * len(self) + rows, owners * len(self) + skip.items)
        if not kept.all():
            which, rows, scores = which[kept], rows[kept], scores[kept]
        return ordered_lists(which, rows, scores, n=len(queries), k=k)

    def _scores(self, queries: FloatArray, rows: npt.NDArray[np.integer], distances: FloatArray) -> FloatArray:
        """Return (q, width) scores from the library's distances."""
        if self._metric == "l2":
            return -distances
        if self._metric == "cosine":
            return np.float32(1) - distances
        # Rounded too far by the common scale of all vectors: computed again from the matrix.
        scores = [self._matrix[rows[i]] @ queries[i] for i in range(len(queries))]
        return np.stack(scores).astype(np.float32)

    def _map_queries(self, queries: FloatArray) -> FloatArray:
        """Return the queries as the graph wants them: unit length, with a zero for the added dimension."""
        if self._metric == "l2":
            return queries
        mapped = _unit(queries)
        return mapped if self._metric == "cosine" else np.pad(mapped, ((0, 0), (0, 1)))

    def save(self, directory: Path) -> None:
        """Write ``index.hnsw``, ``index.json`` and, where vectors repeat, ``duplicates.npy``; but not the matrix."""
        path, duplicates = directory / _GRAPH, ""
        if self._graph is not None:
            try:
                self._graph.save_index(str(path))
            except RuntimeError as error:
                raise BundleError(f"{path} cannot be written ({error})") from error
            if not self._is_whole(path, self._graph):
                raise BundleError(
                    f"{path} was not written whole ({path.stat().st_size:,} bytes): the disk is full, or a quota or a "
                    "limit on the size of files is reached"
                )
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if len(self._same.rows):
            write_array(directory / _DUPLICATES, np.stack([self._same.rows, self._same.firsts]))
            duplicates = file_sha256(directory / _DUPLICATES)
        sidecar = Sidecar(
            FORMAT,
            self.dim,
            self._metric,
            len(self),
            n_distinct=len(self) - len(self._same.rows),
            m=self._settings.m,
            ef_construction=self._settings.ef_construction,
            ef_search=self._settings.ef_search,
            matrix_sha256=matrix_sha256(self._matrix),
            file_sha256=file_sha256(path) if self._graph is not None else "",
            duplicates_sha256=duplicates,
        )
        write_sidecar(directory, sidecar)

    def _is_whole(self, path: Path, graph: hnswlib.Index) -> bool:
        """Tell whether ``path`` holds the whole graph: the library reports no write that fails."""
        distinct, built = self._same.distinct(len(self)), _built_with(self._settings)
        try:
            saved = verify(path, count=len(distinct), dim=graph.dim, m=self._settings.m, ef_construction=built)
        except BundleError:
            return False
        return np.array_equal(np.sort(saved.labels), distinct) and np.array_equal(
            saved.vectors, np.asarray(graph.get_items(saved.labels), dtype=np.float32)
        )


def _room(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return ``lengths`` (q,) rounded up to 2^x - 1, so that queries with lists about as long are searched together."""
    room: npt.NDArray[np.int64] = (1 << np.ceil(np.log2(lengths + 1)).astype(np.int64)) - 1
    return room


def _taken(skip: ItemLists | None, queries: npt.NDArray[np.intp]) -> ItemLists | None:
    return None if skip is None else take_lists(skip, queries)


def _unit(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
    return unit


def _longest(matrix: FloatArray) -> float:
    return float(np.linalg.norm(matrix, axis=1).max()) if len(matrix) else 0.0


def _together_near_one(matrix: FloatArray) -> FloatArray:
    """Return a matrix times a power of two, so that the squares of its longest row stay within float32."""
    largest = float(np.abs(matrix).max(initial=0))
    return matrix if not 0 < largest < 2.0**-40 else np.ldexp(matrix, -np.frexp(largest)[1])


def _map_matrix(matrix: FloatArray, metric: Metric) -> FloatArray:
    """Return the vectors that the graph holds: as they are, of unit length, or augmented to a common length."""
    if metric == "l2":
        return matrix
    if metric == "cosine":
        return _unit(matrix)
    near_one = _together_near_one(matrix)
    scaled: FloatArray = (near_one / np.float32(_longest(near_one) or 1.0)).astype(np.float32, copy=False)
    rest = np.sqrt(np.maximum(0, 1 - np.einsum("ij,ij->i", scaled, scaled)))
    augmented: FloatArray = np.column_stack([scaled, rest]).astype(np.float32)  # (n, dim + 1)
    return augmented


def _space(metric: Metric) -> str:
    # On vectors of one length, "ip" ranks as cosine does.
    return "l2" if metric == "l2" else "ip"


def build_hnsw(
    matrix: npt.ArrayLike,
    *,
    metric: str = "cosine",
    m: int = 16,
    ef_construction: int = 200,
    ef_search: int = 300,
    seed: int,
    threads: int = 1,
) -> HnswIndex:
    """Return an HNSW index over the rows of ``matrix`` (n, dim) float32.

    Parameters
    ----------
    metric : {"cosine", "ip", "l2"}
        The score.
    m, ef_construction : int
        Links a node, and width of the search while building: more of either finds more and builds longer.
    ef_search : int, default 300
        Least width of a search; a search for k rows is never narrower than 1.5 k.
    seed : int
        Draws the levels of the nodes.
    threads : int, default 1
        One thread and one seed give the same graph, byte for byte. More threads build faster and give that up.

    Raises
    ------
    DataError
        If the matrix is not finite.
    ConfigError
        On an unknown metric or a setting out of range.

    Notes
    -----
    Time about O(n log n * m * ef_construction * dim / 8).
    """
    kind = check_metric(metric)
    vectors = check_matrix(matrix, kind)
    settings = HnswSettings(m, ef_construction, ef_search)
    if threads < 1:
        raise ConfigError(f"threads is {threads}; building needs at least 1")
    same = find_duplicates(vectors)
    distinct = same.distinct(len(vectors))
    if len(distinct) == 0:
        return HnswIndex(None, vectors, kind, settings, same)
    mapped = _map_matrix(vectors[distinct] if len(same.rows) else vectors, kind)
    graph = hnswlib.Index(space=_space(kind), dim=mapped.shape[1])
    graph.init_index(len(distinct), m, ef_construction, seed & 0x7FFFFFFF)
    graph.add_items(mapped, distinct.astype(np.int64), num_threads=threads)
    graph.set_ef(ef_search)  # once for all: the least width, which no search changes
    return HnswIndex(graph, vectors, kind, settings, same)


def exact_search(index: HnswIndex) -> ExactIndex:
    """Return exact search over the vectors of an index."""
    return index._exact


def widened(index: HnswIndex, k: int) -> HnswIndex:
    """Return an index over the same graph, whose searches for up to ``k`` rows are half as wide again.

    The graph is handed on: the index itself is not to be searched any more, for its least width is the other's too.
    """
    wider = min(int(_MARGIN * max(_MARGIN * k, index.settings.ef_search)), _WIDEST)
    if index._graph is not None:
        index._graph.set_ef(wider)
    settings = replace(index.settings, ef_search=wider)
    return HnswIndex(index._graph, index._matrix, index.metric, settings, index._same)


def is_quicker(index: HnswIndex, k: int) -> bool:
    """Tell whether a single query for ``k`` rows should take less time by a part of the graph than by exact search."""
    if index._graph is None or index._width(k) == len(index) - len(index._same.rows):
        return False
    return index._graph_ns(index._width(k), 1) < index._exact_ns(len(index), 1)


def load_hnsw(directory: Path, matrix: FloatArray, sidecar: Sidecar) -> HnswIndex:
    """Return the index that ``save`` wrote for ``matrix``, whose agreement with ``sidecar`` the caller has checked.

    Raises
    ------
    BundleError
        If a file is missing, not what it was when it was written, or unsound.
    """
    metric = check_metric(sidecar.metric)
    settings = HnswSettings(sidecar.m, sidecar.ef_construction, sidecar.ef_search)
    same = _read_duplicates(directory, sidecar)
    distinct = same.distinct(len(matrix))
    if len(distinct) == 0:
        return HnswIndex(None, matrix, metric, settings, same)
    path = directory / _GRAPH
    _check_hash(path, sidecar.file_sha256)
    dim = matrix.shape[1] + (metric == "ip")
    saved = verify(path, count=len(distinct), dim=dim, m=settings.m, ef_construction=_built_with(settings))
    if not np.array_equal(np.sort(saved.labels), distinct):
        raise BundleError(f"{path} holds other labels than the rows of its matrix; rebuild the index")
    graph = hnswlib.Index(space=_space(metric), dim=dim)
    try:
        graph.load_index(str(path), max_elements=len(distinct))
    except RuntimeError as error:
        raise BundleError(f"{path} cannot be loaded ({error}); rebuild the index") from error
    graph.set_ef(settings.ef_search)  # as build_hnsw
    return HnswIndex(graph, matrix, metric, settings, same)


def _built_with(settings: HnswSettings) -> int:
    """Return the building width as the library keeps it: never below m."""
    return max(settings.ef_construction, settings.m)


def _check_hash(path: Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise BundleError(f"{path} has sha256 {found[:12]}…, index.json says {expected[:12]}…; rebuild the index")


def _read_duplicates(directory: Path, sidecar: Sidecar) -> Duplicates:
    n_repeated = sidecar.count - sidecar.n_distinct
    if n_repeated == 0:
        return Duplicates(np.empty(0, np.int32), np.empty(0, np.int32))
    path = directory / _DUPLICATES
    _check_hash(path, sidecar.duplicates_sha256)
    pairs = read_array(path, np.int32, ndim=2)
    if pairs.shape != (2, n_repeated):
        raise BundleError(f"{path} has shape {pairs.shape}; it must have (2, {n_repeated}): rebuild the index")
    rows, firsts = pairs
    sound = (
        bool((np.diff(rows) > 0).all() and (firsts >= 0).all() and (firsts < rows).all()) and rows[-1] < sidecar.count
    )
    if not sound:
        raise BundleError(f"{path} does not list {n_repeated} repeated rows; rebuild the index")
    return Duplicates(rows, firsts)
