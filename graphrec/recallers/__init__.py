"""Recallers: how online code answers from each artefact."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from graphrec.contracts import extensions
from graphrec.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from graphrec.contracts.recaller import BundleParts, Recaller

# Kind in recaller.json -> module and class; imported when one is loaded.
KINDS = {
    "ranked": "graphrec.recallers.ranked:RankedRecaller",
    "neighbours": "graphrec.recallers.neighbours:NeighbourRecaller",
    "graph-neighbours": "graphrec.recallers.graph_neighbours:GraphNeighbourRecaller",
    "path-neighbours": "graphrec.recallers.path_neighbours:PathNeighbourRecaller",
    "walk": "graphrec.recallers.walk:WalkRecaller",
    "pixie": "graphrec.recallers.pixie:PixieRecaller",
    "spectral": "graphrec.recallers.spectral:SpectralRecaller",
    "vector": "graphrec.recallers.vector:VectorRecaller",
    "encoder": "graphrec.recallers.encoder:EncoderRecaller",
    "interest-encoder": "graphrec.recallers.interest_encoder:InterestEncoderRecaller",
    "target-attention": "graphrec.recallers.target_attention:TargetAttentionRecaller",
    "votes": "graphrec.recallers.votes:VoteRecaller",
    "interests": "graphrec.recallers.interests:InterestRecaller",
    "segmented": "graphrec.recallers.segmented:SegmentedRecaller",
    "operations": "graphrec.operations.recaller:OperationsRecaller",
}


def check_kind(kind: str) -> None:
    """Raise ConfigError where a recaller of ``kind`` could not be loaded again."""
    if kind not in KINDS and kind not in extensions.declared(extensions.RECALLERS):
        raise ConfigError(
            f"a recaller of kind {kind!r} could not be loaded again: no installed distribution declares it; give it an "
            f"entry point of the group {extensions.RECALLERS!r}, or let the recipe end in one of {', '.join(KINDS)}"
        )


def distribution_of_kind(kind: str) -> str | None:
    """Return name and version of the distribution that brings a kind of recaller; None for our own kinds."""
    entry = None if kind in KINDS else extensions.declared(extensions.RECALLERS).get(kind)
    return None if entry is None else extensions.distribution_of(entry)


def load_recaller(directory: Path, parts: BundleParts) -> Recaller:
    """Return the saved recaller of any kind in ``directory``, fit for the rows of ``parts.items``.

    A kind that is not ours is looked up among the entry points of installed distributions, and nowhere else: what a
    bundle says is never imported.

    Raises
    ------
    BundleError
        If a file is missing or damaged, the kind is unknown, or the recaller was made for other items.
    """
    from graphrec.recallers.files import read_settings

    kind = read_settings(Path(directory))["kind"]
    recaller: Recaller = _recaller_class(kind, directory).load(Path(directory), parts)
    return recaller


def _recaller_class(kind: str, directory: Path) -> type[Recaller]:
    if kind in KINDS:
        module, _, name = KINDS[kind].partition(":")
        house: type[Recaller] = getattr(importlib.import_module(module), name)
        return house
    try:
        entry = extensions.declared(extensions.RECALLERS).get(kind)
        if entry is not None:
            foreign: type[Recaller] = extensions.imported(entry.value)
            return foreign
    except ConfigError as error:
        raise BundleError(f"{directory} holds a recaller of kind {kind!r}: {error}") from error
    raise BundleError(
        f"{directory} holds a recaller of kind {kind!r}, which no installed package brings; install the package that "
        "the channel was trained with, or upgrade graphrec"
    )
