"""Towers: what makes vectors of users and of items, trained apart from how negatives are drawn and served."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, relu

from graphrec.models.deep.inputs import FieldInputs


class Towers(nn.Module, ABC):
    """Users and items as vectors of one width, compared by product. All rows are int64.

    A user's vector is the sum of a part of his own and of what the items of his history say, weighted, and what
    :meth:`finish` makes of that. Where it makes nothing he is served from his own part and any history, known or live,
    without this model.
    """

    items_in: FieldInputs
    users_in: FieldInputs | None
    finishing: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.finishing = nn.Identity()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @abstractmethod
    def items(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return for the items ``rows`` (s,) their vectors, and what they say in a history, (s, width) each."""

    @abstractmethod
    def own(self, rows: Tensor) -> Tensor:
        """Return (b, width): the own parts of users ``rows`` (b,)."""

    @property
    def width(self) -> int:
        """Of the vectors."""
        return self.items_in.dim

    def finish(self, summed: Tensor) -> Tensor:
        """Return the vectors (b, width) of users whose parts are summed up."""
        vectors: Tensor = self.finishing(summed)
        return vectors

    def users(self, rows: Tensor, indptr: Tensor, places: Tensor, weights: Tensor, says: Tensor) -> Tensor:
        """Return (b, width) vectors of users.

        ``indptr`` (b + 1,), ``places`` (h,) among the rows of ``says`` (s, width), and ``weights`` (h,) are what is
        read of their histories.
        """
        own = self.own(rows)
        if len(places):
            own = own + embedding_bag(places, says, indptr[:-1], mode="sum", per_sample_weights=weights)
        return self.finish(own)

    def biases(self) -> Iterator[nn.Parameter]:
        """Yield the weights that say how often things are taken: no penalty draws them to 0, and they learn slowly."""
        yield from ()

    def stranger(self) -> npt.NDArray[np.float32]:
        """Return (width,) float32: the own part of a user of whom nothing but a history is known."""
        return np.zeros(0, dtype=np.float32)


class Residual(nn.Module):
    r"""A hidden layer that adds to what it reads: :math:`x + W_2 \, \mathrm{relu}(W_1 x)`; W_2 is 0 at first."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reading, self.adding = nn.Linear(dim, dim), nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.adding.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, dim)."""
        added: Tensor = self.adding(relu(self.reading(x)))
        return x + added


class TwoTowers(Towers):
    r"""Sums of fields: item :math:`v_i = T(x_i)`, user :math:`u = x_u + \sum_{j \in H_u} w_j H x_j`.

    x is the sum of what is known (:class:`graphrec.models.deep.inputs.FieldInputs`). T is
    ``layers`` hidden layers (:class:`Residual`), and so is what ends the user's sum. H is a linear map, the identity at
    first.
    """

    def __init__(
        self, items_in: FieldInputs, users_in: FieldInputs | None, *, layers: int = 0, user_layers: int = 0
    ) -> None:
        super().__init__()
        dim = items_in.dim
        self.items_in, self.users_in = items_in, users_in
        self.saying = nn.Linear(dim, dim, bias=False)
        self.layers, self.finishing = (nn.Sequential(*(Residual(dim) for _ in range(n))) for n in (layers, user_layers))
        with torch.no_grad():
            nn.init.eye_(self.saying.weight)

    def items(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the items' vectors, and what they say."""
        x = self.items_in(rows)
        says = self.saying(x)
        return self.layers(x), says

    def own(self, rows: Tensor) -> Tensor:
        """Return the users' own parts; zeros without ids and features of users."""
        if self.users_in is None:
            return torch.zeros((len(rows), self.items_in.dim), device=rows.device)
        part: Tensor = self.users_in(rows)
        return part
