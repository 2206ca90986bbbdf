"""Implicit ALS as revisited in 2021: items and users as factors, by least squares over all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from graphrec.channels.families import VectorSettings, history_half_life
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.index.sketch import AUDITED
from graphrec.recallers.fold_in import Dense, FoldIn, diagonal_basis, turn
from graphrec.recallers.query_encoder import HistoryEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.sparse.topk import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Als(VectorSettings):
    r"""Implicit ALS: the items whose vectors times the user's come nearest to 1 for what he took, and to 0 elsewhere.

    .. math:: L = \sum_{(u, i) \in S} w_{ui} (x_u \cdot y_i - 1)^2 + \alpha_0 \sum_{u, i} (x_u \cdot y_i)^2
              + \lambda \sum_u (c_u + \alpha_0 |I|)^\nu \|x_u\|^2 + \lambda \sum_i (c_i + \alpha_0 |U|)^\nu \|y_i\|^2

    S holds the pairs of a positive weight, c is a row's total weight in S, |I| and |U| count the items and users that
    have any. Users and items are solved for in turn. A short row is solved exactly, in a system as large as the row is
    long; a longer one is brought nearer to its solution, from where it stands, by ``steps`` of conjugate gradients.

    Users are served by folding in: the least squares of the history at hand, known or live, give the user's vector, as
    they do in training. A user without history gets an empty list. An item without events has no vector and is
    never returned. Items off the pool count in a history; the engine leaves them out of the answer.

    Parameters
    ----------
    dim : int, default 256
        Width of the vectors, >= 1. Wider is better for longer than one expects: on a validation part of Gowalla
        (Recall@20, 4 to 6 iterations) 64, 128, 256, 512 and 1024 give .170, .189, .209, .217 and .230.
    unobserved_weight : float, default 0.01
        alpha_0, > 0: weight of a pair that was not taken, beside 1 for a pair that was. The more items, the smaller.
    regularisation : float, default 0.003
        lambda, > 0.
    frequency_exponent : float, default 1.0
        nu, >= 0: 1 regularises each row by its share of the loss, 0 all rows alike.
    iterations : int, default 8
        Passes over users and items, >= 1.
    init_scale : float, default 0.1
        First item vectors are drawn with the standard deviation ``init_scale / sqrt(dim)``; > 0.
    steps : int, default 3
        Steps of conjugate gradients in rows of more than ``4 (steps + 1)`` or ``dim`` entries; 0 solves those exactly,
        too. More change little: on a validation part of Gowalla (dim 64, 15 iterations, seed 0) 2, 3 and 5 give
        Recall@20 .1622, .1622 and .1623.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
    .. [2] Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
       RecSys 2022, arXiv 2110.14037, eq. (2) and (4).
    .. [3] Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative
       filtering", RecSys 2011. Differs: in the basis in which the Gram matrix is diagonal, with it as preconditioner;
       short rows are solved exactly, which costs no more.
    """

    about: ClassVar[About] = About(
        recalls="implicit ALS; any history is folded in by least squares",
        artefact="vectors",
    )

    dim: int = count(256, least=1, search=choices(64, 128, 256, 512))
    unobserved_weight: float = number(0.01, above=0, search=floats(0.001, 1.0, log=True))
    regularisation: float = number(0.003, above=0, search=floats(0.0003, 0.1, log=True))
    frequency_exponent: float = number(1.0, search=floats(0.0, 1.0))
    iterations: int = count(8, least=1, search=ints(4, 16))
    init_scale: float = number(0.1, above=0)
    steps: int = count(3)
    half_life: float = history_half_life(0.0)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller:
        """Return the channel; the same for a seed whatever the number of our threads (BLAS has its own, used by eigh).

        For m pairs, an iteration takes O(m dim steps + (users + items) dim^2) time; with 0 steps, O(sum over rows of
        h * min(h, dim) * dim) instead of the former. Memory 4 (users + items) dim bytes twice, and the pairs twice.
        """
        taste = shared_taste(data, context, self.weight_exponent)
        rows = np.unique(taste.indices).astype(np.int32)
        taste = sp.csr_array(taste[np.diff(taste.indptr) > 0][:, rows])
        rng = np.random.default_rng(context.seed)
        items, fold_in = self._factorise(taste, rng)
        asking = taste[rng.permutation(taste.shape[0])[:AUDITED]]
        queries = fold_in.vectors(asking.indptr, asking.indices, asking.data, items)
        encoder = HistoryEncoder(rows, items, len(data.items), self.profile(), fold_in=fold_in)
        return VectorRecaller(
            encoder,
            items,
            self.build_index(items, "ip", context.seed, queries=queries),
            "because you {verb} {source}: users who {verb} the one tend to the other",
        )

    def _factorise(self, taste: sp.csr_array, rng: np.random.Generator) -> tuple[FloatArray, FoldIn]:
        """Return the item vectors (n_items, dim), their Gram matrix diagonal, and what folds a history in."""
        n_users, n_items = taste.shape
        items = rng.standard_normal((n_items, self.dim), dtype=np.float32)
        items *= np.float32(self.init_scale / np.sqrt(self.dim))
        users = np.zeros((n_users, self.dim), dtype=np.float32)
        turned = sp.csr_array(taste.T.tocsr())
        for iteration in range(self.iterations):
            items, users, _ = self.half_step(taste, items, users)
            if iteration == 0:  # items of the same users must come out alike, whatever each was drawn as
                items = np.zeros_like(items)
            users, items, _ = self.half_step(turned, users, items)
        basis, values = diagonal_basis(items)
        return turn(items, basis), self._fold_in(values, n_items)

    def half_step(
        self, taste: sp.csr_array, others: FloatArray, own: FloatArray
    ) -> tuple[FloatArray, FloatArray, FoldIn]:
        """Return others and own vectors, own solved for while the others stand still.

        Parameters
        ----------
        taste : scipy.sparse.csr_array
            (n, n_others) float32, entries > 0.
        others, own : ndarray
            (n_others, dim) and (n, dim) float32, in one basis.

        Returns
        -------
        others, own : ndarray
            In a basis in which the Gram matrix of ``others`` is diagonal.
        fold_in : FoldIn
            What was solved with.
        """
        basis, values = diagonal_basis(others)
        others, own = turn(others, basis), turn(own, basis)
        fold_in = self._fold_in(values, len(others))
        fold_in.improve(own, taste.indptr, taste.indices, taste.data, others, steps=self.steps)
        return others, own, fold_in

    def _fold_in(self, gram: Dense, n_others: int) -> FoldIn:
        weighted = (self.unobserved_weight * gram).astype(np.float32)
        background = self.unobserved_weight * n_others
        return FoldIn(weighted, self.regularisation, self.frequency_exponent, background)
