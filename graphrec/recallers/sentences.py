"""Vectors of sentences by a tokenizer and a table of token vectors, or an ONNX graph; no torch, no network."""

from __future__ import annotations

import json
import threading
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_finite
from graphrec.data import files
from graphrec.errors import BundleError, ConfigError, DataError, MissingExtraError, first_line
from graphrec.recallers.onnx_tower import OnnxTower

FloatArray = npt.NDArray[np.float32]
Pooling = Literal["mean", "cls"]

# Characters looked at for each token that is read: long texts are cut before the tokenizer sees them.
_CHARACTERS_A_TOKEN = 16
# Texts whose token vectors are gathered at a time, and texts an ONNX graph gets at a time.
_CHUNK, _BATCH = 1024, 32
_FOLDER, _ABOUT, _TOKENIZER, _GRAPH = "sentences", "sentences.json", "tokenizer.json", "model.onnx"
# What stands for control characters, lone surrogates, unassigned and private code points; and for marks of no width.
_SILENT = {"Cc": " ", "Cs": " ", "Cn": " ", "Co": " ", "Cf": ""}


def plain_text(text: str, max_characters: int) -> str:
    r"""Return a text without control characters, in Unicode NFKC, its white space single, cut to ``max_characters``.

    >>> plain_text("The\x00  Hobbit\n", 100)
    'The Hobbit'
    """
    # NFKC makes at most 18 characters of one; what is cut afterwards is bounded by what is cut before.
    normal = unicodedata.normalize("NFKC", text[:max_characters])
    said = "".join(_SILENT.get(unicodedata.category(c), c) for c in normal)
    return " ".join(said.split())[:max_characters].rstrip()


