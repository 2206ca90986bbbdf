"""Towers as a task of the training loop: batches of users, mixed negatives, a sampled softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from graphrec.contracts.progress import State
from graphrec.contracts.recall_data import RecallData
from graphrec.data.lists import indptr_of, lists_of
from graphrec.models.deep.export_onnx import user_tower
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sampled_softmax import sampled_softmax
from graphrec.models.deep.towers import Towers
from graphrec.models.graph_networks.pinsage_batches import Histories, histories_of
from graphrec.models.training.loop import Batch, Group, seeded
from graphrec.models.training.recipe_training import VectorsTask, penalty_of
from graphrec.negatives.mixture import Mixture
from graphrec.negatives.protocol import Model, Positives, Refreshed, Rows
from graphrec.negatives.taken import Taken
from graphrec.recallers.profile import profile_weights

# Rows of which vectors are made at a time.
_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What a step compares, for losses beside the softmax: vectors whose products are scores over temperature.

    ``users`` (b,) rows and ``anchors`` (b, width) their vectors; user i is to prefer the items
    ``told[indptr[i]:indptr[i + 1]]`` (m,), of the vectors ``positives`` (m, width), to the shared ones of the vectors
    ``common`` (n, width), and to ``own`` (b, r), -1 where there is none, of the vectors ``single`` (b, r, width).
    """

    users: Rows
    anchors: Tensor
    indptr: Tensor
    told: Rows
    positives: Tensor
    common: Tensor
    own: Rows
    single: Tensor


