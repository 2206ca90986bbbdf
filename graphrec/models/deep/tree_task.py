"""Towers and a tree over their items as a task of the training loop: nodes learn beside leaves, trees in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from graphrec.contracts.progress import State
from graphrec.index.tree import first_tree_level, mean_nodes, node_of, tree_depth, tree_order
from graphrec.models.deep.recall_task import Compared, RecallTask
from graphrec.models.deep.sampled_softmax import sampled_softmax
from graphrec.models.training.loop import Batch
from graphrec.negatives.protocol import Rows


class TreeTask(RecallTask):
    """One fit of towers with a tree: :class:`graphrec.models.deep.tdm.TDM` has the losses.

    The tree stands with the model's weights, so that a training that goes on has the tree that it had.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._leaves = np.flatnonzero(self._known)
        n, recipe = len(self._leaves), self._recipe
        self._depth = tree_depth(n, recipe.leaf)
        self._first = first_tree_level(recipe.beam, self._depth)
        self.model.nodes = nn.Embedding((1 << self._depth) - (1 << self._first), self.model.width)
        nn.init.zeros_(self.model.nodes.weight)
        self.model.register_buffer("order", torch.zeros(n, dtype=torch.int64))
        self.model.register_buffer("planted", torch.tensor(-1))
        self._place = np.full(self._histories.n_items, -1, dtype=np.int64)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of towers; a tree is learnt anew first where it is due."""
        if epoch in self._recipe.planting and int(self._of("planted")) < epoch:
            order, nodes = self._grown(super().learnt())
            with torch.no_grad():
                self._of("order").copy_(torch.from_numpy(order.astype(np.int64)))
                self._nodes.copy_(torch.from_numpy(nodes))
                self._of("planted").fill_(epoch)
            self.model.train()
        self._place[self._leaves[self._of("order").cpu().numpy()]] = np.arange(len(self._leaves))
        yield from super().batches(epoch, rng)

    def learnt(self) -> dict[str, npt.NDArray[Any]]:
        """Return what towers learn, and ``order`` (t,) and ``nodes`` (m, width) of the tree over the t known items."""
        made = super().learnt()
        if int(self._of("planted")) < 0:
            order, nodes = self._grown(made)
        else:
            order = self._of("order").cpu().numpy().astype(np.int32)
            nodes = self._nodes.detach().cpu().numpy()
        return made | {"order": order, "nodes": nodes}

    def _grown(self, learnt: State) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return a tree over what is served of the items, its nodes the means of what is below them."""
        served = self._served(learnt["items"][self._leaves])
        order = tree_order(served, self._depth)
        return order, mean_nodes(served, order, self._first, self._depth)

    def _further(self, compared: Compared, rng: np.random.Generator) -> Tensor | float:
        """Return the mean over levels of the softmax over nodes: of each level, the nodes that positives are under."""
        if int(self._of("planted")) < 0 or self._first == self._depth:
            return 0.0
        levels = range(self._first, self._depth)
        losses = [self._level_loss(compared, level, rng) for level in levels]
        return torch.stack(losses).mean()

    def _level_loss(self, compared: Compared, level: int, rng: np.random.Generator) -> Tensor:
        n, size, most = len(self._leaves), 1 << level, self._recipe.level_negatives
        drawn = np.arange(size) if size <= most else np.sort(rng.choice(size, most, replace=False))
        log_q = self._on(np.full(len(drawn), np.log(len(drawn) / size), dtype=np.float32))
        positives = node_of(self._place[compared.told], level, n)
        places, indptr = self._places(compared.users)
        taken = node_of(self._place[self._histories.items[places]], level, n)
        owners = np.repeat(np.arange(len(compared.users)), np.diff(indptr))
        masked = _masked(owners, taken, drawn, size)
        start = size - (1 << self._first)
        nothing = compared.anchors.new_zeros((len(compared.users), 0))
        return sampled_softmax(
            compared.anchors, compared.indptr, self._rows(start + positives), self._rows(start + drawn),
            log_q, (self._on(masked[0]), self._on(masked[1])), nothing[:, :, None].expand(-1, -1, self.model.width),
            nothing,
        )  # fmt: skip

    def _rows(self, nodes: Rows) -> Tensor:
        return self._nodes[self._on(nodes)]

    def _of(self, name: str) -> Tensor:
        tensor: Tensor = getattr(self.model, name)
        return tensor

    @property
    def _nodes(self) -> Tensor:
        table: nn.Embedding = self.model.nodes  # type: ignore[assignment]
        return table.weight


def _masked(owners: Rows, taken: Rows, drawn: Rows, size: int) -> tuple[Rows, Rows]:
    """Return the pairs of user and place in ``drawn`` whose node the user has an item under, each once."""
    place = np.full(size, -1, dtype=np.int64)
    place[drawn] = np.arange(len(drawn))
    pairs = np.unique(owners[place[taken] >= 0] * len(drawn) + place[taken][place[taken] >= 0])
    return pairs // max(len(drawn), 1), pairs % max(len(drawn), 1)
