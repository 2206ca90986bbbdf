"""Semantic ids: what an item says as a short code whose prefixes are tags, so that items without events have some."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.content.tag import Tag
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number, text, texts
from graphrec.data.item_tags import ItemTags
from graphrec.data.neighbours import csr_table
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import MissingExtraError
from graphrec.models.content.of_texts import OfTexts
from graphrec.models.content.projection import Projection
from graphrec.models.content.text import Text
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.query_encoder import FloatArray

_ROUNDS = 30
_BETWEEN = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticIds(OfTexts, Tag):
    """Items that share the beginning of a history's semantic ids: buckets of what is described alike.

    An item's id has ``levels`` codes: the cluster of its text's vector by k-means, the cluster of what is left of the
    vector then, and so on. Each beginning of it ("7", "7.3", "7.3.12") is a tag, and the tags answer as those of
    :class:`graphrec.channels.content.tag.Tag` do. Items without events have an id as soon as they have a text.

    Parameters
    ----------
    columns, model, projection :
        As of :class:`graphrec.models.content.text.Text`.
    levels : int, default 3
        Codes of an id.
    codes : int, default 128
        Clusters of a level, at most.
    tags, list_length, lift, idf_exponent, length_exponent, popularity_exponent, cold_popularity, dislike, avoid :
        As of :class:`graphrec.channels.content.tag.Tag`, of prefixes of ids.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Rajput et al., "Recommender Systems with Generative Retrieval", NeurIPS 2023. Differs: residual k-means
       instead of an RQ-VAE, and prefixes are tags; no id is generated.
    """

    about: ClassVar[About] = About(
        recalls="items of the groups, broad and narrow, that a history's texts fall into",
        artefact="two neighbour tables",
        cold_items="recalled by their text",
        libraries=("tokenizers", "wordllama", "scikit-learn"),
    )

    columns: tuple[str, ...] = texts(legal="a list of columns of the items")
    model: str = text("wordllama", legal='"wordllama", "minilm" or the path of a folder', empty=False)
    projection: Projection = choice("ridge", Projection, searched=True)
    levels: int = count(3, least=1, most=8, unit="codes", search=ints(1, 4))
    codes: int = count(128, least=2, most=4096, unit="clusters", search=ints(8, 256, log=True))
    idf_exponent: float = number(3.0, search=floats(0.0, 6.0))
    popularity_exponent: float = number(0.0, search=floats(0.0, 1.2))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel. Time that of the texts, and O(n_items · codes · dim) a level and round of k-means.

        Raises
        ------
        ConfigError, DataError
            As :meth:`graphrec.models.content.text.Text.fit`.
        MissingExtraError
            If a library is not installed.
        """
        vectors = self._text().encoded(data, context)[1]
        ids = semantic_ids(vectors, levels=self.levels, codes=self.codes, seed=context.seed)
        return Tag.fit(self, replace(data, item_tags=prefixes(ids)), context)

    def _text(self) -> Text:
        return Text(columns=self.columns, model=self.model, projection=self.projection)


def semantic_ids(vectors: FloatArray, *, levels: int, codes: int, seed: int) -> npt.NDArray[np.int32]:
    """Return (n, levels) int32: the cluster of each vector (n, dim), of what is left of it, …; -1 of zero vectors.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    ids = np.full((len(vectors), levels), -1, dtype=np.int32)
    rows = np.flatnonzero(vectors.any(axis=1))
    left = vectors[rows]
    for level in range(levels if len(rows) else 0):
        ids[rows, level], centres = _clusters(left, codes, seed + level)
        left = left - centres[ids[rows, level]]
    return ids


def prefixes(ids: npt.NDArray[np.int32]) -> ItemTags:
    """Return each beginning of the ids (n, levels) as a tag; an item whose first code is -1 has none."""
    rows, names = np.flatnonzero(ids[:, 0] >= 0), []
    for row in rows:
        own = [str(code) for code in ids[row]]
        names.append([_BETWEEN.join(own[:length]) for length in range(1, len(own) + 1)])
    tags = Vocabulary(sorted({name for own in names for name in own}))
    columns = tags.rows([name for own in names for name in own])
    owners = np.repeat(rows, ids.shape[1])
    carried = sp.csr_array((np.ones(len(owners), dtype=np.float32), (owners, columns)), shape=(len(ids), len(tags)))
    return ItemTags(tags, csr_table(carried))


def _clusters(vectors: FloatArray, codes: int, seed: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Return the cluster of each vector (n,) and the centres (<= codes, dim)."""
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise MissingExtraError("semantic ids (scikit-learn)", extra="text") from error
    means = KMeans(min(codes, len(vectors)), n_init=1, max_iter=_ROUNDS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct vectors than clusters: some are empty then
        labels = means.fit_predict(vectors)
    return labels.astype(np.int32), means.cluster_centers_.astype(np.float32)
