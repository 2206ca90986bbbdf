"""Trees that LightGBM grows from the hits among the entries of lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import MissingExtraError
from graphrec.fusion.heads import Values
from graphrec.fusion.listwise import HitLists, hit_lists
from graphrec.fusion.trees import Trees, trees_from_lightgbm

# Trees in a row that may bring no gain.
_PATIENCE = 20


@dataclass(slots=True)
class Entries:
    """What trees and the network learn from: entries of the calibrated lists of some users.

    ``rows`` (t, F) features; ``owners`` (t,) the places of their users, rising; ``weights`` (t,) what a hit weighs, 0
    where there is none; ``counts`` (t,) how many entries each stands for; ``odds`` (t,) where learning starts.
    """

    rows: npt.NDArray[np.float32]
    owners: npt.NDArray[np.int64]
    weights: Values
    counts: Values
    odds: Values

    def of(self, users: npt.NDArray[np.bool_]) -> Entries:
        """Return the entries of some users."""
        among = users[self.owners]
        return Entries(self.rows[among], self.owners[among], self.weights[among], self.counts[among], self.odds[among])

    @property
    def hits(self) -> HitLists:
        """The lists, and the hits among them."""
        return hit_lists(self.owners, self.weights, self.counts)


def grow(entries: Entries, settings: Mapping[str, Any], trees: int) -> Trees:
    """Return so many trees; none where no feature tells entries apart."""
    data = _dataset(entries, settings)
    if not _can_grow(data):
        return Trees((), (), (), ())
    grown = lightgbm().train({**settings, "objective": _slopes(entries)}, data, trees)
    return trees_from_lightgbm(grown.dump_model()["tree_info"])


def enough_trees(seen: Entries, unseen: Entries, settings: Mapping[str, Any], trees: int) -> tuple[float, int]:
    """Return the least loss of what was not seen, and after how many of at most so many trees it is reached."""
    data, stop, hits = _dataset(seen, settings), lightgbm().early_stopping(_PATIENCE, verbose=False), unseen.hits
    if not _can_grow(data):
        return hits.loss(unseen.odds), trees
    grown = lightgbm().train(
        {**settings, "objective": _slopes(seen), "metric": "none"}, data, trees, [_dataset(unseen, settings, data)],
        feval=lambda scores, _: ("loss", hits.loss(scores), False), callbacks=[stop],
    )  # fmt: skip
    return grown.best_score["valid_0"]["loss"], grown.best_iteration


def _dataset(entries: Entries, settings: Mapping[str, Any], reference: Any = None) -> Any:
    # The objective looks at the weights; LightGBM asks for labels all the same.
    labels = entries.weights > 0
    return lightgbm().Dataset(entries.rows, labels, init_score=entries.odds, reference=reference, params=dict(settings))


def _can_grow(data: Any) -> bool:
    """Say whether any feature of a dataset can be split; without one LightGBM ends with an error."""
    data.construct()
    return any(data.feature_num_bin(feature) > 1 for feature in range(data.num_feature()))


def _slopes(entries: Entries) -> Callable[[Values, Any], tuple[Values, Values]]:
    """Return the objective, as LightGBM asks for it."""
    hits = entries.hits
    return lambda scores, _: hits.slopes(scores)


def lightgbm() -> ModuleType:
    """Return LightGBM.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import lightgbm as module
    except ImportError as error:
        raise MissingExtraError("boosted fusion", extra="train") from error
    return module
