"""The cloze task: events of a window are hidden, and each is predicted from those on both sides of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from graphrec.models.deep.sequence_model import Events
from graphrec.models.deep.sequence_task import Examples, SequenceTask
from graphrec.models.deep.sequence_windows import Windows, positions_of
from graphrec.models.training.training_task import Arrays


class ClozeTask(SequenceTask):
    """One fit of a model that is taught what is hidden; see :class:`graphrec.models.deep.bert4rec.BERT4Rec`."""

    def _drawn(self, step: Windows, rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
        """Return ``hidden`` (n, w) bool."""
        return {"hidden": hidden_events(step.lengths, self._recipe.hide, self._recipe.hide_newest, rng)}

    def _examples(self, step: Arrays) -> Examples:
        """Return what is read and predicted: the hidden events from the others."""
        positions = positions_of(step["starts"], step["lengths"])
        # A process's part of the windows may be less wide than all together.
        hidden = step["hidden"][:, : positions.shape[1]]
        return Examples(np.where(hidden, -1, positions), np.where(hidden, positions, -1), step["lengths"])

    def _padded(self, vectors: Tensor, examples: Examples) -> Events:
        hidden = self._on(examples.targets >= 0)
        return super()._padded(vectors, examples)._replace(hidden=hidden)


def hidden_events(
    lengths: npt.NDArray[np.int64], share: float, newest: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draw which events of windows of ``lengths`` (n,) >= 2 are hidden: (n, w) bool, w the longest.

    Of a share ``newest`` of the windows it is the newest event alone, as at a request. Of each other window it is
    ``share`` of the events on average, at least one and never all of them.
    """
    places = np.arange(lengths.max(initial=0))
    there = places < lengths[:, None]
    counts = np.clip(rng.binomial(lengths, share), 1, lengths - 1)
    keys = np.where(there, rng.random(there.shape), np.inf)
    drawn = keys.argsort(axis=1).argsort(axis=1) < counts[:, None]
    as_asked = rng.random(len(lengths)) < newest
    hidden: npt.NDArray[np.bool_] = np.where(as_asked[:, None], places == lengths[:, None] - 1, drawn)
    return hidden
