"""The recall stage of a recommender whose catalogue is a graph: everything a program needs, by one name.

    import graphrec as gr

    data = gr.recall_data(gr.read_interactions("ratings.csv"))
    channel = gr.ItemCF(k=50).fit(data)
    gr.recall(channel, data, users=["42"], k=10)

    gr.train("books.toml", "out")
    engine = gr.Engine.open("out")
    engine.recall(user="42", k=100)
    engine.recall_many(["42", "7"], k=100)  # an Arrow table

This file is a table of names. Each is imported when it is first used, so ``import graphrec`` loads neither numpy nor
torch, and a program pays for what it names. ``__init__.pyi`` holds the same names for editors and type checkers;
``python -m tests.test_face`` writes it again after a change here. Nothing inside graphrec imports through this table.
"""

from __future__ import annotations

import importlib

from graphrec.channels.registry import RECIPES
from graphrec.errors import MissingExtraError, nearest_names
from graphrec.version import __version__ as __version__

# Module -> the names that it gives. The recipes of channels are taken from their registry.
_NAMES: dict[str, tuple[str, ...]] = {
    # What people do first: read, train, measure, serve.
    "graphrec.pipelines.readers.sources": ("InteractionTable", "read_interactions"),
    "graphrec.pipelines.readers.attributes": ("read_attributes", "read_users"),
    "graphrec.pipelines.readers.recall_data": ("recall_data",),
    "graphrec.pipelines.readers.exposures": ("read_exposures",),
    "graphrec.pipelines.readers.user_tags": ("read_user_tags",),
    "graphrec.pipelines.readers.rules": ("read_rules",),
    "graphrec.pipelines.config.build": ("Config",),
    "graphrec.pipelines.config.load": ("load_config",),
    "graphrec.pipelines.jobs.train": ("Trained", "train"),
    "graphrec.pipelines.jobs.evaluate": ("evaluate",),
    "graphrec.pipelines.report.report": ("Report",),
    "graphrec.pipelines.registry.datasets": ("datasets_directory",),
    "graphrec.serve.engine": ("Engine",),
    "graphrec.serve.near": ("NeighbourSearch",),
    "graphrec.serve.answer": ("Answer", "Neighbour", "Neighbours", "Place", "Recalled", "Shared", "TakeDown"),
    # RDF in and out.
    "graphrec.kg.reading.rdf": ("read_rdf",),
    "graphrec.kg.knowledge_graph": ("KnowledgeGraph",),
    "graphrec.kg.linking": ("link_by_literal", "link_by_table", "link_by_template"),
    "graphrec.kg.linking_report": ("Linking",),
    "graphrec.kg.title_links": ("link_by_title",),
    "graphrec.kg.catalogue": ("catalogue_graph",),
    "graphrec.kg.export": ("to_networkx",),
    "graphrec.kg.interactions": ("InteractionMapping", "interactions_from_rdf"),
    "graphrec.kg.rdflib_bridge": ("from_rdflib", "select", "to_rdflib"),
    "graphrec.kg.schema.describe": ("describe",),
    "graphrec.kg.schema.values": ("GraphSchema",),
    "graphrec.kg.sparql.endpoint": ("read_sparql",),
    "graphrec.kg.sparql.rules": ("with_rules",),
    "graphrec.kg.attributes": ("item_attributes",),
    "graphrec.kg.tags": ("item_tags",),
    "graphrec.kg.writing.convert": ("convert",),
    "graphrec.kg.writing.graph": ("graph_to_networkx", "write_links", "write_rdf", "write_triples"),
    "graphrec.kg.writing.recall": ("write_recall",),
    # Core types.
    "graphrec.data.limits": ("Limits",),
    "graphrec.data.vocabulary": ("Vocabulary",),
    "graphrec.data.interactions": ("Interactions", "histories"),
    "graphrec.data.sequences": ("Sequences",),
    "graphrec.data.lists": ("ItemLists", "item_lists"),
    "graphrec.data.neighbours": ("NeighbourTable",),
    "graphrec.index.embeddings": ("EmbeddingTable",),
    "graphrec.index.cold_items": ("cold_item_vectors",),
    "graphrec.index.embedding_index": ("EmbeddingIndex",),
    "graphrec.index.embedding_map": ("EmbeddingMap",),
    "graphrec.index.embedding_drift": ("Drift", "drift"),
    "graphrec.index.row_ids": ("Near",),
    "graphrec.models.node_embeddings.keyed_vectors": ("from_keyed_vectors", "to_keyed_vectors"),
    "graphrec.data.features": ("Features", "Labels", "take_features"),
    "graphrec.contracts.described": ("item_columns", "user_columns"),
    "graphrec.data.encoding": ("EncodedFeatures", "EncodedField", "EncoderSettings", "FeatureEncoder"),
    "graphrec.data.exposures": ("Exposures",),
    "graphrec.data.item_tags": ("ItemTags",),
    "graphrec.data.user_tags": ("UserTags",),
    "graphrec.data.rules": ("Arrivals", "Boost", "Campaign", "Deny", "Pin", "Rules"),
    "graphrec.data.splits": (
        "Split", "held_out", "split_by_ratio", "split_by_time", "split_given", "split_leave_last",
    ),
    "graphrec.graph.adjacency": ("Adjacency", "adjacency_from_edges"),
    "graphrec.graph.catalogue": ("CatalogueGraph", "items_only", "with_users"),
    "graphrec.graph.stored": ("open_adjacency", "save_adjacency", "write_user_item_graph"),
    "graphrec.graph.walks": ("WalkStream", "generate_walks", "stream_walks"),
    "graphrec.graph.importance": ("importance_neighbours",),
    "graphrec.graph.pixie": ("Visited", "pixie"),
    "graphrec.graph.ppr": ("Pagerank", "personalised_pagerank", "push_pagerank", "ranks_between"),
    "graphrec.contracts.queries": ("Queries", "known_queries", "take_queries"),
    "graphrec.contracts.panel": ("Panel",),
    "graphrec.contracts.recall_data": ("RecallData",),
    "graphrec.contracts.progress": ("FitContext", "SharedResults", "TrainingPoint"),
    "graphrec.contracts.choosing": ("ChosenFit", "choices_of"),
    "graphrec.contracts.recipe": ("Recipe",),
    "graphrec.contracts.recaller": ("Evidence", "Recaller"),
    "graphrec.contracts.training_part": ("training_part",),
    "graphrec.models.training.event_log": ("TensorBoardLog",),
    "graphrec.models.hetero": ("adjacency_from_hetero", "to_hetero"),
    "graphrec.models.loaders.neighbour_loaders": ("LinkNeighborLoader", "NeighborLoader"),
    "graphrec.models.node_embeddings.node_vectors": ("NodeVectors",),
    # Indexes, fusions, metrics, bundles.
    "graphrec.index": (
        "ExactIndex",
        "HnswIndex",
        "Index",
        "QuantisedIndex",
        "build_hnsw",
        "build_index",
        "build_quantised",
    ),
    "graphrec.recallers.by_id": ("recall",),
    "graphrec.recallers.embeddings": ("item_embeddings", "user_embeddings"),
    "graphrec.recallers.filtering": ("recall_allowed",),
    "graphrec.fusion.settings": ("Fusion", "FusionRecipe", "fusion_from_dict"),
    "graphrec.evaluation.explanations": ("ExplanationQuality", "explanation_quality"),
    "graphrec.evaluation.held_out": ("HeldOut", "held_out_panel"),
    "graphrec.evaluation.objective": ("MeanMetric",),
    "graphrec.evaluation.off_policy": ("PolicyValue", "policy_value"),
    "graphrec.evaluation.metrics": ("RankMetrics", "metrics_at", "rank_metrics"),
    "graphrec.bundle": ("Bundle", "open_bundle"),
    "graphrec.errors": (
        "BundleError", "ClosedError", "ConfigError", "DataError", "FetchError", "GraphRecError", "LeakError",
        "MissingExtraError", "UnknownIdError",
    ),
}  # fmt: skip

# Name -> the module that gives it.
_HOMES: dict[str, str] = {name: module for module, names in _NAMES.items() for name in names}
_HOMES |= {name: module for module, _, name in (home.partition(":") for home in RECIPES.values())}

# Modules that learn, read RDF or search settings need packages that an extra brings.
_EXTRAS = {"graphrec.kg.": "kg", "graphrec.models.": "train", "graphrec.pipelines.tuning.": "tune"}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    """Import what ``name`` stands for, and keep it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"graphrec has no attribute {name!r}{nearest_names(name, _HOMES)}")
    try:
        value: object = getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        extra = next((extra for room, extra in _EXTRAS.items() if home.startswith(room)), None)
        if extra is None or (error.name or "").partition(".")[0] == __name__:
            raise
        raise MissingExtraError(f"graphrec.{name} (package {error.name})", extra=extra) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of the table."""
    return list(__all__)
