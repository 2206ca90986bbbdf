"""Lists by segment of users or by category of items, for the channels that know nothing of persons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.errors import ConfigError
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile
from graphrec.recallers.segments import Segments
from graphrec.sparse.taste import Scale


def check_labels(by_user: str, by_item: str) -> None:
    """Raise ConfigError where a channel is divided both ways at once."""
    if by_user and by_item:
        raise ConfigError(
            f"by_user is {by_user!r} and by_item {by_item!r}; give one of them, and the other to a second channel"
        )


def user_segments(data: RecallData, label: str) -> Segments:
    """Return who belongs to which value of a label of users.

    Raises
    ------
    ConfigError
        If users have no such label, with the nearest names.
    """
    return Segments(label, _labels(data.user_features, label, setting="by_user", whose="users"))


def _labels(attributes: Features | None, label: str, *, setting: str, whose: str) -> Labels:
    if attributes is None:
        raise ConfigError(f"{setting} = {label!r} needs labels of {whose}, and the data has none; give [data.{whose}]")
    return attributes.label(label)


def sums_by_segment(
    codes: npt.NDArray[np.int32], items: npt.NDArray[np.int32], amounts: Scale, *, n_segments: int, n_items: int
) -> sp.csr_array:
    """Return (n_segments, n_items) float64: the sum of ``amounts`` (m,) by segment and item; code -1 is left out."""
    known = codes >= 0
    shape = (n_segments, n_items)
    matrix = sp.coo_array((amounts[known], (codes[known], items[known])), shape=shape).tocsr()
    return sp.csr_array(matrix)


def category_recaller(
    data: RecallData, label: str, scores: Scale, *, list_length: int, last: int, reason: str
) -> NeighbourRecaller:
    """Return a history -> its categories -> the best items of each, by ``scores`` (n_items,) float64 >= 0.

    Each item of the history gives its category one vote, and a category hands its votes to its items in proportion
    to their scores. An item without a category, or with a score of 0, has no vote and is not recalled.

    Raises
    ------
    ConfigError
        If items have no such label, with the nearest names.
    """
    labels = _labels(data.item_features, label, setting="by_item", whose="items")
    items = np.flatnonzero(labels.codes >= 0)
    codes, n = labels.codes[items], len(labels.names)
    indptr = indptr_of(labels.codes >= 0)
    belongs = NeighbourTable(indptr, codes, np.ones(len(items), np.float32), n_columns=n)
    lists = sp.coo_array(((scores * data.pool)[items], (codes, items)), shape=(n, len(data.items))).tocsr()
    table = csr_table(sp.csr_array(lists), k=list_length)
    return NeighbourRecaller([belongs, table], [0], profile=Profile(last), reason=reason, via=labels.names)
