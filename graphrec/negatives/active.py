"""Active learning: negatives out of the pairs on whose label a committee, or a teacher, is least sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.index import Index
from graphrec.negatives.listed import UserLists
from graphrec.negatives.protocol import Model, Negatives, Positives, Rows
from graphrec.negatives.taken import Taken

# Pairs of a training and by chance on which a member's scores are read as probabilities.
_SAMPLED = 4096
Probabilities = npt.NDArray[np.float64]


def doubt(probabilities: Probabilities) -> Probabilities:
    r"""Return (m,) how unsure a committee is of each of m labels, from its members' probabilities (members, m).

    A teacher alone: the entropy of what it says. Several members: how far they disagree, the entropy of their mean
    less the mean of their entropies (BALD [1]_); what all of them take for a coin toss is noise, and teaches nothing.

    References
    ----------
    .. [1] Houlsby, Huszár, Ghahramani, Lengyel, "Bayesian active learning for classification and preference
       learning", 2011.
    """
    if len(probabilities) == 1:
        return _entropy(probabilities[0])
    disagreement = _entropy(probabilities.mean(axis=0)) - _entropy(probabilities).mean(axis=0)
    return np.asarray(np.maximum(disagreement, 0.0))


def subspaces(model: Model, members: int) -> list[Model]:
    """Return a committee made of one model: each member sees a part of the dimensions, and scores by that alone.

    Raises
    ------
    ConfigError
        If there are fewer dimensions than members.
    """
    dim = model.users.shape[1]
    if not 1 <= members <= dim:
        raise ConfigError(f"a committee of {members} members cannot be made of {dim} dimensions; legal are 1 to {dim}")
    return [Model(model.users[:, part::members], model.items[:, part::members]) for part in range(members)]


class LeastSure:
    """Items that users do not have and of which a committee is least sure, ``budget`` pairs in all.

    At each refresh every user gets ``candidates`` items of the pool by chance; a member's score becomes a probability
    by where it lies between those of training pairs and of pairs by chance; the pairs of greatest :func:`doubt`
    are kept. Until the first refresh there are none.

    Parameters
    ----------
    taken : Taken
        Who has what; such pairs have their label.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    budget : int
        Pairs that are kept, >= 1.
    members : int, default 4
        Of the committee that is made of the model itself (:func:`subspaces`); 1 makes the model its own teacher.
    candidates : int, default 32
        Items looked at for each user, >= 1.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.
    """

    def __init__(
        self, taken: Taken, pool: npt.NDArray[np.bool_], *, budget: int, members: int = 4, candidates: int = 32
    ) -> None:
        if min(budget, members, candidates) < 1:
            raise ConfigError(
                f"budget is {budget}, members {members} and candidates {candidates}; each must be 1 or more"
            )
        self._taken, self._pool, self._members, self._candidates = taken, np.flatnonzero(pool), members, candidates
        self._pairs = np.full((budget, 2), -1, dtype=np.int32)
        self._lists = self._listed()

    def refresh(self, model: Model, rng: np.random.Generator, *, index: Index | None = None) -> None:  # noqa: ARG002
        """Choose the pairs anew by a committee of the model."""
        self.refresh_by(subspaces(model, self._members), rng)

    def refresh_by(self, committee: Sequence[Model], rng: np.random.Generator) -> None:
        """Choose the pairs anew by any committee, such as models of other seeds, or a teacher alone."""
        users = np.flatnonzero(np.diff(self._taken.indptr))
        drawn = self._pool[rng.integers(0, max(len(self._pool), 1), (len(users), self._candidates))]
        free = ~self._taken.contains(users, drawn)
        # Each pair once, however often it was drawn.
        keys = np.unique((users[:, None] * self._taken.n_items + drawn)[free])
        owners, items = keys // self._taken.n_items, keys % self._taken.n_items
        doubts = doubt(np.stack([self._probabilities(member, owners, items, rng) for member in committee]))
        budget = len(self._pairs)
        best = np.argsort(-doubts, kind="stable")[:budget]
        self._pairs[:] = -1
        self._pairs[: len(best)] = np.stack([owners[best], items[best]], axis=1)
        self._lists = self._listed()

    def _probabilities(self, member: Model, users: Rows, items: Rows, rng: np.random.Generator) -> Probabilities:
        """Return (m,) how likely a member finds the pairs to be positive: a logistic between its two kinds of score."""
        taken = self._taken
        places = rng.integers(0, len(taken.items), min(_SAMPLED, len(taken.items)))
        owners = np.searchsorted(taken.indptr, places, side="right") - 1
        good = _scores(member, owners, taken.items[places])
        chance = _scores(member, owners, self._pool[rng.integers(0, len(self._pool), len(owners))])
        spread = float(np.sqrt((good.var() + chance.var()) / 2)) or 1.0
        centred = (_scores(member, users, items) - (good.mean() + chance.mean()) / 2) / spread
        # Of two normal distributions of one spread, the log odds are a line of this slope.
        slope = (good.mean() - chance.mean()) / spread
        return np.asarray(1 / (1 + np.exp(-np.clip(slope * centred, -50, 50))))

    def _listed(self) -> UserLists:
        pairs = self._pairs[self._pairs[:, 0] >= 0]
        return UserLists(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)), n_users=self._taken.n_users)

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return (b, n) items of each user's chosen pairs; -1 for users without any."""
        return self._lists.draw(positives, n, rng)

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:
        """Return zeros: they are each user's own."""
        return self._lists.expected(items, n_pairs, n)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the chosen pairs, (budget, 2); -1 where there are fewer."""
        return {"pairs": self._pairs}

    def put(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the chosen pairs."""
        self._pairs = np.array(state["pairs"])
        self._lists = self._listed()


def _scores(model: Model, users: Rows, items: Rows) -> npt.NDArray[np.float64]:
    return np.asarray(np.einsum("md,md->m", model.users[users], model.items[items], dtype=np.float64))


def _entropy(probabilities: Probabilities) -> Probabilities:
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return np.asarray(-clipped * np.log(clipped) - (1 - clipped) * np.log1p(-clipped))
