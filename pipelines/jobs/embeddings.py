"""Vectors out of bundles and configurations: what the commands about embeddings do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.bundle import Bundle, open_bundle
from graphrec.checks import as_array
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts
from graphrec.contracts.recipe import About, Recipe
from graphrec.data.files import map_array, parse_json
from graphrec.errors import BundleError, ConfigError, DataError, brief, nearest_names, shortened
from graphrec.graph.catalogue import ITEM, USER
from graphrec.index.embedding_files import format_of
from graphrec.index.embeddings import EmbeddingTable
from graphrec.index.row_ids import Near, Query
from graphrec.recallers.embeddings import channel_embeddings, has_vectors
from graphrec.recallers.sentence_search import sentence_channels, sentence_vector
from graphrec.serve.taken_down import read_taken_down

from ..config.build import Config
from ..config.load import load_config
from ..progress import Steps
from ..readers.inputs import load_inputs
from .fitting import shown_progress
from .pool import with_pool

# A file of one vector is small; anything longer is none.
_MOST_BYTES = 1 << 24


def bundle_table(bundle: Path, channel: str | None) -> tuple[str, EmbeddingTable]:
    """Return the name and the vectors of a bundle's channel; the only one that serves vectors where none is named.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    ConfigError
        If there is no such channel, it serves no vectors, or none is named and several do.
    """
    return _table(open_bundle(bundle), channel)


def table_of(source: Path, channel: str | None) -> EmbeddingTable:
    """Return the vectors in a file, or of a bundle's channel where ``source`` is a directory; raises as those do."""
    return bundle_table(source, channel)[1] if source.is_dir() else EmbeddingTable.read(source)


def similar_nodes(
    bundle: Path,
    *,
    node: Query | None = None,
    vector: Path | None = None,
    text: str | None = None,
    channel: str | None = None,
    kind: str = ITEM,
    k: int,
) -> tuple[str, str, list[Near]]:
    """Return the channel, the name of what was queried, and the ``k`` nearest nodes of a kind, best first.

    An id without a kind is an item's where there is such an item, else that of a user or an entity. Items outside the
    pool and items that are taken down are left out. Raises as :func:`bundle_table`, and UnknownIdError, ConfigError or
    DataError where the id, its kind, or the vector cannot be looked up.
    """
    opened = open_bundle(bundle)
    if text is not None:
        channel = _chosen(channel, sentence_channels(opened.channels), opened.channels, "reads sentences")
    name, table = _table(opened, channel)
    if isinstance(node, str) and node in opened.items:
        node = (ITEM, node)
    if node is not None and node not in table:
        _check_learnt(opened, name, node)
    query: Any = node if vector is None else read_vector(vector)
    if text is not None:
        query = sentence_vector(opened.channels[name], text)
    only = [(ITEM, item) for item in opened.items.take(np.flatnonzero(opened.pool))] if kind == ITEM else None
    skip = [(ITEM, item) for item in read_taken_down(opened.path)]
    near = table.nearest(query, k, kind=kind, only=only, skip=skip)
    if node is None:
        return name, f"the vector in {vector}" if text is None else repr(shortened(text)), near
    return name, _name_of(opened, table, table.nodes.row(node)), near


def _check_learnt(bundle: Bundle, channel: str, node: Query) -> None:
    """Raise DataError for a node that the bundle knows, and of which the channel has no vector."""
    of, external = node if isinstance(node, tuple) else (None, node)
    if of == ITEM and external in bundle.items:
        raise DataError(f"item {external!r} has no vector in {channel}: it had no events, or was outside the pool")
    if of is None and external in bundle.catalogue.entities:
        raise DataError(
            f"entity {external!r} has no vector in {channel}: it has no edges, or the channel keeps none of entities"
        )


def _name_of(bundle: Bundle, table: EmbeddingTable, row: int) -> str:
    """Return the name for people of a row of a bundle's table."""
    kinds, external = table.nodes.columns()["kind"], table.nodes.ids[row].as_py()
    if kinds[row].as_py() == USER:
        return f"user {external}"
    catalogue = bundle.catalogue
    entity = catalogue.entities.get(external) if kinds[row].as_py() != ITEM else -1
    return catalogue.label(catalogue.n_items + entity if entity >= 0 else catalogue.items.row(external))


