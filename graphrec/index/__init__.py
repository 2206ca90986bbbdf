"""Nearest rows, exact, by HNSW, by a quantised scan and by a tree, behind one protocol."""

from graphrec.index.build import IndexKind, ScanKind, build_index, check_index_kind
from graphrec.index.exact import ExactIndex
from graphrec.index.hnsw import HnswIndex, build_hnsw
from graphrec.index.loading import audit, load_index
from graphrec.index.protocol import Index, Metric
from graphrec.index.quantised import QuantisedIndex, build_quantised
from graphrec.index.tree import TreeIndex

__all__ = [
    "ExactIndex",
    "HnswIndex",
    "Index",
    "IndexKind",
    "Metric",
    "QuantisedIndex",
    "ScanKind",
    "TreeIndex",
    "audit",
    "build_hnsw",
    "build_index",
    "build_quantised",
    "check_index_kind",
    "load_index",
]
