"""The engine of graphrec: arrays in, arrays out."""

from graphrec.adjacency import Adjacency
from graphrec.catalogue import CatalogueGraph
from graphrec.embeddings import EmbeddingTable
from graphrec.errors import BundleError, ConfigError, DataError, GraphRecError, UnknownIdError
from graphrec.interactions import Interactions
from graphrec.lists import ItemLists
from graphrec.neighbours import NeighbourTable
from graphrec.recall import Queries, RecallData, Recaller, Recipe
from graphrec.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "Adjacency",
    "BundleError",
    "CatalogueGraph",
    "ConfigError",
    "DataError",
    "EmbeddingTable",
    "GraphRecError",
    "Interactions",
    "ItemLists",
    "NeighbourTable",
    "Queries",
    "RecallData",
    "Recaller",
    "Recipe",
    "UnknownIdError",
    "Vocabulary",
]