@dataclass(frozen=True, slots=True, eq=False)
class TokenTable:
    """Vectors of tokens, and how much each token counts in a sentence.

    Parameters
    ----------
    matrix : ndarray
        (v, dim) float16 or float32.
    weights : ndarray
        (v,) float32 of 0 or more; a token that weighs 0 says nothing.

    Raises
    ------
    DataError
        If shapes disagree, or a value is not finite or a weight negative.
    """

    matrix: npt.NDArray[np.float16 | np.float32]
    weights: FloatArray

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.weights.shape != self.matrix.shape[:1]:
            raise DataError(f"token vectors {self.matrix.shape} and weights {self.weights.shape} do not fit each other")
        check_finite(self.weights, name="token weights")
        if (self.weights < 0).any():
            raise DataError("a token weighs less than 0; weights are 0 or more")

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.matrix.shape[1])

    def sums(self, ids: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> FloatArray:
        """Return (n, dim): the weighted sum of each text's tokens; ``ids`` (m,) stand one text after the other."""
        sums = np.zeros((len(lengths), self.dim), dtype=np.float32)
        filled = np.flatnonzero(lengths)
        if len(filled):
            vectors = self.matrix[ids].astype(np.float32) * self.weights[ids, None]  # (m, dim)
            starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
            sums[filled] = np.add.reduceat(vectors, starts, axis=0)
        return sums


@dataclass(frozen=True, slots=True, eq=False)
class TokenGraph:
    """An ONNX graph of tokens, such as a sentence-transformers model, and how its output becomes a vector.

    Parameters
    ----------
    content : bytes
        The file; its inputs are ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``, its one output (n, t,
        dim) vectors of tokens or (n, dim) of sentences.
    pooling : {"mean", "cls"}
        Over the tokens of a text: their mean, or the first one's vector.
    """

    content: bytes
    pooling: Pooling = "mean"


class SentenceEncoder:
    r"""Vectors of sentences, of length 1.

    .. math:: v = \frac{x - C^\top C x}{\lVert x - C^\top C x \rVert}, \qquad x = \frac{s}{\lVert s \rVert}

    where s is the weighted sum of the tokens' vectors (:class:`TokenTable`) or what an ONNX graph makes of the tokens
    (:class:`TokenGraph`), and the rows of C are directions that all sentences share.

    Safe to use from several threads; each call computes on one. The tokenizer and the graph are made when the first
    sentence comes.

    Parameters
    ----------
    tokenizer : str
        What a ``tokenizer.json`` of the library tokenizers holds.
    model : TokenTable or TokenGraph
        What makes vectors of tokens.
    shared : ndarray or None
        C, (c, dim) float32, orthonormal rows.
    max_tokens : int, default 512
        Tokens of a text that count, its first; of so many times 16 characters.
    projection : ndarray or None
        (dim, e) float32: what the vectors are multiplied by in the end, before they are made to length 1.

    Raises
    ------
    DataError
        If the projection is not as high as the vectors of a table are wide.
    """

    def __init__(
        self,
        tokenizer: str,
        model: TokenTable | TokenGraph,
        *,
        shared: FloatArray | None = None,
        max_tokens: int = 512,
        projection: FloatArray | None = None,
    ) -> None:
        self.tokenizer, self.model, self.shared, self.max_tokens = tokenizer, model, shared, max_tokens
        self.projection = projection
        if projection is not None and isinstance(model, TokenTable) and len(projection) != model.dim:
            raise DataError(
                f"a projection {projection.shape} and token vectors {model.matrix.shape} do not fit each other"
            )
        self._lock = threading.Lock()
        self._ready: tuple[Any, OnnxTower | None] | None = None

    def vectors(self, texts: Sequence[str | None]) -> FloatArray:
        """Return (n, dim) float32 of length 1; zero for a text of which nothing is read.

        Raises
        ------
        MissingExtraError
            If the library tokenizers, or onnxruntime where a graph is asked, is not installed.
        BundleError
            If the tokenizer or the graph cannot be used.
        """
        return self.finished(self.raw_vectors(texts))

    def finished(self, raw: FloatArray) -> FloatArray:
        """Return the vectors (n, dim) of what :meth:`raw_vectors` gave: without shared directions, projected."""
        kept = raw if self.shared is None else raw - (raw @ self.shared.T) @ self.shared
        if self.projection is None:
            return unit_rows(np.asarray(kept, dtype=np.float32))
        if kept.shape[1] != len(self.projection):
            takes = len(self.projection)
            raise BundleError(f"the graph makes {kept.shape[1]} numbers of a text; its projection takes {takes}")
        return unit_rows(np.asarray(kept @ self.projection, dtype=np.float32))

    def without(self, shared: FloatArray | None) -> Self:
        """Return the encoder that leaves out these directions instead."""
        return type(self)(
            self.tokenizer, self.model, shared=shared, max_tokens=self.max_tokens, projection=self.projection
        )

    def projected(self, learnt: FloatArray, *, onto: FloatArray | None = None) -> Self:
        """Return the encoder of learnt vectors, without shared directions.

        Parameters
        ----------
        learnt : ndarray
            float32. Of a table (n_tokens, e): the tokens' vectors, which count by the square of their weight. Of a
            graph (dim, e): what its vectors are multiplied by.
        onto : ndarray or None
            (e, dim) float32: what all vectors are multiplied by in the end.
        """
        if isinstance(self.model, TokenTable):
            table = TokenTable(learnt, np.square(self.model.weights))
            return type(self)(self.tokenizer, table, projection=onto, max_tokens=self.max_tokens)
        both = learnt if onto is None else learnt @ onto
        return type(self)(self.tokenizer, self.model, projection=both, max_tokens=self.max_tokens)

    def raw_vectors(self, texts: Sequence[str | None]) -> FloatArray:
        """Return the x of the sentences, (n, dim): of length 1, or zero; before shared directions are left out."""
        parts = [self._sums(part) for part in _parts(texts, _CHUNK)]
        return unit_rows(np.concatenate(parts)) if parts else np.zeros((0, self._raw_dim()), dtype=np.float32)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return self._raw_dim() if self.projection is None else int(self.projection.shape[1])

    def _raw_dim(self) -> int:
        if isinstance(self.model, TokenTable):
            return self.model.dim
        return int(self._pooled([[0]]).shape[1])

    def token_ids(self, texts: Sequence[str | None]) -> list[list[int]]:
        """Return the ids of each text's first ``max_tokens`` tokens; none for None and for texts that say nothing."""
        tokenizer, most = self._parsed()[0], self.max_tokens * _CHARACTERS_A_TOKEN
        marks = isinstance(self.model, TokenGraph)  # [CLS] and [SEP], which say nothing in a table
        plain = ["" if text is None else plain_text(text, most) for text in texts]
        try:
            # One by one: a batch would take every core of the machine.
            return [tokenizer.encode(text, add_special_tokens=marks).ids if text else [] for text in plain]
        # tokenizers raises Exception itself.
        except Exception as error:
            raise BundleError(f"the tokenizer cannot read a text: {first_line(error)}") from error

    def _sums(self, texts: Sequence[str | None]) -> FloatArray:
        ids = self.token_ids(texts)
        if isinstance(self.model, TokenGraph):
            return self._graph_sums(ids)
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter((token for own in ids for token in own), dtype=np.int64, count=int(lengths.sum()))
        if flat.size and int(flat.max()) >= len(self.model.matrix):
            raise BundleError(f"the tokenizer has a token {flat.max()}; the table has {len(self.model.matrix)} rows")
        return self.model.sums(flat, lengths)

    def _graph_sums(self, ids: Sequence[Sequence[int]]) -> FloatArray:
        """Return what the graph makes of the texts, those of like length together so that little is padded."""
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        sums = np.zeros((len(ids), self._raw_dim()), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            sums[batch] = self._pooled([ids[row] for row in batch])
        return sums

    def _pooled(self, ids: Sequence[Sequence[int]]) -> FloatArray:
        """Return (n, dim): a vector for each text of one token or more."""
        tower = self._graph()
        tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
        for row, own in enumerate(ids):
            tokens[row, : len(own)] = own
        mask = (np.arange(tokens.shape[1]) < np.array([len(own) for own in ids])[:, None]).astype(np.int64)
        given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        if unknown := sorted(set(tower.inputs) - set(given)):
            raise BundleError(f"the ONNX graph asks for {unknown}; graphs of sentences take {', '.join(given)}")
        made = tower(given)  # (n, t, dim) or (n, dim)
        if made.ndim == 2:
            return made
        if isinstance(self.model, TokenGraph) and self.model.pooling == "cls":
            return made[:, 0]
        pooled: FloatArray = (made * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return pooled.astype(np.float32)

    def _parsed(self) -> tuple[Any, OnnxTower | None]:
        """Return the tokenizer, and the graph where there is one; made once."""
        with self._lock:
            if self._ready is None:
                tower = OnnxTower(self.model.content, "the graph") if isinstance(self.model, TokenGraph) else None
                self._ready = _tokenizer(self.tokenizer, self.max_tokens), tower
            return self._ready

    def _graph(self) -> OnnxTower:
        tower = self._parsed()[1]
        if tower is None:
            raise ConfigError("an encoder by a table of tokens has no graph")
        return tower

    def save(self, directory: Path) -> None:
        """Write the encoder into ``directory``, which is made."""
        directory.mkdir()
        (directory / _TOKENIZER).write_text(self.tokenizer, encoding="utf-8")
        pooling = self.model.pooling if isinstance(self.model, TokenGraph) else None
        about = {
            "max_tokens": self.max_tokens,
            "pooling": pooling,
            "shared": self.shared is not None,
            "projected": self.projection is not None,
        }
        (directory / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if isinstance(self.model, TokenGraph):
            (directory / _GRAPH).write_bytes(self.model.content)
        else:
            files.write_array(directory / "tokens.npy", self.model.matrix)
            files.write_array(directory / "weights.npy", self.model.weights)
        if self.shared is not None:
            files.write_array(directory / "shared.npy", self.shared)
        if self.projection is not None:
            files.write_array(directory / "projection.npy", self.projection)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return what :meth:`save` wrote; the table stays on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or they do not fit each other.
        """
        try:
            about = files.read_json(directory / _ABOUT)
            tokenizer = (directory / _TOKENIZER).read_text(encoding="utf-8")
            model = _read_model(directory, about["pooling"])
            shared = files.read_array(directory / "shared.npy", np.float32, ndim=2) if about["shared"] is True else None
            learnt = about.get("projected") is True  # encoders of earlier versions do not say
            projection = files.read_array(directory / "projection.npy", np.float32, ndim=2) if learnt else None
            tokens = _whole(about["max_tokens"])
            return cls(tokenizer, model, shared=shared, max_tokens=tokens, projection=projection)
        except BundleError:
            raise
        except OSError as error:
            raise BundleError(f"{error.filename} cannot be read ({error.strerror}); train the channel again") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{directory} holds no sound encoder of sentences ({first_line(error)})") from error


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Return (n, dim) vectors of length 1; what is zero stays zero, and so does what is left over by rounding."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.where(lengths > 1e-6, lengths, np.inf)).astype(np.float32)
    return unit


def save_sentences(directory: Path, encoder: SentenceEncoder | None) -> dict[str, bool]:
    """Write the encoder of a channel beside it, where it has any, and return what its settings say of it."""
    if encoder is not None:
        encoder.save(directory / _FOLDER)
    return {"sentences": encoder is not None}


def load_sentences(directory: Path, settings: Mapping[str, Any]) -> SentenceEncoder | None:
    """Return what :func:`save_sentences` wrote; channels of earlier versions have none."""
    return SentenceEncoder.load(directory / _FOLDER) if settings.get("sentences") is True else None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"max_tokens is {value!r}")
    return value


def _read_model(directory: Path, pooling: object) -> TokenTable | TokenGraph:
    if pooling is not None:
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling is {pooling!r}")
        return TokenGraph((directory / _GRAPH).read_bytes(), "cls" if pooling == "cls" else "mean")
    matrix = files.map_array(directory / "tokens.npy")
    if matrix.dtype not in (np.float16, np.float32):
        raise ValueError(f"token vectors are of {matrix.dtype}")
    return TokenTable(matrix, files.read_array(directory / "weights.npy", np.float32))


def _tokenizer(content: str, max_tokens: int) -> Any:
    """Return the tokenizer of a JSON text."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("reading sentences (tokenizers)", extra="text") from error
    try:
        tokenizer = Tokenizer.from_str(content)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
    # tokenizers raises Exception itself.
    except Exception as error:
        raise BundleError(f"this is no tokenizer that tokenizers reads: {first_line(error)}") from error
    return tokenizer


def _parts(texts: Sequence[str | None], size: int) -> Iterator[Sequence[str | None]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]
