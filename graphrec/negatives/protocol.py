"""What every kind of negatives keeps: users with their positives in, rows and log proposal probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_indptr, check_length
from graphrec.errors import DataError
from graphrec.index import Index

Rows = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Positives:
    """A batch of b users with the items that each is to prefer: ``users[i]`` took ``items[indptr[i]:indptr[i + 1]]``.

    Pairs of one user stand together, so that a loss may compare him with the negatives once for all of them. A plain
    batch of pairs is one item each (:func:`positive_pairs`).

    Parameters
    ----------
    users : ndarray
        (b,) int64 user rows; may repeat.
    indptr : ndarray
        (b + 1,) int64.
    items : ndarray
        (m,) int64 item rows.

    Raises
    ------
    DataError
        If ``indptr`` does not fit users and items.
    """

    users: Rows
    indptr: Rows
    items: Rows

    def __init__(self, users: npt.ArrayLike, indptr: npt.ArrayLike, items: npt.ArrayLike) -> None:
        for name, array in (("users", users), ("indptr", indptr), ("items", items)):
            object.__setattr__(self, name, as_array(array, np.int64, name=name))
        check_indptr(self.indptr, len(self.items), name="indptr")
        check_length(self.indptr, len(self.users) + 1, name="indptr")

    def __len__(self) -> int:
        return len(self.users)

    @property
    def owners(self) -> Rows:
        """(m,) int64 places among the users: whose each item is."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def drawn(self, n: int, rng: np.random.Generator) -> Rows:
        """Return (b, n) int64: items of each user, drawn with replacement; -1 where he has none."""
        lengths = np.diff(self.indptr)[:, None]
        places = (rng.random((len(self), n)) * lengths).astype(np.int64)
        places = np.minimum(self.indptr[:-1, None] + places, max(len(self.items) - 1, 0))
        return np.where(lengths > 0, self.items[places] if len(self.items) else -1, -1)


def positive_pairs(users: npt.ArrayLike, items: npt.ArrayLike) -> Positives:
    """Return a batch of (user, item) pairs, (b,) each."""
    return Positives(users, np.arange(np.size(users) + 1), items)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Negatives:
    r"""What b users are to prefer their positives to: n items that all share, and r of each user's own.

    Parameters
    ----------
    shared : ndarray
        (n,) int64 item rows; may repeat.
    shared_log_q : ndarray
        (n,) float32: the log of how many copies of the item the shared part was expected to hold. A softmax whose
        scores are lowered by it estimates the one over all that could be drawn [1]_.
    masked : (ndarray, ndarray)
        (h,) int64 each: places among the users, and among ``shared``, that are no negatives of that user, for he has
        the item.
    own : ndarray
        (b, r) int64 item rows; -1 where there is none.
    own_log_q : ndarray
        (b, r) float32: the log of how many copies were expected, among those of the user and the shared ones together.

    References
    ----------
    .. [1] Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019,
       eq. (3). Differs: the positive is not among the draws, so its score stays as it is (Khrylchenko et al.,
       "Correcting the LogQ correction", RecSys 2025).
    """

    shared: Rows
    shared_log_q: FloatArray
    masked: tuple[Rows, Rows]
    own: Rows
    own_log_q: FloatArray

    def __init__(
        self,
        *,
        shared: tuple[Rows, npt.NDArray[np.floating]] | None = None,
        masked: tuple[Rows, Rows] | None = None,
        own: tuple[Rows, npt.NDArray[np.floating]] | None = None,
        n_users: int,
    ) -> None:
        nothing, no_rows = np.empty(0, np.int64), np.empty((n_users, 0), np.int64)
        items, log_q = (nothing, nothing) if shared is None else shared
        own_items, own_log_q = (no_rows, no_rows) if own is None else own
        set_field = object.__setattr__
        set_field(self, "shared", as_array(items, np.int64, name="shared"))
        set_field(self, "shared_log_q", as_array(log_q, np.float32, name="shared_log_q"))
        set_field(self, "masked", masked or (nothing, nothing))
        set_field(self, "own", as_array(own_items, np.int64, name="own", ndim=2))
        set_field(self, "own_log_q", as_array(own_log_q, np.float32, name="own_log_q", ndim=2))
        check_length(self.shared_log_q, len(self.shared), name="shared_log_q")
        if self.own.shape != self.own_log_q.shape or len(self.own) != n_users:
            raise DataError(
                f"own negatives {self.own.shape} and their log_q {self.own_log_q.shape} must both be ({n_users}, r)"
            )


class NegativeSampler(Protocol):
    """Draws negatives of one kind. What it draws follows from ``rng`` alone, and from what it was last handed."""

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return about ``n`` negatives a user: n that all share, or n of each one's own, fewer where there are fewer.

        A shared item that a user has is masked for him; among his own there is none that he has.
        """
        ...

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:
        """Return how many copies of ``items`` (any shape) are among the shared ones of a draw on average, float64.

        0 for kinds whose negatives are each user's own. ``n_pairs`` are the positives of the batch.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model so far: ``users`` (n_users, dim) and ``items`` (n_items, dim) float32, compared by inner product."""

    users: FloatArray
    items: FloatArray


@runtime_checkable
class Refreshed(Protocol):
    """A sampler that follows the model. Its state is arrays of fixed shapes, so that a checkpoint may hold it."""

    def refresh(self, model: Model, rng: np.random.Generator, *, index: Index | None = None) -> None:
        """Look again at what is hard for ``model``; ``index`` over its items is searched where it is given."""
        ...

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what draws are made from; the same shapes and dtypes every time."""
        ...

    def put(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take what :meth:`state` returned."""
        ...
