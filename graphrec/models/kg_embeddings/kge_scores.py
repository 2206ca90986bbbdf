r"""Scores of triples by PyG's models, as products or distances of two vectors, so that many are made at once.

PyG's models hold the weights and score one triple after the other. Each of the four scores is a product or a negative
Euclidean distance of what a (node, relation) looks for and of what a node is, so that the scores of n pairs with all of
m nodes are one product of matrices, and an index of vectors can serve them:

=========== ============================================== ============================= =============================
model       score of (h, r, t)                             looks for a tail              looks for a head
=========== ============================================== ============================= =============================
"transe"    :math:`-\|\hat h + r - \hat t\|_p`             :math:`\hat h + r`            :math:`\hat t - r`
"distmult"  :math:`\sum_d h_d r_d t_d`                     :math:`h \circ r`             :math:`t \circ r`
"complex"   :math:`\Re \sum_d h_d r_d \bar t_d`            :math:`h \circ r`             :math:`t \circ \bar r`
"rotate"    :math:`-\|h \circ e^{i r} - t\|_2`             :math:`h \circ e^{i r}`       :math:`t \circ e^{-i r}`
=========== ============================================== ============================= =============================

with :math:`\hat h = h / \|h\|_2`, and p 2 or 1: TransE by the sum of absolute differences tells relations apart much
better, and no index of products can serve it. Complex vectors are their real parts followed by their imaginary parts.

References
----------
.. [1] Bordes et al., "Translating embeddings for modeling multi-relational data", NeurIPS 2013. Differs: heads and
   tails have length 1 in every score, as PyG has it; of p = 1, too, where PyG makes their sums of absolute values 1.
.. [2] Yang, Yih, He, Gao, Deng, "Embedding entities and relations for learning and inference in knowledge bases",
   ICLR 2015.
.. [3] Trouillon, Welbl, Riedel, Gaussier, Bouchard, "Complex embeddings for simple link prediction", ICML 2016.
.. [4] Sun, Deng, Nie, Tang, "RotatE: knowledge graph embedding by relational rotation in complex space", ICLR 2019.
   Differs: the norm is of the whole complex vector, as PyG has it, and there is no margin to add.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that everybody gives it
from torch_geometric.nn import kge  # type: ignore[import-untyped]

from graphrec.errors import ConfigError

ModelName = Literal["transe", "distmult", "complex", "rotate"]
# Of squared distances: keeps the gradient of their root finite.
_TINY = 1e-12


class TripleScorer(nn.Module):
    """A model of PyG and its scores in parts.

    Parameters
    ----------
    name : {"transe", "distmult", "complex", "rotate"}
        Which model.
    n_nodes, n_relations : int
        Sizes.
    dim : int
        Width of a node's vector; of complex vectors, parts of both kinds together, so that it must be even.
    norm : {2, 1}
        Which distance TransE scores by; the other models have no choice.

    Raises
    ------
    ConfigError
        If ``dim`` is odd and the model complex, or ``norm`` is not 2 and the model not TransE, or neither 2 nor 1.
    """

    def __init__(self, name: ModelName, n_nodes: int, n_relations: int, dim: int, *, norm: int = 2) -> None:
        super().__init__()
        self.name, self.norm = name, norm
        self.is_complex = name in ("complex", "rotate")
        self.is_distance = name in ("transe", "rotate")
        check_width(name, dim)
        if norm not in ((1, 2) if name == "transe" else (2,)):
            raise ConfigError(f"norm is {norm} for {name}; transe has the norms 1 and 2, the other models 2")
        make: Any = {"transe": kge.TransE, "distmult": kge.DistMult, "complex": kge.ComplEx, "rotate": kge.RotatE}[name]
        settings = {"transe": {"p_norm": float(norm)}, "rotate": {"margin": 0.0}}.get(name, {})
        self.model = make(n_nodes, n_relations, dim // 2 if self.is_complex else dim, **settings)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.node_emb.weight.device
        return device

    def nodes(self, nodes: Tensor) -> Tensor:
        """Return what nodes (n,) are: (n, dim)."""
        vectors: Tensor = self.model.node_emb(nodes)
        if self.is_complex:
            return torch.cat([vectors, self.model.node_emb_im(nodes)], dim=-1)
        return F.normalize(vectors, dim=-1) if self.name == "transe" else vectors

    def relations(self, relations: Tensor) -> Tensor:
        """Return the vectors of relations (n,) as the scores use them: (n, dim)."""
        vectors: Tensor = self.model.rel_emb(relations)
        if self.name == "rotate":
            return torch.cat([torch.cos(vectors), torch.sin(vectors)], dim=-1)
        return torch.cat([vectors, self.model.rel_emb_im(relations)], dim=-1) if self.is_complex else vectors

    def tail_queries(self, heads: Tensor, relations: Tensor) -> Tensor:
        """Return what is looked for as a tail, (n, dim), from vectors of heads and relations (n, dim)."""
        if self.is_complex:
            return _complex_product(heads, relations)
        return heads + relations if self.name == "transe" else heads * relations

    def head_queries(self, tails: Tensor, relations: Tensor) -> Tensor:
        """Return what is looked for as a head, (n, dim), from vectors of tails and relations (n, dim)."""
        if self.is_complex:
            real, imaginary = relations.chunk(2, dim=-1)
            return _complex_product(tails, torch.cat([real, -imaginary], dim=-1))
        return tails - relations if self.name == "transe" else tails * relations

    def all_scores(self, queries: Tensor, candidates: Tensor) -> Tensor:
        """Return the scores (n, c) of ``queries`` (n, dim) with all ``candidates`` (c, dim)."""
        if self.norm == 1:
            return -torch.cdist(queries, candidates, p=1.0)
        products = queries @ candidates.T
        if not self.is_distance:
            return products
        squares = queries.square().sum(-1)[:, None] + candidates.square().sum(-1)[None, :] - 2 * products
        return -squares.clamp_min(_TINY).sqrt()

    def pair_scores(self, queries: Tensor, candidates: Tensor) -> Tensor:
        """Return the scores (n,) of ``queries`` (n, dim), each with its own candidate (n, dim)."""
        if not self.is_distance:
            return (queries * candidates).sum(-1)
        if self.norm == 1:
            return -(queries - candidates).abs().sum(-1)
        return -(queries - candidates).square().sum(-1).clamp_min(_TINY).sqrt()


def check_width(name: ModelName, dim: int) -> None:
    """Raise ConfigError where a complex model is to have an odd number of parts."""
    if name in ("complex", "rotate") and dim % 2:
        raise ConfigError(f"dim is {dim}; vectors of {name} have as many real as imaginary parts, so make it even")


def _complex_product(left: Tensor, right: Tensor) -> Tensor:
    """Return the products of complex vectors, part by part."""
    real, imaginary = left.chunk(2, dim=-1)
    other_real, other_imaginary = right.chunk(2, dim=-1)
    return torch.cat(
        [real * other_real - imaginary * other_imaginary, real * other_imaginary + imaginary * other_real], dim=-1
    )
