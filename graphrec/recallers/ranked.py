"""Recall from one ranked list, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_k, check_length
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, no_evidence
from graphrec.data.lists import ItemLists, lists_of
from graphrec.errors import BundleError, DataError
from graphrec.recallers.files import read_array, read_settings, setting, write_array, write_settings


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RankedRecaller:
    """One ranked list; every query gets its first k, whoever asks.

    Parameters
    ----------
    items : ndarray
        (m,) int32 rows, each at most once, in any order.
    scores : ndarray
        (m,) float32, finite. The list is put in order of score, ties by row.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    DataError
        On unequal lengths, a negative or repeated row, or a score that is not finite.
    """

    kind: ClassVar[str] = "ranked"

    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    reason: str

    def __init__(self, items: npt.ArrayLike, scores: npt.ArrayLike, reason: str = "widely {verb}") -> None:
        rows = as_array(items, np.int32, name="items")
        values = as_array(scores, np.float32, name="scores")
        check_length(values, len(rows), name="scores")
        check_finite(values, name="scores")
        if len(rows) and int(rows.min()) < 0:
            raise DataError(f"item row {int(rows.min())} is negative; rows start at 0")
        if len(np.unique(rows)) != len(rows):
            raise DataError("an item stands twice in the ranked list; each may stand once")
        order = np.lexsort((rows, -values))
        object.__setattr__(self, "items", rows[order])
        object.__setattr__(self, "scores", values[order])
        object.__setattr__(self, "reason", reason)

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the first ``k`` items of the list, n times over.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        """
        check_k(k)
        n, length = len(queries), min(k, len(self.items))
        indptr = np.arange(n + 1, dtype=np.int64) * length
        items = self.items[None, :length].repeat(n, axis=0).ravel()
        return lists_of(indptr, items, self.scores[None, :length].repeat(n, axis=0).ravel())

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:  # noqa: ARG002 - the protocol's
        """Return -1 throughout: the list knows nothing of the history."""
        return no_evidence(len(items))

    def save(self, directory: Path) -> None:
        """Write the list and the reason."""
        write_settings(directory, self.kind, {"reason": self.reason})
        write_array(directory, "items", self.items)
        write_array(directory, "scores", self.scores)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is damaged, or the list has rows that ``items`` does not have.
        """
        settings = read_settings(directory, kind=cls.kind)
        rows = read_array(directory, "items", np.int32)
        if len(rows) and int(rows.max()) >= len(parts.items):
            raise BundleError(
                f"{directory / 'items.npy'} holds item row {int(rows.max())}; the bundle has {len(parts.items)} items"
            )
        try:
            scores = read_array(directory, "scores", np.float32)
            return cls(rows, scores, setting(settings, "reason", str, directory=directory))
        except DataError as error:
            raise BundleError(f"{directory} is damaged: {error}") from error
