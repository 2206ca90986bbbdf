"""PinSage's network: importance pooling over neighbourhoods, and the towers of items and users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, normalize
from torch_geometric.nn import MessagePassing  # type: ignore[import-untyped]

from graphrec.data.neighbours import NeighbourTable
from graphrec.models.graph_networks.item_inputs import ItemInputs
from graphrec.models.graph_networks.pinsage_batches import Block, FloatArray, Places, Rows, block_of, rows_of, whole

# Rows of a matrix product outside training: see :func:`in_places`.
_PLACES = 256
# How much of the neighbours' mean a residual layer adds at first.
_FIRST_SHARE = 0.3


class ImportanceConv(MessagePassing):  # type: ignore[misc]
    r"""A layer of PinSage: what an item is, beside the importance-weighted mean of what its neighbours are.

    As published [1]_ it is

    .. math:: n_u = \sum_{v \in N(u)} \alpha_{uv}\, \mathrm{ReLU}(Q h_v + q), \qquad
              z_u = \mathrm{ReLU}(W [h_u \,\|\, n_u] + w), \qquad h'_u = z_u / |z_u|

    and as a residual layer :math:`n_u = \sum_v \alpha_{uv} h_v` and :math:`h'_u = h_u + W [h_u \,\|\, n_u] + w`,
    which starts as :math:`h_u + 0.3\, n_u`. Where all that is known of items is who took them, that learns more: graph
    convolutions of collaborative filtering are better without activations [2]_.

    Parameters
    ----------
    dim : int
        Width of h and h'.
    residual : bool, default True
        Which of the two.

    References
    ----------
    .. [1] Ying, He, Chen, Eksombatchai, Hamilton, Leskovec, "Graph convolutional neural networks for web-scale
       recommender systems", KDD 2018, algorithm 1.
    .. [2] He et al., "LightGCN: Simplifying and powering graph convolution network for recommendation", SIGIR 2020.
    """

    def __init__(self, dim: int, *, residual: bool = True) -> None:
        super().__init__(aggr="add")
        self.message_map = None if residual else nn.Linear(dim, dim)
        self.update_map = nn.Linear(2 * dim, dim)
        if residual:
            with torch.no_grad():
                self.update_map.weight.copy_(torch.cat([torch.zeros(dim, dim), _FIRST_SHARE * torch.eye(dim)], dim=1))
                self.update_map.bias.zero_()

    def forward(self, x: Tensor, edges: Tensor | Block, weights: Tensor | None = None) -> Tensor:
        """Return (n, dim).

        Parameters
        ----------
        x : Tensor
            (s, dim).
        edges : Block or Tensor
            The block of n items among s; or, as other convolutions of PyG take them, (2, m) int64 edges from column 0
            to column 1 between s items, of which all are pooled for (n = s).
        weights : Tensor, optional
            (m,) importances, with edges of a tensor; None makes each 1.
        """
        messages = self.messages(x)
        if isinstance(edges, Block):
            return self.updated(x[: len(edges.indptr) - 1], pooled(messages, edges))
        return self.updated(x, self.propagate(edges, x=messages, weights=weights))

    def message(self, x_j: Tensor, weights: Tensor | None) -> Tensor:
        """Return the messages along edges, (m, dim)."""
        return x_j if weights is None else weights[:, None] * x_j

    def messages(self, x: Tensor) -> Tensor:
        """Return what items (s, dim) say to those that pool them, (s, dim)."""
        return x if self.message_map is None else torch.relu(self.message_map(x))

    def updated(self, x: Tensor, neighbours: Tensor) -> Tensor:
        """Return the next layer (n, dim) of items ``x`` (n, dim) with their pooled ``neighbours`` (n, dim)."""
        # As two products, W [x || n] + w needs no copy of the two beside each other, and x itself is part of the first.
        dim, weight = x.shape[1], self.update_map.weight.T
        by_own, by_neighbours = weight[:dim], weight[dim:]
        if self.message_map is None:
            by_own = by_own + torch.eye(dim, device=x.device)
        z = torch.addmm(torch.addmm(self.update_map.bias, x, by_own), neighbours, by_neighbours)
        return z if self.message_map is None else normalize(torch.relu(z))


def pooled(messages: Tensor, block: Block) -> Tensor:
    """Return (n, dim): the weighted sums of ``messages`` (s, dim) over a block's neighbourhoods; zero for none."""
    sums: Tensor = _Pooling.apply(messages, block)  # type: ignore[no-untyped-call]
    return sums


