"""Recallers: how online code answers from each artefact."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from graphrec.errors import BundleError

if TYPE_CHECKING:
    from graphrec.contracts.recaller import BundleParts, Recaller

# Kind in recaller.json -> module and class; imported when one is loaded.
KINDS = {
    "ranked": "graphrec.recallers.ranked:RankedRecaller",
    "neighbours": "graphrec.recallers.neighbours:NeighbourRecaller",
    "graph-neighbours": "graphrec.recallers.graph_neighbours:GraphNeighbourRecaller",
    "spectral": "graphrec.recallers.spectral:SpectralRecaller",
    "vector": "graphrec.recallers.vector:VectorRecaller",
    "segmented": "graphrec.recallers.segmented:SegmentedRecaller",
    "operations": "graphrec.operations.recaller:OperationsRecaller",
}


def load_recaller(directory: Path, parts: BundleParts) -> Recaller:
    """Return the saved recaller of any kind in ``directory``, fit for the rows of ``parts.items``.

    Raises
    ------
    BundleError
        If a file is missing or damaged, the kind is unknown, or the recaller was made for other items.
    """
    from graphrec.recallers.files import read_settings

    kind = read_settings(Path(directory))["kind"]
    if kind not in KINDS:
        raise BundleError(f"{directory} holds a recaller of kind {kind!r}; this version knows {', '.join(KINDS)}")
    module, name = KINDS[kind].split(":")
    recaller: Recaller = getattr(importlib.import_module(module), name).load(Path(directory), parts)
    return recaller
