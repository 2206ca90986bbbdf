"""A softmax over sampled negatives, shared and each user's own, and its gradient in one pass over the products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Score of what is left out: finite, for a user may have nothing else.
_NEVER = -1e4
# Users whose products with all shared negatives are held at a time.
_ROWS = 512


class Part(NamedTuple):
    """Some users in a row, and what is theirs.

    Parameters
    ----------
    users, pairs : slice
        The users, and their pairs.
    places : Tensor
        (m',) int64: where among these users the user of each of the pairs stands.
    products : Tensor
        (b', n): of these users with the shared negatives; what is left out is far below all else.
    """

    users: slice
    pairs: slice
    places: Tensor
    products: Tensor


def parts(anchors: Tensor, indptr: Tensor, shared: Tensor, masked: tuple[Tensor, Tensor]) -> Iterator[Part]:
    """Yield all users with their products, some at a time, so that the matrix of all products is never kept.

    ``anchors``, ``indptr``, ``shared`` and ``masked`` are as in :func:`sampled_softmax`.
    """
    device = anchors.device
    owners = torch.repeat_interleave(indptr.diff())
    order = torch.argsort(masked[0], stable=True)
    rows_masked, places_masked = masked[0][order], masked[1][order]
    for start in range(0, len(anchors), _ROWS):
        stop = min(start + _ROWS, len(anchors))
        users, pairs = slice(start, stop), slice(int(indptr[start]), int(indptr[stop]))
        products = anchors[users] @ shared.T
        bounds = torch.searchsorted(rows_masked, torch.tensor([start, stop], device=device))
        here = slice(int(bounds[0]), int(bounds[1]))
        products[rows_masked[here] - start, places_masked[here]] = _NEVER
        yield Part(users, pairs, owners[pairs] - start, products)


def sampled_softmax(
    anchors: Tensor,
    indptr: Tensor,
    positives: Tensor,
    shared: Tensor,
    shared_log_q: Tensor,
    masked: tuple[Tensor, Tensor],
    own: Tensor,
    own_log_q: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    r"""Return the mean over pairs of their losses, a scalar.

    .. math:: -\log \frac{e^{s(a, i)}}{e^{s(a, i)} + \sum_{j \in N_a} e^{s(a, j) - \log q_j}},
              \qquad s(a, i) = a \cdot i

    Scores are inner products: users of length 1 / temperature and items of length 1 make cosines of them. The positive
    keeps its score, for it is none of the draws.

    Parameters
    ----------
    anchors : Tensor
        (b, dim): the users.
    indptr, positives : Tensor
        (b + 1,) int64, and (m, dim): user i's positives are rows ``indptr[i]`` to ``indptr[i + 1]``.
    shared, shared_log_q : Tensor
        (n, dim) and (n,): negatives of all users.
    masked : (Tensor, Tensor)
        (h,) int64 each: pairs of user and shared negative that are left out.
    own, own_log_q : Tensor
        (b, r, dim) and (b, r): negatives of each user's own; where there is none its log_q is inf.
    weights : Tensor or None
        (m,) >= 0: what the loss of each pair is multiplied by; None is 1.

    Notes
    -----
    Time O(b * n * dim): a user meets the negatives once for all of his positives. Memory 4 * 512 * n bytes.
    """
    if not len(positives):
        return anchors.sum() * 0.0
    result: Tensor = _SampledSoftmax.apply(  # type: ignore[no-untyped-call]
        anchors, indptr, positives, shared, shared_log_q, masked, own, own_log_q, weights
    )
    return result


class _SampledSoftmax(torch.autograd.Function):
    """The gradient is made along with the loss, in parts of users: the matrix of products is never kept."""

    @staticmethod
    def forward(
        ctx: Any,
        anchors: Tensor,
        indptr: Tensor,
        positives: Tensor,
        shared: Tensor,
        shared_log_q: Tensor,
        masked: tuple[Tensor, Tensor],
        own: Tensor,
        own_log_q: Tensor,
        weights: Tensor | None,
    ) -> Tensor:
        """Return the mean loss."""
        by_anchors, by_positives = torch.zeros_like(anchors), torch.zeros_like(positives)
        by_shared, by_own = torch.zeros_like(shared), torch.zeros_like(own)
        total = anchors.new_zeros(())
        for part, pairs, places, products in parts(anchors, indptr, shared, masked):
            mine = anchors[part]
            products.sub_(shared_log_q)
            single = torch.einsum("bd,brd->br", mine, own[part]) - own_log_q[part]
            single = single.clamp_min(_NEVER)
            highest = products.new_full((len(mine),), _NEVER)
            for scored in (products, single):
                if scored.shape[1]:
                    highest = torch.maximum(highest, scored.amax(dim=1))
            products.sub_(highest[:, None]).exp_()
            single = (single - highest[:, None]).exp()
            sums = products.sum(dim=1) + single.sum(dim=1)
            lse = sums.log() + highest  # (b',)
            scores = (mine[places] * positives[pairs]).sum(dim=1)  # (m',)
            lost = torch.sigmoid(lse[places] - scores)  # how far each pair is from certain
            losses = torch.nn.functional.softplus(lse[places] - scores)
            if weights is not None:
                losses, lost = losses * weights[pairs], lost * weights[pairs]
            total += losses.sum()
            mass = torch.zeros_like(lse).index_add_(0, places, lost)
            scale = (mass / sums)[:, None]
            products *= scale
            single *= scale
            pulled = positives[pairs] * lost[:, None]
            by_anchors[part] = (products @ shared + torch.einsum("br,brd->bd", single, own[part])).index_add_(
                0, places, pulled, alpha=-1
            )
            by_shared.addmm_(products.T, mine)
            by_own[part] = single[:, :, None] * mine[:, None, :]
            by_positives[pairs] = -lost[:, None] * mine[places]
        ctx.save_for_backward(by_anchors, by_positives, by_shared, by_own)
        ctx.n_pairs = len(positives)
        return total / len(positives)

    @staticmethod
    def backward(ctx: Any, *by_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients by anchors, positives, shared and own negatives."""
        by = by_loss[0] / ctx.n_pairs
        by_anchors, by_positives, by_shared, by_own = (by * gradient for gradient in ctx.saved_tensors)
        return by_anchors, None, by_positives, by_shared, None, None, by_own, None, None