class _Pooling(torch.autograd.Function):
    """A product with a sparse matrix and, for the gradient, with its transpose, both row by row.

    Nothing is added to one place from two sides, as torch's own gradient of an embedding bag does: quicker on a CPU,
    and the same bits every time on a GPU.
    """

    @staticmethod
    def forward(ctx: Any, messages: Tensor, block: Block) -> Tensor:
        """Return the sums over neighbourhoods."""
        ctx.block = block
        return weighted_sums(messages, block.indptr, block.neighbours, block.weights)

    @staticmethod
    def backward(ctx: Any, *by_sums: Tensor) -> tuple[Tensor, None]:
        """Return the gradient by messages."""
        block, (by,) = ctx.block, by_sums
        return weighted_sums(by.contiguous(), block.turned_indptr, block.poolers, block.turned_weights), None


def weighted_sums(vectors: Tensor, indptr: Places, rows: Places, weights: FloatArray) -> Tensor:
    """Return (n, dim): for each of n lists of ``rows`` of ``vectors`` (s, dim), their sum by ``weights``."""
    if not len(rows):
        return vectors.new_zeros(len(indptr) - 1, vectors.shape[1])
    device = vectors.device
    return embedding_bag(
        on(device, rows), vectors, on(device, indptr[:-1]), mode="sum", per_sample_weights=on(device, weights)
    )


class ItemTower(nn.Module):
    """What is known of items and who took them, then layers of importance pooling; as published, then two dense layers.

    Parameters
    ----------
    inputs : ItemInputs
        What is known of items.
    layers : int
        Of importance pooling, >= 0.
    residual : bool, default True
        Whether layers add to what they read (:class:`ImportanceConv`); else they are those of the paper, and so is what
        follows: G2 relu(G1 h + g).
    takers : NeighbourTable or None
        (n_items, n_users): weights by which an item's vector starts from the own vectors of those who took it, too.
    """

    def __init__(
        self,
        inputs: ItemInputs,
        layers: int,
        *,
        residual: bool = True,
        takers: NeighbourTable | None = None,
    ) -> None:
        super().__init__()
        dim = inputs.dim
        self.inputs, self.takers = inputs, takers
        self.convs = nn.ModuleList(ImportanceConv(dim, residual=residual) for _ in range(layers))
        dense = [nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim, bias=False)]
        self.dense = nn.Sequential() if residual else nn.Sequential(*dense)

    def forward(self, blocks: Sequence[Block], seeds: Rows, users: Tensor | None = None) -> Tensor:
        """Return (s, dim): the vectors of ``seeds`` (s,), which the blocks lead to, lowest layer first.

        ``users`` (n_users, dim) are the users' own vectors, where items read them.
        """
        nodes = blocks[0].nodes if blocks else seeds
        h = self._by_row(self.inputs, on(self.device, nodes), nodes)
        if users is not None and self.takers is not None:
            h = h + pooled(users, rows_of(self.takers, nodes))
        for conv, block in zip(self.layers(), blocks, strict=True):
            messages = self._by_row(conv.messages, h, block.nodes)
            n = len(block.indptr) - 1
            h = self._by_row(conv.updated, h[:n], block.nodes[:n], pooled(messages, block))
        return self._by_row(self.dense, h, seeds)

    @torch.no_grad()
    def embed(self, table: NeighbourTable, users: Tensor | None = None) -> Tensor:
        """Return (n_items, dim): the vectors of all items, layer by layer; the same as of their blocks, bit for bit.

        Each item is worked on once a layer, where blocks of batches work on it once for every item that is near it.
        Time O(layers (n_items dim^2 + m dim)); memory O(n_items dim).
        """
        everything = whole(table)
        vectors: Tensor = self([everything] * len(self.convs), everything.nodes, users)
        return vectors

    def layers(self) -> list[ImportanceConv]:
        """Return the layers of importance pooling, lowest first."""
        return [cast("ImportanceConv", conv) for conv in self.convs]

    @property
    def device(self) -> torch.device:
        """Where the tower is."""
        return next(self.parameters()).device

    def _by_row(self, work: Callable[..., Tensor], x: Tensor, rows: Rows, *more: Tensor) -> Tensor:
        return work(x, *more) if self.training else in_places(work, rows, x, *more)


