"""Negatives that the model likes and a teacher finds irrelevant: bad cases, looked for anew as the model learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.checks import check_count
from graphrec.contracts.recall_data import RecallData
from graphrec.data.encoding.encoded import FIRST
from graphrec.data.encoding.encoder import FeatureEncoder
from graphrec.data.features import Features
from graphrec.errors import ConfigError, DataError
from graphrec.index import Index
from graphrec.negatives.listed import UserLists
from graphrec.negatives.protocol import Model, Negatives, Positives, Rows
from graphrec.negatives.taken import Taken

# Pairs whose relevance is worked out at a time.
_PAIRS = 1 << 16
# Relevance below this is none: what has nothing in common is irrelevant even where much of what users have is, too.
_NOTHING = 1e-9


class ContentTeacher:
    r"""Relevance of an item to a user by content alone: how far its terms are those of what he has.

    .. math:: r(u, i) = \cos\Big(\sum_{j \in H_u} t_j, t_i\Big)

    with t the terms of an item (its labels, tags and words, each by the log of how few items have it) at length 1.

    Parameters
    ----------
    terms : sparse array
        (n_items, n_terms), >= 0.
    taken : Taken
        Who has what.
    """

    def __init__(self, terms: sp.csr_array, taken: Taken) -> None:
        self._items = _unit(terms)
        ones = np.ones(len(taken.items))
        has = sp.csr_array((ones, taken.items, taken.indptr), shape=(taken.n_users, taken.n_items))
        self._users = _unit(sp.csr_array(has @ self._items))

    def __call__(self, users: Rows, items: Rows) -> npt.NDArray[np.float64]:
        """Return (m,) relevance of ``items`` to ``users`` (m,), from 0 to 1."""
        parts = [np.empty(0)]
        for start in range(0, len(users), _PAIRS):
            part = slice(start, start + _PAIRS)
            parts.append(self._users[users[part]].multiply(self._items[items[part]]).sum(axis=1))
        return np.concatenate(parts)


def item_terms(data: RecallData) -> sp.csr_array:
    """Return (n_items, n_terms): what labels, tags and words say of items, each term by the log of how few have it.

    Raises
    ------
    DataError
        If nothing of the kind is known of any item.
    """
    n, blocks = len(data.items), []
    if data.item_tags is not None:
        table = data.item_tags.table
        ones = np.ones(len(table.neighbours))
        blocks.append(sp.csr_array((ones, table.neighbours, table.indptr), shape=(n, table.n_columns)))
    features = data.item_features
    if features is not None and any((features.labels, features.tags, features.texts)):
        said = Features(n, labels=features.labels, tags=features.tags, texts=features.texts)
        encoded = FeatureEncoder.fit(said).encode(said)
        sizes = {field.name: field.size for field in encoded.fields}
        for name, (indptr, codes) in encoded.categories.items():
            known = sp.csr_array((np.ones(len(codes)), codes, indptr), shape=(n, sizes[name]))
            blocks.append(sp.csr_array(known[:, FIRST:]))
    terms = sp.csr_array(sp.hstack(blocks)) if blocks else sp.csr_array((n, 0))
    if not terms.nnz:
        raise DataError(
            "irrelevant negatives need to know what items are about, and no item has a label, a tag or a word; give "
            "items features, or leave the kind out of the mix"
        )
    counts = np.bincount(terms.indices, minlength=terms.shape[1])
    return sp.csr_array(terms * np.log1p(n / np.maximum(counts, 1)))


class Irrelevant:
    r"""Items that the model would recall and that a teacher finds irrelevant: what Mobius calls bad cases.

    At each refresh every user is crossed with ``candidates`` items that others took; what is less relevant to him than
    the ``share`` quantile of what users have is irrelevant, and of that the ``kept`` items of the model's highest
    scores are his bad cases. Until the first refresh there are none.

    Parameters
    ----------
    taken : Taken
        Who has what; such pairs are no negatives.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    teacher : ContentTeacher
        Says how relevant an item is.
    share : float, default 0.1
        From 0 to 1.
    candidates, kept : int, default 64 and 8
        Items crossed with each user, and bad cases of each, >= 1.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Fan et al., "MOBIUS: towards the next generation of query-ad matching in Baidu's sponsored search", KDD 2019.
       Differs: bad cases are negatives of the softmax, not a class of their own beside clicks and non-clicks; the
       teacher knows content alone, and is read by quantile.
    """

    def __init__(
        self, taken: Taken, pool: npt.NDArray[np.bool_], teacher: ContentTeacher, *, share: float = 0.1,
        candidates: int = 64, kept: int = 8,
    ) -> None:  # fmt: skip
        check_count("candidates", candidates, 1)
        check_count("kept", kept, 1)
        if not 0 <= share <= 1:
            raise ConfigError(f"share is {share}; it must be from 0 to 1")
        self._taken, self._pool, self._teacher = taken, pool, teacher
        self._share, self._candidates = share, candidates
        self._rows = np.full((taken.n_users, kept), -1, dtype=np.int32)
        self._lists = self._listed()

    def refresh(self, model: Model, rng: np.random.Generator, *, index: Index | None = None) -> None:  # noqa: ARG002
        """Look for the model's bad cases."""
        taken = self._taken
        users = np.flatnonzero(np.diff(taken.indptr))
        self._rows[:] = -1
        if len(users):
            drawn = taken.items[rng.integers(0, len(taken.items), (len(users), self._candidates))]
            free = self._pool[drawn] & ~taken.contains(users, drawn)
            keys = np.unique((users[:, None] * taken.n_items + drawn)[free])
            owners, items = keys // taken.n_items, keys % taken.n_items
            # As relevant as what users have, to the rounding, is relevant.
            bad = self._teacher(owners, items) < max(self._threshold(rng) * (1 - 1e-6), _NOTHING)
            self._keep(model, owners[bad], items[bad])
        self._lists = self._listed()

    def _threshold(self, rng: np.random.Generator) -> float:
        """Return the relevance below which ``share`` of what users have lies."""
        m = len(self._taken.items)
        places = np.arange(m) if m <= _PAIRS else rng.integers(0, m, _PAIRS)
        owners = np.searchsorted(self._taken.indptr, places, side="right") - 1
        return float(np.quantile(self._teacher(owners, self._taken.items[places]), self._share))

    def _keep(self, model: Model, owners: Rows, items: Rows) -> None:
        """Keep the items of the highest scores of each owner; ``owners`` ascend."""
        scores = np.einsum("md,md->m", model.users[owners], model.items[items], dtype=np.float64)
        order = np.lexsort((items, -scores, owners))
        owners, items = owners[order], items[order]
        rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
        best = rank < self._rows.shape[1]
        self._rows[owners[best], rank[best]] = items[best]

    def _listed(self) -> UserLists:
        users, places = np.nonzero(self._rows >= 0)
        return UserLists(users, self._rows[users, places], np.ones(len(users)), n_users=self._taken.n_users)

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return (b, n) of each user's bad cases; -1 for users without any."""
        return self._lists.draw(positives, n, rng)

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:
        """Return zeros: they are each user's own."""
        return self._lists.expected(items, n_pairs, n)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the bad cases, (n_users, kept); -1 where there are fewer."""
        return {"rows": self._rows}

    def put(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the bad cases."""
        self._rows = np.array(state["rows"])
        self._lists = self._listed()


def _unit(matrix: sp.csr_array) -> sp.csr_array:
    """Return the rows at length 1; an empty row stays so."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_array(sp.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ matrix)
