"""PinSage as a task of the training loop: its model, its batches, its loss, and the vectors that come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from graphrec.contracts.described import item_columns
from graphrec.contracts.recall_data import RecallData
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.models.deep.sampled_softmax import sampled_softmax
from graphrec.models.graph_networks.item_inputs import ItemInputs
from graphrec.models.graph_networks.pinsage_batches import Batch as PinSageBatch
from graphrec.models.graph_networks.pinsage_batches import Batches, Frontier, Histories, Rows, shared_items, takers_of
from graphrec.models.graph_networks.pinsage_losses import margin_loss
from graphrec.models.graph_networks.pinsage_model import ItemTower, PinSageModel, on
from graphrec.models.training.loop import Batch, Group, seeded
from graphrec.models.training.recipe_training import VectorsTask, penalty_of
from graphrec.negatives.taken import Taken

# Standard deviation of the vectors drawn at first.
_SCALE = 0.1
# Products in a step from which on several threads are worth their waiting for each other.
_SHARED_PRODUCTS = 1 << 24
# Hard negatives begin in the second epoch.
_EASY_EPOCHS = 1


class PinSageTask(VectorsTask):
    """One fit of PinSage.

    Parameters
    ----------
    recipe : PinSage
        The settings. Its module imports this one, so that its type cannot be named here.
    data : RecallData
        Features and sizes are read of it.
    histories : Histories
        Of training.
    tables : NeighbourTable, and NeighbourTable or None
        (n_items, n_items): the items' neighbourhoods, and the band that hard negatives are drawn from.
    seed : int
        Of the first weights.
    """

    def __init__(
        self,
        recipe: Any,
        data: RecallData,
        histories: Histories,
        tables: tuple[NeighbourTable, NeighbourTable | None],
        seed: int,
    ) -> None:
        self._recipe, self._histories, (self._near, band) = recipe, histories, tables
        self._taken = Taken(data.interactions)
        self._batches = Batches(histories, Frontier(self._near, recipe.layers), recipe.batch_settings(), band)
        with seeded(seed):
            self.model: PinSageModel = model_of(recipe, data, histories)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch; none where there are no events."""
        return len(self._batches)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the users of each batch of an epoch, and what their draws start from."""
        n_hard = np.array(min(max(epoch + 1 - _EASY_EPOCHS, 0), self._recipe.hard_negatives))
        for users, numbers, negatives in self._batches.epoch(rng):
            yield Batch({"users": users, "numbers": numbers}, {"negatives": negatives, "n_hard": n_hard})

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - users bring their own draws
        """Return the penalty and the mean over users of their losses, each over a mean number of pairs."""
        users, numbers = batch.examples["users"], batch.examples["numbers"]
        made = self._batches.batch(users, numbers, batch.shared["negatives"], int(batch.shared["n_hard"]))
        summed = batch_loss(self.model, made, self._recipe, self._taken)
        told: Tensor = summed / (len(users) * self._batches.pairs_per_user)
        penalised: Tensor = told + penalty_of(self._tables, self._recipe.regularisation)
        return penalised

    @property
    def _tables(self) -> list[nn.Parameter]:
        """The vectors of items, users and features."""
        tables = [module for module in self.model.modules() if isinstance(module, nn.Embedding)]
        return [weight for table in tables for weight in table.parameters()]

    def groups(self) -> list[Group]:
        """Return the vectors of items, users and features, and the maps, which learn more slowly."""
        tables = self._tables
        own = {id(table) for table in tables}
        maps = [weight for weight in self.model.parameters() if id(weight) not in own]
        return [Group(tables), Group(maps, lr_scale=self._recipe.map_lr / self._recipe.lr)]

    @property
    def _products(self) -> int:
        """Products of a step's loss."""
        users, items = len(self._histories.indptr) - 1, self._histories.n_items
        return int(min(self._recipe.batch, users) * min(self._recipe.negatives, items) * self._recipe.dim)

    @torch.no_grad()
    def learnt(self) -> dict[str, np.ndarray]:
        """Return what is learnt by now, by name.

        ``items`` and ``says`` (n_items, dim) float32: what an item is searched by, and what it says in a history;
        ``users`` (n_users, dim), zero for users without events; ``known`` (n_items,) bool: items with a vector.
        """
        model, histories = self.model.train(mode=False), self._histories
        items = model.all_items(self._near)
        users = np.zeros((len(histories.indptr) - 1, self._recipe.dim), dtype=np.float32)
        if model.own is not None:
            users[:] = model.own.weight.cpu().numpy()
            users[np.diff(histories.indptr) == 0] = 0
        says = (
            model.says(np.arange(len(items)), items).cpu().numpy() * histories.discounts(self._recipe.discount)[:, None]
        )
        known = model.items.inputs.known() | (histories.shares > 0) | (np.diff(self._near.indptr) > 0)
        return {"items": items.cpu().numpy(), "says": says, "users": users, "known": known}