def in_places(work: Callable[..., Tensor], rows: Rows, *columns: Tensor) -> Tensor:
    """Return ``work(*columns)`` for items ``rows`` (s,), such that an item's bits do not depend on the other items.

    BLAS rounds a row of a product by where it stands and how many rows there are. So each item is given a place that is
    its own, in groups of a fixed size; the groups that are needed are worked on, filled up with zeros.
    """
    groups, which = np.unique(rows // _PLACES, return_inverse=True)
    places = on(columns[0].device, which * _PLACES + rows % _PLACES)
    filled = [column.new_zeros(len(groups) * _PLACES, *column.shape[1:]) for column in columns]
    for full, column in zip(filled, columns, strict=True):
        full[places] = column
    starts = range(0, len(groups) * _PLACES, _PLACES)
    parts = [work(*(full[start : start + _PLACES] for full in filled)) for start in starts]
    return torch.cat(parts)[places]


class PinSageModel(nn.Module):
    """The towers of items and of users.

    A user is his own vector and the weighted sum of what the items of a history say; either part may be missing.
    """

    def __init__(self, items: ItemTower, n_users: int, *, own: bool, scale: float) -> None:
        super().__init__()
        dim = items.inputs.dim
        self.items = items
        self.saying = nn.Linear(dim, dim, bias=False)
        nn.init.eye_(self.saying.weight)
        self.own = nn.Embedding(n_users, dim) if own else None
        if self.own is not None:
            nn.init.normal_(self.own.weight, std=scale)

    def all_items(self, table: NeighbourTable) -> Tensor:
        """Return (n_items, dim): the vectors of all items, layer by layer; see :meth:`ItemTower.embed`."""
        return self.items.embed(table, None if self.own is None else self.own.weight)

    def vectors(self, blocks: Sequence[Block], seeds: Rows) -> Tensor:
        """Return (s, dim): the vectors of the items ``seeds`` (s,)."""
        vectors: Tensor = self.items(blocks, seeds, None if self.own is None else self.own.weight)
        return vectors

    def says(self, rows: Rows, items: Tensor) -> Tensor:
        """Return (s, dim): what the items ``rows`` (s,), whose vectors are ``items`` (s, dim), say in a history.

        A linear map of the learnt id; of the whole vector for items without. A history that is read by all that is
        known of its items is read by what they share, tags above all, which hides which items they were.
        """
        inputs = self.items.inputs
        if inputs.ids is not None:
            places = on(items.device, rows)
            seen: Tensor = inputs.seen[places]  # type: ignore[index]
            items = torch.where(seen > 0, inputs.own(places), items)
        said: Tensor = self.saying(items)
        return said

    def users(self, users: Rows, indptr: Rows, history: Rows, weights: FloatArray, says: Tensor) -> Tensor:
        """Return (b, dim): the vectors of ``users`` (b,) whose histories are positions among ``says`` (s, dim)."""
        lists = block_of(np.arange(len(says)), indptr, history, weights)
        sums = pooled(says, lists)
        return sums if self.own is None else sums + self.own(on(says.device, users))


def on(device: torch.device, array: np.ndarray) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True)