def read_vector(path: Path) -> npt.NDArray[np.float32]:
    """Return the vector in a file: ``.npy``, a JSON list, or numbers with white space or commas between them.

    Raises
    ------
    DataError
        If the file cannot be read or holds something else than one vector.
    """
    try:
        if path.suffix.lower() == ".npy":
            values: Any = np.atleast_1d(np.squeeze(map_array(path)))
        else:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise DataError(f"{path} has more than {_MOST_BYTES:,} bytes; it must hold one vector")
            text = data.decode("utf-8").strip()
            values = (
                parse_json(data) if text.startswith("[") else [float(part) for part in text.replace(",", " ").split()]
            )
        return as_array(values, np.float32, name=f"the vector in {path}")
    except BundleError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{path} holds no vector ({error}); it must hold numbers alone") from error


def train_embeddings(
    config: str | Path | Config, out: Path, *, channel: str | None, named: str | None, steps: Steps
) -> tuple[str, EmbeddingTable]:
    """Return the name of a channel and the vectors that its recipe learns from all events of a configuration.

    A recipe that embeds (``embed``) gives all kinds of nodes that it knows; another is fitted, and gives what its
    channel serves. ``out`` and ``named`` are looked at before anything is trained.

    Raises
    ------
    GraphRecError
        On settings or input that cannot be used; if no channel learns vectors, or several do and none is named.
    """
    format_of(out, named)  # type: ignore[arg-type]
    if not out.absolute().parent.is_dir():
        raise DataError(f"{out} cannot be written: there is no directory {str(out.absolute().parent)!r}")
    made = load_config(config)
    learns = {name: recipe for name, recipe in made.recipes.items() if _learns_vectors(recipe)}
    name = _chosen(channel, learns, made.recipes, "learns vectors")
    data = with_pool(made, load_inputs(made, rejects=None, steps=steps).data, events="all").data
    with steps.step(f"embed {name}") as advance:
        settings = made.settings
        context = FitContext(seed=settings.seed, device=settings.train.device, progress=shown_progress(advance))
        return name, _embedded(learns[name], data, context)


def _embedded(recipe: Recipe, data: RecallData, context: FitContext) -> EmbeddingTable:
    embed = getattr(recipe, "embed", None)
    if embed is not None:
        table: EmbeddingTable = embed(data, context)
        return table
    return channel_embeddings(recipe.fit(data, context), BundleParts(data.users, data.items, data.catalogue))


def _learns_vectors(recipe: Recipe) -> bool:
    """Tell whether a recipe's channel ends in vectors; a recipe says so of its artefact."""
    about = getattr(recipe, "about", None)
    return hasattr(recipe, "embed") or (isinstance(about, About) and about.artefact.startswith("vectors"))


def _table(bundle: Bundle, channel: str | None) -> tuple[str, EmbeddingTable]:
    serving = [name for name, recaller in bundle.channels.items() if has_vectors(recaller)]
    name = _chosen(channel, serving, bundle.channels, "serves vectors")
    parts = BundleParts(bundle.users, bundle.items, bundle.catalogue)
    return name, channel_embeddings(bundle.channels[name], parts)


def _chosen(channel: str | None, able: Iterable[str], known: Iterable[str], what: str) -> str:
    """Return the channel that is named, or the only one that is able."""
    names, every = list(able), list(known)
    listed = ", ".join(names) or "none"
    if channel is None:
        if len(names) != 1:
            raise ConfigError(f"{len(names)} channels could be meant; --channel names one that {what}: {listed}")
        return names[0]
    if channel not in every:
        raise ConfigError(f"channel {brief(channel)} is not among {', '.join(every)}{nearest_names(channel, every)}")
    if channel not in names:
        raise ConfigError(f"channel {channel!r} is none that {what}: {listed}")
    return channel