def model_of(recipe: Any, data: RecallData, histories: Histories) -> PinSageModel:
    """Return the model as it is drawn at first."""
    inputs = ItemInputs(
        len(data.items),
        recipe.dim,
        with_events=histories.shares > 0 if recipe.ids else None,
        features=item_columns(data, entities=recipe.entities, titles=False) if recipe.features else None,
        tag_weight=recipe.tag_weight,
        scale=_SCALE,
    )
    own = recipe.query == "user"
    takers = takers_of(histories) if own and recipe.ids else None
    return PinSageModel(
        ItemTower(inputs, recipe.layers, residual=recipe.residual, takers=takers),
        len(data.users),
        own=own,
        scale=_SCALE,
    )


def batch_loss(model: PinSageModel, batch: PinSageBatch, recipe: Any, taken: Taken) -> Tensor:
    """Return the sum of the losses over pairs of user and item, and over pairs of items, a scalar.

    No item that its user has, or that is the query itself, is a negative.
    """
    device = model.items.device
    items = model.vectors(batch.blocks, batch.seeds)
    directions = normalize(items)  # the losses look at nothing else of what is chosen or not
    total: Tensor = 0.0 * items.sum()  # a batch of single events may have nothing to tell
    if recipe.user_weight and len(batch.taken):
        says = model.says(batch.seeds, items)
        users = model.users(batch.users, batch.history_indptr, batch.history, batch.history_weights, says)
        masked = taken.among(batch.users, batch.seeds[batch.candidates])
        mean = _loss(recipe, users, directions, (batch.owners, batch.taken), masked, batch)
        total = total + recipe.user_weight * len(batch.taken) * mean
    if recipe.item_weight and len(batch.queries):
        queries = items.index_select(0, on(device, batch.queries))
        pairs = np.arange(len(batch.queries)), batch.partners
        mean = _loss(
            recipe, queries, directions, pairs, shared_items(batch.queries, batch.candidates), batch, batch.hard
        )
        total = total + recipe.item_weight * len(batch.queries) * mean
    return total


def _loss(
    recipe: Any,
    anchors: Tensor,
    directions: Tensor,
    pairs: tuple[Rows, Rows],
    masked: tuple[Rows, Rows],
    batch: PinSageBatch,
    hard: Rows | None = None,
) -> Tensor:
    """Return the mean over ``pairs``: (m,) places of anchors, rising, and places of what they chose in ``directions``.

    ``masked`` are pairs of anchor and candidate that are no negatives; ``hard`` (b, r) are each anchor's own.
    """
    device, (owners, chosen) = anchors.device, pairs
    anchors, hard = normalize(anchors), np.empty((len(anchors), 0), dtype=np.int64) if hard is None else hard
    positives, candidates = (directions.index_select(0, on(device, rows)) for rows in (chosen, batch.candidates))
    own = directions.index_select(0, on(device, hard.ravel())).view(*hard.shape, directions.shape[1])
    left_out = on(device, masked[0]), on(device, masked[1])
    indptr = on(device, indptr_of(np.bincount(owners, minlength=len(anchors))))
    if recipe.loss == "margin":
        return margin_loss(anchors, indptr, positives, candidates, left_out, own, margin=recipe.margin)
    return sampled_softmax(
        anchors / recipe.temperature, indptr, positives, candidates, on(device, batch.log_q), left_out, own,
        own.new_zeros(hard.shape),
    )  # fmt: skip
