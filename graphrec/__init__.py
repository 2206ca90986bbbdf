"""The engine of graphrec: arrays in, arrays out."""

from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.embeddings import EmbeddingTable
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError, GraphRecError, UnknownIdError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.version import __version__

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
    "__version__",
]