class RecallTask(VectorsTask):
    """One fit of towers.

    What follows the model (hard negatives, a committee) is refreshed at the beginning of an epoch, and stands with the
    model's weights in a checkpoint: a training that goes on draws what it would have drawn.

    Parameters
    ----------
    recipe : LearnedSettings
        The settings.
    data : RecallData
        Of training.
    mixture : Mixture
        Draws the negatives.
    towers : callable
        ``towers(histories)`` makes the model; it is called with torch's generator seeded.
    seed : int
        Of the first weights.
    """

    def __init__(
        self, recipe: Any, data: RecallData, mixture: Mixture, towers: Callable[[Histories], Towers], seed: int
    ) -> None:
        self._recipe, self._mixture, self._seed = recipe, mixture, seed
        self._histories, self._taken = histories_of(data.interactions), Taken(data.interactions)
        self._discounts = self._histories.discounts(recipe.discount)
        self._fresh = None if math.isinf(recipe.half_life_days) else self._histories.freshness(recipe.half_life_days)
        self._users = np.flatnonzero(np.diff(self._histories.indptr))
        with seeded(seed):
            self.model: Towers = towers(self._histories)
        self._late = [part.sampler for part in mixture.parts if isinstance(part.sampler, Refreshed)]
        self._put_buffers(-1)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch; none where there are no events."""
        batch: int = self._recipe.batch
        return -(-len(self._users) // batch)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the users of each batch, and their negatives."""
        progress = epoch / self._recipe.epochs
        self._refresh(epoch, progress)
        mixture, order = self._mixture.at(progress), rng.permutation(self._users)
        for start in range(0, len(order), self._recipe.batch):
            users = np.sort(order[start : start + self._recipe.batch])
            places, indptr = self._places(users)
            drawn = mixture.draw(Positives(users, indptr, self._histories.items[places]), self._recipe.negatives, rng)
            yield Batch(
                {"users": users, "own": drawn.own, "own_log_q": drawn.own_log_q},
                {"shared": drawn.shared, "shared_log_q": drawn.shared_log_q},
            )

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return the mean over users of their losses, each over a mean number of pairs, and the penalty."""
        users, own, shared = batch.examples["users"], batch.examples["own"], batch.shared["shared"]
        places, indptr = self._places(users)
        hidden = rng.random(len(places)) < self._recipe.held
        told = places[hidden] if self._recipe.held else places
        owners = np.repeat(np.arange(len(users)), np.diff(indptr))
        read, read_indptr = places[~hidden], _ends(owners[~hidden], len(users))
        told_indptr = _ends(owners[hidden], len(users)) if self._recipe.held else indptr
        items = self._histories.items
        rows, where = np.unique(
            np.concatenate([items[read], items[told], shared, np.maximum(own, 0).ravel()]), return_inverse=True
        )
        history, positives, common, single = (
            self._on(part) for part in np.split(where, np.cumsum([len(read), len(told), len(shared)]))
        )
        vectors, says = self.model.items(self._on(rows))
        weights = self._on(self._weights(read, read_indptr))
        anchors = self.model.users(self._on(users), self._on(read_indptr), history, weights, says)
        anchors, vectors = self._compared(anchors, vectors)
        masked = self._taken.among(users, shared)
        own_log_q = np.where(own >= 0, batch.examples["own_log_q"], np.float32(np.inf))
        compared = Compared(
            users, anchors, self._on(told_indptr), items[told], vectors[positives], vectors[common], own,
            vectors[single].reshape(*own.shape, vectors.shape[1]),
        )  # fmt: skip
        counted = self._pair_weights(told)
        mean = sampled_softmax(
            anchors, compared.indptr, compared.positives, compared.common, self._on(batch.shared["shared_log_q"]),
            (self._on(masked[0]), self._on(masked[1])), compared.single, self._on(own_log_q),
            None if counted is None else self._on(counted),
        )  # fmt: skip
        mean = mean + self._further(compared, rng)
        return mean * (len(told) / (len(users) * self._pairs_per_user)) + penalty_of(
            self._tables, self._recipe.regularisation
        )

    def _pair_weights(self, places: Rows) -> npt.NDArray[np.float32] | None:
        """Return (m,) float32: what the pairs at ``places`` (m,) count, 1 on average; None where all count alike."""
        return None if self._fresh is None else self._fresh[places]

    def _further(self, compared: Compared, rng: np.random.Generator) -> Tensor | float:  # noqa: ARG002
        """Return what is added to the mean loss of a pair; nothing, but in models that are towers and more."""
        return 0.0

    def groups(self) -> list[Group]:
        """Return what is of one user, item or node, and all else, which learns at a rate of its own.

        A category is in every step, and an id in few: steps of one length would carry what many items share so far that
        it drowns what each has of its own.
        """
        inputs = [module for module in self.model.modules() if isinstance(module, FieldInputs)]
        shared = {id(weight) for fields in inputs for weight in fields.tables.parameters()}
        single = [table for table in self._tables if id(table) not in shared]
        fast = {id(table) for table in single}
        others = [weight for weight in self.model.parameters() if id(weight) not in fast]
        return [Group(single), Group(others, lr_scale=self._recipe.map_lr / self._recipe.lr)]

    @torch.no_grad()
    def learnt(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is learnt by now, by name.

        ``items`` and ``says`` (n_items, width) float32: what an item is searched by, and what it says in a history;
        ``own`` (n_users, width): the users' own parts, zero where there is none; ``known`` (n_items,) bool: items that
        have events or features; ``stranger`` (width,): the own part of those of whom a history alone is known; where a
        tower is served, ``tower`` (bytes,) uint8: its ONNX file.
        """
        self.model.train(mode=False)
        n_users, n_items = len(self._histories.indptr) - 1, self._histories.n_items
        parts = [self.model.items(self._on(rows)) for rows in _parts(n_items)]
        items, says = (np.concatenate([_array(part[side]) for part in parts]) for side in (0, 1))
        own = np.concatenate([_array(self.model.own(self._on(rows))) for rows in _parts(n_users)])
        trained = np.diff(self._histories.indptr) > 0
        own[~(trained if self.model.users_in is None else trained | self.model.users_in.known)] = 0
        said = says * self._discounts[:, None]
        learnt = {"items": items, "says": said, "own": own, "known": self._known, "stranger": self.model.stranger()}
        if self._recipe.serve == "tower":
            learnt["tower"] = np.frombuffer(user_tower(self.model), dtype=np.uint8)
        return learnt

    @torch.no_grad()
    def _users_of(self, learnt: State) -> npt.NDArray[np.float32]:
        """Return (n_users, width): the vectors of all users by what they took."""
        places = np.arange(len(self._histories.items))
        weights = self._weights(places, self._histories.indptr, discounted=False)
        users = np.array(learnt["own"])
        owners = np.repeat(np.arange(len(users)), np.diff(self._histories.indptr))
        # One dimension at a time, so that memory is that of the pairs.
        for column in range(users.shape[1]):
            said = learnt["says"][self._histories.items, column] * weights
            users[:, column] += np.bincount(owners, weights=said, minlength=len(users))
        parts = [self._on(users[rows].astype(np.float32)) for rows in _parts(len(users))]
        return np.concatenate([_array(self.model.finish(part)) for part in parts])

    def _refresh(self, epoch: int, progress: float) -> None:
        """Have what follows the model look again, where that is due and a checkpoint does not hold it already."""
        made = int(self.model.refreshed) if self._late else 0  # type: ignore[arg-type]
        if not self._late:
            return
        reached = any(part.at(progress) > 0 for part in self._mixture.parts if part.sampler in self._late)
        if reached and (made < 0 or (epoch - made >= self._recipe.refresh and made < epoch)):
            learnt = self.learnt()
            items = self._served(learnt["items"])
            model = Model(self._users_of(learnt), items)
            for number, sampler in enumerate(self._late):
                sampler.refresh(model, np.random.default_rng([self._seed, epoch, number]))
            self._put_buffers(epoch)
            self.model.train()
        else:
            for number, sampler in enumerate(self._late):
                names = sampler.state()
                sampler.put({name: _array(getattr(self.model, f"late_{number}_{name}")) for name in names})

    def _put_buffers(self, epoch: int) -> None:
        """Keep the state of what follows the model with the model."""
        for number, sampler in enumerate(self._late):
            for name, array in sampler.state().items():
                self.model.register_buffer(f"late_{number}_{name}", self._on(np.array(array)))
            self.model.register_buffer("refreshed", torch.tensor(epoch, device=self.model.device))

    def _compared(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors whose products are scores over temperature."""
        if self._recipe.similarity == "cosine":
            users, items = normalize(users), normalize(items)
        return users / self._recipe.temperature, items

    def _served(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        served: npt.NDArray[np.float32] = self._recipe.served(items)
        return served

    def _places(self, users: Rows) -> tuple[Rows, Rows]:
        """Return where the users' pairs stand among all (m,), and (b + 1,) where each user's start."""
        starts, lengths = self._histories.indptr[users], np.diff(self._histories.indptr)[users]
        indptr = indptr_of(lengths)
        return np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths), indptr

    def _weights(self, places: Rows, indptr: Rows, *, discounted: bool = True) -> npt.NDArray[np.float32]:
        """Return (h,) float32: how much each entry of histories counts in its user's vector."""
        items, scores = self._histories.items[places], self._histories.weights[places]
        counted = profile_weights(lists_of(indptr, items.astype(np.int32), scores), self._recipe.profile())
        owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        mass = np.bincount(owners, weights=counted, minlength=len(indptr) - 1)
        shares: npt.NDArray[np.float64] = counted / np.maximum(mass, 1e-12)[owners] ** self._recipe.history_exponent
        return (shares * self._discounts[items] if discounted else shares).astype(np.float32)

    @property
    def _known(self) -> npt.NDArray[np.bool_]:
        """(n_items,): items that have events or features."""
        known: npt.NDArray[np.bool_] = (self._histories.shares > 0) | self.model.items_in.known
        return known

    @property
    def _pairs_per_user(self) -> float:
        told = len(self._histories.items) * (self._recipe.held or 1.0)
        return max(told / max(len(self._users), 1), 1e-9)

    @property
    def _tables(self) -> list[nn.Parameter]:
        """The vectors of ids and categories."""
        biases = {id(weight) for weight in self.model.biases()}
        tables = [module for module in self.model.modules() if isinstance(module, nn.Embedding)]
        return [weight for table in tables for weight in table.parameters() if id(weight) not in biases]

    def _penalty(self) -> Tensor | float:
        return penalty_of(self._tables, self._recipe.regularisation)

    @property
    def _products(self) -> int:
        users, items = len(self._users), self._histories.n_items
        return int(min(self._recipe.batch, users) * min(self._recipe.negatives, items) * self._recipe.dim)

    def _on(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.model.device)


def _ends(owners: Rows, n: int) -> Rows:
    return indptr_of(np.bincount(owners, minlength=n))


def _parts(n: int) -> Iterator[Rows]:
    """Yield 0..n-1 in parts; an empty part where there are none."""
    for start in range(0, max(n, 1), _ROWS):
        yield np.arange(start, min(start + _ROWS, n))


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return array
