"""Sequence models as a task of the training loop: windows of events, each event predicted from those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from graphrec.contracts.recall_data import RecallData
from graphrec.data.lists import indptr_of
from graphrec.index.sketch import AUDITED
from graphrec.models.deep.export_onnx import sequence_tower
from graphrec.models.deep.generalised_bce import generalised_bce
from graphrec.models.deep.sampled_softmax import sampled_softmax
from graphrec.models.deep.sequence_model import Events, SequenceModel
from graphrec.models.deep.sequence_windows import (
    Rows,
    Windows,
    in_steps,
    liked_events,
    n_windows,
    positions_of,
    windows,
)
from graphrec.models.training.loop import Batch, Group, seeded
from graphrec.models.training.recipe_training import VectorsTask
from graphrec.models.training.training_task import Arrays
from graphrec.negatives.mixture import Mixture
from graphrec.negatives.protocol import Positives

# Rows of which vectors are made at a time.
_ROWS = 1 << 16
_DAY = 86_400


class Examples(NamedTuple):
    """The events of n windows of at most w: positions (n, w) int64 that are read, and those that are to be predicted.

    ``read`` is -1 where there is no event or it is hidden, ``targets`` where nothing is to be predicted; ``lengths``
    (n,) int64 counts events that are read or hidden.
    """

    read: Rows
    targets: Rows
    lengths: Rows


class SequenceTask(VectorsTask):
    """One fit of a sequence model.

    Parameters
    ----------
    recipe : SequenceSettings
        The settings.
    data : RecallData
        Of training.
    mixture : Mixture
        Draws the negatives, all of them shared.
    make : callable
        ``make(counts)`` makes the model, of the number of events of each item (n_items,); it is called with torch's
        generator seeded.
    seed : int
        Of the first weights.
    """

    def __init__(
        self,
        recipe: Any,
        data: RecallData,
        mixture: Mixture,
        make: Callable[[npt.NDArray[np.int64]], SequenceModel],
        seed: int,
    ) -> None:
        self._recipe, self._mixture = recipe, mixture
        self._events = liked_events(data.interactions)
        self._owners = np.repeat(np.arange(len(self._events)), self._events.lengths)
        self._n_items = len(data.items)
        self._counts = np.bincount(self._events.items, minlength=self._n_items)
        with seeded(seed):
            self.model: SequenceModel = make(self._counts)
        if recipe.averaged:
            self.model.keep_means(recipe.averaged * self.n_batches)

    @property
    def n_batches(self) -> int:
        """Steps of an epoch; none where nobody has two events."""
        batch: int = self._recipe.batch
        return -(-n_windows(self._events, self._recipe.last, self._recipe.overlap) // batch)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the windows of each step, and its negatives."""
        mixture = self._mixture.at(epoch / self._recipe.epochs)
        cut = windows(self._events, self._recipe.last, self._recipe.overlap, rng)
        for step in in_steps(cut, self._recipe.batch, rng):
            examples = {**step._asdict(), **self._drawn(step, rng)}
            targets = self._examples(examples).targets
            targets = targets[targets >= 0]
            positives = Positives(self._owners[targets], np.arange(len(targets) + 1), self._events.items[targets])
            drawn = mixture.draw(positives, self._recipe.negatives, rng)
            yield Batch(examples, {"shared": drawn.shared, "shared_log_q": drawn.shared_log_q})

    def _drawn(self, step: Windows, rng: np.random.Generator) -> dict[str, npt.NDArray[Any]]:  # noqa: ARG002 - others do
        """Return what else is drawn for the windows of a step, a row a window."""
        return {}

    def _examples(self, step: Arrays) -> Examples:
        """Return what is read and predicted in a step: the newest events of each window, from those before."""
        positions = positions_of(step["starts"], step["lengths"])
        lengths, targets = step["lengths"] - 1, positions[:, 1:]
        read = np.where(targets >= 0, positions[:, :-1], -1)
        newest = np.arange(targets.shape[1]) >= (lengths - step["newest"])[:, None]
        return Examples(read, np.where(newest, targets, -1), lengths)

    def _states(self, events: Events, examples: Examples) -> Tensor:
        """Return (m, dim) or (m, interests, dim): what predicts the targets, row by row."""
        told = examples.targets >= 0
        most = int(told.sum(axis=1).max(initial=0))
        if events.hidden is not None or most == told.shape[1]:
            return self.model.states(events)[self._on(told)]
        # What is predicted is the newest: ``most`` places from the end of each window, of which some may be too many.
        places = examples.lengths[:, None] - most + np.arange(most)
        wanted = (places >= 0) & np.take_along_axis(told, np.maximum(places, 0), axis=1)
        return self.model.at(events, self._on(np.maximum(places, 0)))[self._on(wanted)]

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - torch draws what dropout hides
        """Return the mean over predicted events of their losses; the step before is taken up by the weights' means."""
        if self.model.means is not None:
            self.model.means.update(self.model)
        examples, shared = self._examples(batch.examples), batch.shared["shared"]
        items = self._events.items.astype(np.int64)
        read, targets = (items[rows[rows >= 0]] for rows in (examples.read, examples.targets))
        rows, where = np.unique(np.concatenate([read, targets, shared]), return_inverse=True)
        ends = np.cumsum([len(read), len(targets)])
        history, positives, common = (self._on(part) for part in np.split(where, ends))
        vectors = self.model.items_in(self._on(rows))
        events = self._padded(vectors[history], examples)
        states = self.model.compared(self._states(events, examples), vectors[positives])
        places, drawn = drawn_targets(targets, shared)
        masked = self._on(places), self._on(drawn)
        log_q = self._on(batch.shared["shared_log_q"])
        if self._recipe.loss == "gbce":
            return generalised_bce(
                states, vectors[positives], vectors[common], masked, log_q, calibration=self._recipe.calibration
            )
        empty = states.new_zeros((len(states), 0, states.shape[1]))
        ends_of = torch.arange(len(states) + 1, device=states.device)
        return sampled_softmax(
            states, ends_of, vectors[positives], vectors[common], log_q, masked, empty, empty[:, :, 0]
        )

    def groups(self) -> list[Group]:
        """Return what learns: norms and biases without weight decay."""
        weights = list(self.model.parameters())
        return [
            Group([weight for weight in weights if weight.dim() > 1], weight_decay=self._recipe.weight_decay),
            Group([weight for weight in weights if weight.dim() <= 1]),
        ]

    @property
    def _products(self) -> int:
        recipe, events = self._recipe, len(self._events.items)
        predicted = min(recipe.batch * recipe.last, events)
        return int(predicted * (min(recipe.negatives, self._n_items) + recipe.last + recipe.dim) * recipe.dim)

    @torch.no_grad()
    def learnt(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is learnt by now, by name.

        ``items`` (n_items, dim) float32: what an item is read as, and searched by; ``known`` (n_items,) bool: items
        that have events or features; ``asked`` (s, dim) float32: what some histories ask with; ``tower`` (bytes,)
        uint8: the ONNX file that makes that of a history.
        """
        with self.model.served():
            return self._served()

    def _served(self) -> dict[str, npt.NDArray[Any]]:
        rows = np.arange(self._n_items)
        parts = [self.model.items_in(self._on(rows[start : start + _ROWS])) for start in range(0, len(rows), _ROWS)]
        items = np.concatenate([_array(part) for part in parts]) if parts else np.zeros((0, self._recipe.dim), "f4")
        return {
            "items": items,
            "known": (self._counts > 0) | self.model.items_in.known,
            "asked": self._asked(),
            "tower": np.frombuffer(sequence_tower(self.model), dtype=np.uint8),
        }

    def _asked(self) -> npt.NDArray[np.float32]:
        """Return what the newest events of some users ask with."""
        lengths = self._events.lengths
        users = np.flatnonzero(lengths)
        users = users[np.linspace(0, max(len(users) - 1, 0), min(AUDITED, len(users))).astype(np.int64)]
        if not len(users):
            return np.zeros((0, self._recipe.dim), dtype=np.float32)
        kept = np.minimum(lengths[users], self._recipe.last)
        positions = positions_of(self._events.indptr[users + 1] - kept, kept)
        vectors = self.model.items_in(self._on(self._events.items[positions[positions >= 0]].astype(np.int64)))
        nothing = np.full_like(positions, -1)
        made = self.model.last(self._padded(vectors, Examples(positions, nothing, kept)))
        return _array(made.reshape(-1, made.shape[-1]))

    def _padded(self, vectors: Tensor, examples: Examples) -> Events:
        """Return the events of examples, ``vectors`` those of what is read of them, row by row."""
        read, targets, lengths = examples
        known = read >= 0
        padded = vectors.new_zeros((*known.shape, vectors.shape[1]))
        padded[self._on(known)] = vectors
        ages, example_ages = np.zeros((2, *known.shape), dtype=np.float32)
        times = self._events.times
        if times is not None and self.model.reads_times and known.size:
            newest = times[read[np.arange(len(lengths)), lengths - 1]]
            ages = np.where(known, newest[:, None] - times[read], 0).astype(np.float32)
        if times is not None and self.model.reads_example_age and known.size:
            example_ages = np.where(targets >= 0, (times.max() - times[targets]) / _DAY, 0).astype(np.float32)
        users = None
        if self.model.users_in is not None:
            users = self.model.users_in(self._on(self._owners[read.max(axis=1, initial=-1)]))
        return Events(padded, self._on(lengths), self._on(ages), self._on(example_ages), users=users)

    def _on(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.model.device)


def drawn_targets(targets: Rows, shared: Rows) -> tuple[Rows, Rows]:
    """Return (h,) places among the ``targets`` (m,) and among ``shared`` (n,) of those that are the same item.

    What else a user takes stays a negative: whether it is taken again is for the model to tell.
    """
    order = np.argsort(shared, kind="stable")
    starts = np.searchsorted(shared[order], targets, side="left")
    counts = np.searchsorted(shared[order], targets, side="right") - starts
    ends = indptr_of(counts)
    places = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], counts)
    return np.repeat(np.arange(len(targets)), counts), order[places]


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return array
