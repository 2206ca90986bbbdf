"""Link prediction: where the true ends of held-out triples stand among all nodes, known triples left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from graphrec.models.kg_embeddings.kge_scores import TripleScorer
from graphrec.models.kg_embeddings.kge_triples import Triples, answers_of

# Triples ranked at a time, so that memory is this times the nodes.
_ROWS = 256


@dataclass(frozen=True, slots=True)
class LinkRanks:
    """Ranks of the true ends, and the two figures that are made of them.

    Parameters
    ----------
    ranks : ndarray
        (n,) float64 from 1; an end that ties with others stands in the middle of them.
    """

    ranks: npt.NDArray[np.float64]

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return float((1 / self.ranks).mean()) if len(self.ranks) else 0.0

    def hits(self, k: int) -> float:
        """Return the share of the ends among the first k."""
        return float((self.ranks <= k).mean()) if len(self.ranks) else 0.0


def filtered_ranks(
    scores: npt.NDArray[np.floating],
    answers: npt.NDArray[np.integer],
    known: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    r"""Return the ranks of true ends among candidates that are no other true ends.

    .. math:: 1 + |\{c : s_c > s_a\}| + |\{c \ne a : s_c = s_a\}| / 2

    Parameters
    ----------
    scores : ndarray
        (n, c) float.
    answers : ndarray
        (n,) int: the column of each true end.
    known : ndarray
        (n, c) bool: candidates that are true ends too; they are left out, the answer itself never.
    """
    own = np.arange(len(answers)), answers
    left = ~known
    left[own] = False
    score = scores[own][:, None]
    higher, equal = ((compare(scores, score) & left).sum(axis=1) for compare in (np.greater, np.equal))
    ranks: npt.NDArray[np.float64] = 1 + higher + equal / 2
    return ranks


@torch.no_grad()
def link_ranks(model: TripleScorer, test: Triples, known: Sequence[Triples], *, typed: bool = False) -> LinkRanks:
    """Return the filtered ranks of the tails of ``test``, then of its heads.

    Parameters
    ----------
    model : TripleScorer
        What was trained.
    test : Triples
        Whose ends are to be told, (m,).
    known : sequence of Triples
        All that is true besides: of training, and of other held-out parts.
    typed : bool, default False
        Whether only nodes of the true end's type compete; the literature lets all nodes compete.

    Returns
    -------
    LinkRanks
        (2 m,) ranks.
    """
    nodes = torch.arange(test.n_nodes, device=model.device)
    vectors, candidates = model.nodes(nodes), np.arange(test.n_nodes, dtype=np.int32)
    ranks = []
    for side, given, wanted in (("tails", test.heads, test.tails), ("heads", test.tails, test.heads)):
        answers = answers_of(test, *known, side=side)
        looks_for = model.tail_queries if side == "tails" else model.head_queries
        for start in range(0, len(test), _ROWS):
            rows = slice(start, start + _ROWS)
            relations = model.relations(torch.from_numpy(test.relations[rows]).to(model.device))
            queries = looks_for(vectors[torch.from_numpy(given[rows]).to(model.device).long()], relations)
            out = answers.among(given[rows], test.relations[rows], candidates)
            if typed:
                out |= test.types_of(candidates)[None, :] != test.types_of(wanted[rows])[:, None]
            scores = model.all_scores(queries, vectors).cpu().numpy()
            ranks.append(filtered_ranks(scores, wanted[rows], out))
    return LinkRanks(np.concatenate(ranks) if ranks else np.empty(0))
