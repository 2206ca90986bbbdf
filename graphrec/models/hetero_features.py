"""Features of items or users as attributes of a node type of HeteroData."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

from graphrec.data.features import Features
from graphrec.data.item_tags import ItemTags
from graphrec.errors import DataError, MissingExtraError

FloatArray = npt.NDArray[np.float32]

# What PyG or to_hetero keep under these names.
_TAKEN = frozenset({"ids", "num_nodes", "x", "edge_index", "edge_weight", "batch", "n_id", "e_id", "input_id", "ptr"})
_MOST_WORDS = 50_000


def add_features(data: HeteroData, kind: str, features: Features, *, text_dim: int, seed: int = 0) -> None:
    """Put the columns of ``features`` on node type ``kind``; what each becomes is said in ``to_hetero``.

    Raises
    ------
    DataError
        If the features have another number of rows, or a column has a name that stands for something else.
    """
    store = data[kind]
    if features.n != store.num_nodes:
        raise DataError(f"the features of {kind!r} have {features.n} rows; there are {store.num_nodes} nodes")
    for name in (*features.numbers, *features.labels, *features.tags, *features.texts, *features.vectors):
        if name in _TAKEN or name in store or (name in features.tags and name in data.node_types):
            raise DataError(f"a feature of {kind!r} is called {name!r}, which stands for something else; rename it")
    dense = [_standardised(column)[:, None] for column in features.numbers.values()]
    for name, numbers in features.numbers.items():
        store[name] = torch.from_numpy(numbers.astype(np.float32))
    for name, labels in features.labels.items():
        store[name] = torch.from_numpy(labels.codes.astype(np.int64) + 1)
        store[f"{name}_names"] = labels.names
    for name, texts in features.texts.items():
        vectors = text_vectors(texts, text_dim, seed=seed)
        store[name] = torch.from_numpy(vectors)
        dense.append(vectors)
    for name, given in features.vectors.items():
        store[name] = torch.from_numpy(given.astype(np.float32))
        dense.append(_at_length_1(given))
    if dense:
        store.x = torch.from_numpy(np.concatenate(dense, axis=1))  # (n, d)
    for name, tags in features.tags.items():
        _add_tags(data, kind, name, tags)


def _add_tags(data: HeteroData, kind: str, name: str, tags: ItemTags) -> None:
    """Make the tags of one column nodes of a type of their own, with edges both ways."""
    table = tags.table
    rows = np.repeat(np.arange(len(table), dtype=np.int64), np.diff(table.indptr))
    edges = torch.from_numpy(np.stack([rows, table.neighbours.astype(np.int64)]))
    weights = torch.from_numpy(table.scores.astype(np.float32))
    data[name].num_nodes = len(tags.tags)
    data[name].ids = tags.tags
    for key, edge_index in (((kind, name, name), edges), ((name, f"rev_{name}", kind), edges.flip(0))):
        data[key].edge_index = edge_index.contiguous()
        data[key].edge_weight = weights


def text_vectors(texts: pa.LargeStringArray, dim: int, *, seed: int = 0) -> FloatArray:
    """Return (n, dim) vectors of texts at length 1: latent semantic analysis; zero for null and for unknown words.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    .. [1] S. Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990.
    """
    sklearn = _text_tools()
    words = sklearn["TfidfVectorizer"](sublinear_tf=True, max_features=_MOST_WORDS, strip_accents="unicode")
    vectors = np.zeros((len(texts), dim), dtype=np.float32)
    try:
        matrix = words.fit_transform("" if text is None else text for text in texts.to_pylist())
    except ValueError:  # there is no word at all
        return vectors
    if matrix.shape[1] > dim:
        reduced = sklearn["TruncatedSVD"](dim, random_state=seed).fit_transform(matrix)
    else:
        reduced = matrix.toarray()
    vectors[:, : reduced.shape[1]] = reduced
    return _at_length_1(vectors)


def _text_tools() -> dict[str, Any]:
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise MissingExtraError("Vectors of texts (scikit-learn)", extra="train") from error
    return {"TruncatedSVD": TruncatedSVD, "TfidfVectorizer": TfidfVectorizer}


def _standardised(numbers: npt.NDArray[np.float64]) -> FloatArray:
    """Return numbers with mean 0 and deviation 1; 0 where a number is not known."""
    known = np.isfinite(numbers)
    if not known.any():
        return np.zeros(len(numbers), dtype=np.float32)
    scaled = numbers / max(float(np.abs(numbers[known]).max()), 1e-300)  # squares of huge numbers overflow
    deviation = float(scaled[known].std())
    standard = (scaled - scaled[known].mean()) / (deviation if deviation > 1e-12 else 1.0)
    return np.where(known, standard, 0.0).astype(np.float32)


def _at_length_1(vectors: npt.NDArray[np.floating]) -> FloatArray:
    """Return vectors at length 1; 0 where a vector is not known."""
    known = np.where(np.isnan(vectors), 0.0, vectors).astype(np.float64)
    largest = np.abs(known).max(axis=1, keepdims=True, initial=0.0)
    scaled = known / np.where(largest > 0, largest, 1.0)  # squares of tiny and huge numbers vanish or overflow
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
