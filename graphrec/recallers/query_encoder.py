"""How a query becomes a vector: from a history, from a user's own vector, or from both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_rows
from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists, indptr_of, take_lists
from graphrec.errors import ConfigError, DataError
from graphrec.index.order import fit_rows
from graphrec.kernels import kernel
from graphrec.recallers.fold_in import FoldIn
from graphrec.recallers.profile import Profile, profile_weights

FloatArray = npt.NDArray[np.float32]
UserQuery = Literal["user", "blend", "sum"]


class QueryEncoder(Protocol):
    """Makes query vectors."""

    @property
    def history(self) -> HistoryEncoder:
        """What makes vectors of histories, and knows which items have one."""
        ...

    @property
    def users(self) -> FloatArray | None:
        """(n_users, dim) float32: the users' own vectors, zero where there is none; None where none are kept."""
        ...

    def vectors(self, queries: Queries) -> FloatArray:
        """Return (n, dim) float32; zero where nothing is known of a query."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HistoryEncoder:
    r"""A history's vector: :math:`\sum_p w_p x_p / (\sum_p w_p)^e` over its items, or what ``fold_in`` makes of them.

    Parameters
    ----------
    rows : ndarray
        (t,) int32, ascending: the items that have a vector. Others say nothing.
    sources : ndarray
        (t, dim) float32: what an item says as part of a history.
    n_items : int
        Size of the item vocabulary.
    profile : Profile
        Which items of a history count, and how much: :math:`w`.
    exponent : float, default 1.0
        e: 1 is the weighted mean, 0.5 a step of propagation over a symmetrically normalised graph.
    fold_in : FoldIn or None
        Makes the vector by least squares over ``sources``, in place of the sum.

    Raises
    ------
    DataError
        If shapes disagree, or rows are out of range, not ascending or repeated.
    """

    rows: npt.NDArray[np.int32]
    sources: FloatArray
    n_items: int
    profile: Profile = field(default_factory=Profile)
    exponent: float = 1.0
    fold_in: FoldIn | None = None

    def __post_init__(self) -> None:
        check_vector_rows(self.rows, self.sources, self.n_items)
        if self.fold_in is not None and len(self.fold_in.gram) != self.sources.shape[1]:
            raise DataError(f"the fold-in has dim {len(self.fold_in.gram)}, item vectors {self.sources.shape[1]}")

    @property
    def history(self) -> HistoryEncoder:
        """The encoder itself."""
        return self

    @property
    def users(self) -> None:
        """None: no vectors of users are kept."""
        return

    def vectors(self, queries: Queries) -> FloatArray:
        """Return the vectors of the queries' histories, (n, dim) float32."""
        return self.of(queries.history)

    def of(self, history: ItemLists) -> FloatArray:
        """Return the vectors of n histories, (n, dim) float32; zero where no item has a vector."""
        lists, positions, weights = usable_entries(history, self.profile, self.rows)
        indptr = indptr_of(np.bincount(lists, minlength=len(history)))
        if self.fold_in is not None:
            return self.fold_in.vectors(indptr, positions, weights, self.sources)
        return _weighted_sums(indptr, positions, weights, self.sources, self.exponent)


@dataclass(frozen=True, slots=True, eq=False)
class UserEncoder:
    r"""A user's own vector, and what his history says.

    ============= =================================================================
    ``"user"``    the user's own vector; the history's where there is none
    ``"blend"``   the two, each of length 1, added
    ``"sum"``     the two, as they are, added
    ============= =================================================================

    All but ``"user"`` follow a live history.

    Parameters
    ----------
    users : ndarray
        (n_users, dim) float32; zero rows have no vector.
    history : HistoryEncoder
        Makes vectors of histories, of the same width.
    query : {"user", "blend", "sum"}
        Which of the two, or how they are joined.
    stranger : ndarray or None
        (dim,) float32, for ``"sum"``: what stands for the own vector of users who have none, with a history or without;
        None stands for nothing.

    Raises
    ------
    DataError
        If the widths differ.
    ConfigError
        On an unknown ``query``.
    """

    users: FloatArray
    history: HistoryEncoder
    query: UserQuery = "user"
    stranger: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.query not in get_args(UserQuery):
            raise ConfigError(f"query is {self.query!r}; legal are {', '.join(map(repr, get_args(UserQuery)))}")
        if self.users.shape[1] != self.history.sources.shape[1]:
            raise DataError(
                f"user vectors have dim {self.users.shape[1]}, item vectors {self.history.sources.shape[1]}"
            )
        if self.stranger is not None and self.stranger.shape != self.users.shape[1:]:
            raise DataError(f"the stranger's vector is {self.stranger.shape}, user vectors {self.users.shape}")

    def vectors(self, queries: Queries) -> FloatArray:
        """Return (n, dim) float32; zero where nothing is known of user and history."""
        known = (queries.users >= 0) & (queries.users < len(self.users))
        own: FloatArray = np.where(known[:, None], self.users[np.where(known, queries.users, 0)], np.float32(0))
        if self.query == "user":
            unknown = np.flatnonzero(~(own != 0).any(axis=1))
            if len(unknown):
                own[unknown] = self.history.of(take_lists(queries.history, unknown))
            return own
        history = self.history.vectors(queries)
        if self.query == "blend":
            return unit_vectors(own) + unit_vectors(history)
        if self.stranger is not None:
            own[~own.any(axis=1)] = self.stranger
        return own + history


def check_vector_rows(rows: npt.NDArray[np.int32], vectors: FloatArray, n_items: int) -> None:
    """Raise DataError unless ``rows`` (t,) ascend within 0..n_items-1 and ``vectors`` has as many rows."""
    check_rows(rows, n_items, name="rows")
    if (np.diff(rows) <= 0).any():
        raise DataError("rows of items with a vector must ascend without repetition")
    if len(rows) != len(vectors):
        raise DataError(f"{len(rows)} items and vectors {vectors.shape} do not fit each other")


def positions_among(rows: npt.NDArray[np.int32], items: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return where each of ``items`` (n,) stands among ``rows`` (t,), which ascend; -1 for those that do not."""
    if len(rows) == 0:
        return np.full(len(items), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(rows, items), len(rows) - 1)
    return np.where(rows[place] == items, place, -1)


def usable_entries(
    history: ItemLists, profile: Profile, rows: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return list, position among ``rows`` and weight of the entries that are among them and weigh more than 0."""
    weights, positions = profile_weights(history, profile), positions_among(rows, history.items)
    kept = (weights > 0) & (positions >= 0)
    return np.repeat(np.arange(len(history)), history.lengths)[kept], positions[kept], weights[kept]


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1; zero stays zero."""
    vectors = fit_rows(vectors, "cosine", name="vectors")
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit


@kernel
def _weighted_sums(
    indptr: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    vectors: FloatArray,
    exponent: float,
) -> FloatArray:  # pragma: no cover - compiled
    """Return (n, dim): each history's weighted sum of ``vectors`` over its total weight to the power ``exponent``.

    One list after the other, in float64, so that a list's sum does not depend on what stands beside it.
    """
    dim = vectors.shape[1]
    sums = np.zeros((indptr.size - 1, dim), dtype=np.float32)
    total = np.empty(dim)
    for i in range(indptr.size - 1):
        total[:] = 0.0
        mass = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            mass += weights[p]
            for d in range(dim):
                total[d] += weights[p] * vectors[positions[p], d]
        if mass > 0.0:
            for d in range(dim):
                sums[i, d] = total[d] / mass**exponent
    return sums
