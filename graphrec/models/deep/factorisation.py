"""Factorisation machines as towers: their scores split into an item's part and a product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.towers import Towers

_SCALE = 0.1


class Machine(Towers):
    """What both machines share: linear weights of the item's fields, and vectors of the items of a history.

    Parameters
    ----------
    items_in, users_in, linear : FieldInputs
        Fields of items and of users; weights of the items' fields, of width 1.
    events : ndarray
        (n_items,) of training, as :func:`graphrec.models.deep.item_popularity.coming_events` counts them. An item's own
        weight begins at the log of one more than these, which is what a softmax over all items makes of it where
        nothing is known of anybody.
    width : int
        Of what an item says in a history.
    own_rate : float
        The share of the gradient of an item's own number that reaches its fields' vectors by the pairs among them.
        Those move in all dimensions at once, and would carry how often an item is taken far beyond the linear weights,
        which learn slowly for that reason.
    """

    users_in: FieldInputs

    def __init__(
        self,
        items_in: FieldInputs,
        users_in: FieldInputs,
        linear: FieldInputs,
        *,
        events: npt.NDArray[np.float64],
        width: int,
        own_rate: float,
    ) -> None:
        super().__init__()
        self.items_in, self.users_in, self.linear, self.own_rate = items_in, users_in, linear, own_rate
        self.said = nn.Embedding(items_in.n, width)
        with torch.no_grad():
            self.said.weight.normal_(std=_SCALE)
            for weight in self.linear.parameters():
                weight.zero_()
            if self.linear.ids is not None:
                self.linear.ids.weight[:, 0] = torch.from_numpy(np.log1p(events))

    def biases(self) -> Iterator[nn.Parameter]:
        """Yield the linear weights: of a large catalogue a penalty would leave nothing of them."""
        yield from self.linear.parameters()

    def stranger(self) -> npt.NDArray[np.float32]:
        """Return (width,): 1 against the item's part, for it counts whoever the user is, with a history or without."""
        width = self.items(torch.zeros(0, dtype=torch.int64, device=self.device))[0].shape[1]
        part = np.zeros(width, dtype=np.float32)
        part[-1] = 1
        return part


class FMTowers(Machine):
    r"""Item :math:`(V, b_i)`, user :math:`(U, 1)`: :class:`graphrec.models.deep.fm.FM` has the formulas."""

    def __init__(
        self,
        items_in: FieldInputs,
        users_in: FieldInputs,
        linear: FieldInputs,
        *,
        events: npt.NDArray[np.float64],
        own_rate: float,
    ) -> None:
        super().__init__(items_in, users_in, linear, events=events, width=items_in.dim, own_rate=own_rate)

    def items(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (s, dim + 1) vectors, and what they say."""
        fields = self.items_in.fields(rows)  # (s, fields, dim)
        total = fields.sum(dim=1)
        pairs = (total.square().sum(dim=1) - fields.square().sum(dim=(1, 2))) / 2
        part = self.linear(rows)[:, 0] + _slowly(pairs, self.own_rate)
        return torch.cat([total, part[:, None]], dim=1), _with(self.said(rows), 0.0)

    def own(self, rows: Tensor) -> Tensor:
        """Return (b, dim + 1) own parts."""
        return _with(self.users_in(rows), 1.0)


class FFMTowers(Machine):
    r"""Field-aware vectors, concatenated by pairs of fields: :class:`graphrec.models.deep.ffm.FFM` has the formulas.

    A field of a user has a vector of ``dim`` for each of the item's F fields, one of an item for each of the user's G
    (the last is his history) and for each of the item's F.
    """

    def __init__(
        self,
        items_in: FieldInputs,
        users_in: FieldInputs,
        linear: FieldInputs,
        *,
        events: npt.NDArray[np.float64],
        dim: int,
        own_rate: float,
    ) -> None:
        super().__init__(items_in, users_in, linear, events=events, width=users_in.dim, own_rate=own_rate)
        self.dim, self.n_item_fields, self.n_user_fields = dim, items_in.n_fields, users_in.n_fields + 1

    def items(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (s, G * F * dim + 1) vectors, and what they say."""
        s, f, g = len(rows), self.n_item_fields, self.n_user_fields
        fields = self.items_in.fields(rows).reshape(s, f, g + f, self.dim)
        across = fields[:, :, :g].transpose(1, 2)  # (s, G, F, dim)
        inner = fields[:, :, g:]  # (s, F, F, dim): of each field, towards each other
        products = (inner * inner.transpose(1, 2)).sum(dim=3)  # (s, F, F)
        pairs = (products.sum(dim=(1, 2)) - products.diagonal(dim1=1, dim2=2).sum(dim=1)) / 2
        part = self.linear(rows)[:, 0] + _slowly(pairs, self.own_rate)
        said = torch.cat([torch.zeros((s, (g - 1) * f * self.dim), device=rows.device), self.said(rows)], dim=1)
        return torch.cat([across.reshape(s, g * f * self.dim), part[:, None]], dim=1), _with(said, 0.0)

    def own(self, rows: Tensor) -> Tensor:
        """Return (b, G * F * dim + 1) own parts; zeros where the history's block is."""
        width = self.n_item_fields * self.dim
        fields = self.users_in.fields(rows).reshape(len(rows), (self.n_user_fields - 1) * width)
        history = torch.zeros((len(rows), width), device=rows.device)
        return _with(torch.cat([fields, history], dim=1), 1.0)


def _slowly(values: Tensor, rate: float) -> Tensor:
    """Return the values, of whose gradient a share of ``rate`` goes back."""
    return rate * values + (1 - rate) * values.detach()


def _with(vectors: Tensor, last: float) -> Tensor:
    """Return vectors with one more dimension."""
    return torch.cat([vectors, vectors.new_full((len(vectors), 1), last)], dim=1)
