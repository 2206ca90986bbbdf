"""Embeddings of a knowledge graph as a task of the training loop: batches, loss, and what was learnt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from graphrec.contracts.progress import State
from graphrec.errors import ConfigError
from graphrec.models.kg_embeddings.kge_scores import ModelName, TripleScorer
from graphrec.models.kg_embeddings.kge_triples import Answers, Rows, TripleBatches, Triples, answers_of
from graphrec.models.training.loop import Batch, Task, seeded


class KgeTask(Task):
    r"""One fit of TransE, DistMult, ComplEx or RotatE.

    .. math:: \sum_{(h, r, t)} \Big(-\log \frac{e^{s(h, r, t) / \tau}}{e^{s(h, r, t) / \tau}
              + \sum_{t' \in N} e^{s(h, r, t') / \tau}}\Big) + \text{the same for heads}
              + \frac{\lambda}{2} (\|h\|^2 + \|r\|^2 + \|t\|^2)

    N are nodes of the right type that the batch shares, without those that complete a triple of the data.

    Parameters
    ----------
    triples : Triples
        To learn from.
    model : {"transe", "distmult", "complex", "rotate"}
        How a triple is scored.
    dim, batch, negatives : int
        Width of the vectors, triples of a batch, and nodes of N.
    temperature, regularisation : float
        :math:`\tau`, > 0, and :math:`\lambda`, >= 0.
    seed : int
        Of the first weights.
    norm : {2, 1}
        As in :class:`graphrec.models.kg_embeddings.kge_scores.TripleScorer`.

    References
    ----------
    .. [1] Ruffinelli, Broscheit, Gemulla, "You CAN teach an old dog new tricks! On training knowledge graph
       embeddings", ICLR 2020: the softmax. Differs: negatives are shared by a batch.
    """

    def __init__(
        self,
        triples: Triples,
        model: ModelName,
        *,
        dim: int,
        batch: int,
        negatives: int,
        temperature: float,
        regularisation: float,
        seed: int,
        norm: int = 2,
    ) -> None:
        self._triples, self._temperature, self._regularisation = triples, temperature, regularisation
        self._batches = TripleBatches(triples, batch, negatives)
        self._tails, self._heads = (answers_of(triples, side=side) for side in ("tails", "heads"))
        with seeded(seed):
            self.model: TripleScorer = TripleScorer(model, triples.n_nodes, triples.n_relations, dim, norm=norm)

    @property
    def n_batches(self) -> int:
        """Batches of an epoch; none where there are no triples."""
        return len(self._batches)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:  # noqa: ARG002 - all epochs are alike
        """Yield all triples once, with the negatives of each batch."""
        for drawn in self._batches.epoch(rng):
            yield Batch({"rows": drawn.rows}, {"heads": drawn.other_heads, "tails": drawn.other_tails})

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - negatives came with the batch
        """Return the mean over the triples of their losses on either side."""
        rows, model = batch.examples["rows"], self.model
        columns = self._triples.heads[rows], self._triples.relations[rows], self._triples.tails[rows]
        heads, tails = (model.nodes(_on(model, column)) for column in columns[::2])
        relations = model.relations(_on(model, columns[1]))
        loss = self._side(self._tails, columns[:2], model.tail_queries(heads, relations), tails, batch.shared["tails"])
        loss = loss + self._side(
            self._heads, columns[:0:-1], model.head_queries(tails, relations), heads, batch.shared["heads"]
        )
        if self._regularisation:
            squares = sum(vectors.square().sum(-1).mean() for vectors in (heads, relations, tails))
            loss = loss + self._regularisation / 2 * squares
        return loss

    def _side(
        self,
        answers: Answers,
        pairs: tuple[Rows, ...],
        queries: Tensor,
        positives: Tensor,
        others: Rows,
    ) -> Tensor:
        """Return the mean softmax loss of one side: ``positives`` (n, dim) against the nodes ``others`` (c,)."""
        model = self.model
        known = torch.from_numpy(answers.among(pairs[0], pairs[1], others)).to(model.device)
        against = model.all_scores(queries, model.nodes(_on(model, others))).masked_fill(known, -torch.inf)
        scores = torch.cat([model.pair_scores(queries, positives)[:, None], against], dim=1) / self._temperature
        return (torch.logsumexp(scores, dim=1) - scores[:, 0]).mean()

    @torch.no_grad()
    def learnt(self) -> State:
        """Return what is learnt by now: ``nodes`` (n_nodes, dim) and ``relations`` (n_relations, dim) float32."""
        model = self.model
        nodes = model.nodes(torch.arange(self._triples.n_nodes, device=model.device))
        relations = model.relations(torch.arange(self._triples.n_relations, device=model.device))
        return {"nodes": nodes.cpu().numpy(), "relations": relations.cpu().numpy()}

    @torch.no_grad()
    def served(self, relation: int, known: npt.NDArray[np.bool_]) -> State:
        """Return what serves the tails of a relation by products; zero for nodes that are not ``known`` (n_nodes,).

        ``nodes`` (n_nodes, dim): their vectors. ``candidates`` (n_nodes, w): what a tail is searched by. ``queries``
        (n_nodes, w): what a head looks for. ``returns`` (n_nodes, w): what the head that a tail looks for looks for,
        which is what the tail says of a head that was not trained. w is dim, and a part more for distances.

        Raises
        ------
        ConfigError
            If distances are of norm 1, which are no products.
        """
        if self.model.norm != 2:
            raise ConfigError(f"norm is {self.model.norm}; only distances of norm 2 are served as products of vectors")
        model, mask = self.model, torch.from_numpy(known)
        nodes = model.nodes(torch.arange(self._triples.n_nodes, device=model.device))
        nodes = nodes * mask.to(nodes)[:, None]
        vector = model.relations(torch.tensor([relation], device=model.device)).expand_as(nodes)
        looks = {
            "queries": model.tail_queries(nodes, vector),
            "returns": model.tail_queries(model.head_queries(nodes, vector), vector),
        }
        parts = {"nodes": nodes, "candidates": nodes, **looks}
        if model.is_distance:
            parts |= {name: searched_by(part, queries=True) for name, part in looks.items()}
            parts["candidates"] = searched_by(nodes, queries=False)
        return {name: (part * mask.to(part)[:, None]).cpu().numpy() for name, part in parts.items()}


def searched_by(vectors: Tensor, *, queries: bool) -> Tensor:
    r"""Return vectors (n, dim + 1) whose products are in the order of distances: smaller ones score higher.

    .. math:: [q, 1] \cdot [t, -\|t\|^2 / 2] = (\|q\|^2 - \|q - t\|^2) / 2
    """
    last = torch.ones(len(vectors), 1) if queries else -vectors.square().sum(-1, keepdim=True) / 2
    return torch.cat([vectors, last.to(vectors)], dim=1)


def _on(model: TripleScorer, rows: Rows) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).to(model.device)
