"""What a request reads: one opened bundle and what is worked out from it once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.bundle import Bundle, open_bundle
from graphrec.contracts.queries import Queries
from graphrec.data.lists import empty_lists
from graphrec.data.sequences import distinct_counts
from graphrec.fusion.settings import Fusion, fusion_from_dict
from graphrec.recallers.answers import check_answer

from .names import NodeTexts, node_ids, node_names
from .paths import all_relation_words, item_relations

log = logging.getLogger(__name__)

POPULARITY = "popularity"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One version in service. Immutable: an engine swaps the whole of it.

    Parameters
    ----------
    bundle : Bundle
        The opened bundle.
    fusion : Fusion
        How lists are merged.
    popular : ndarray
        (n_items,) int32: every item, the order in which the fallback offers them.
    n_ranked : int
        How many of them come from the ranked channel.
    ranked : str
        The name of that channel; "popularity" where the bundle has none.
    words : tuple of str
        Every relation of the catalogue graph in words, by number.
    relations : mapping of str to int
        Numbers of the relations that leave items, by name.
    taken_down : frozenset of str
        Ids that may not be recalled; the bundle need not know them.
    pool : ndarray
        (n_items,) bool: the bundle's pool without what is taken down. Worked out.
    names, ids : NodeTexts
        Names and ids of items and entities. Made here.
    """

    bundle: Bundle
    fusion: Fusion
    popular: npt.NDArray[np.int32]
    n_ranked: int
    ranked: str
    words: tuple[str, ...]
    relations: Mapping[str, int]
    taken_down: frozenset[str] = frozenset()
    pool: npt.NDArray[np.bool_] = field(init=False)
    names: NodeTexts = field(init=False)
    ids: NodeTexts = field(init=False)

    def __post_init__(self) -> None:
        pool = self.bundle.pool
        rows = [row for row in map(self.bundle.items.get, self.taken_down) if row >= 0]
        if rows:
            pool = pool.copy()
            pool[rows] = False
        object.__setattr__(self, "pool", pool)
        object.__setattr__(self, "names", node_names(self.bundle.catalogue))
        object.__setattr__(self, "ids", node_ids(self.bundle.catalogue))

    @property
    def version(self) -> str:
        """Name of the bundle's directory."""
        return self.bundle.path.name


def load_state(path: str | Path, *, verify: bool = True, in_memory: bool = False) -> State:
    """Open a bundle for service: every check of it is made by ``open_bundle``.

    Raises
    ------
    BundleError
        If the bundle cannot be used.
    """
    bundle = open_bundle(path, verify=verify, in_memory=in_memory)
    fusion = fusion_from_dict(bundle.fusion, bundle.catalogue)
    # The dictionaries from ids to rows are made here, not within the first request.
    for vocabulary in (bundle.users, bundle.items):
        vocabulary.get("")
    ranked, first = _ranked(bundle)
    counts = distinct_counts(bundle.history, len(bundle.items))
    by_count = np.lexsort((np.arange(len(counts)), -counts)).astype(np.int32)
    rest = np.ones(len(counts), dtype=np.bool_)
    rest[first] = False
    popular = np.concatenate([first, by_count[rest[by_count]]])
    words = all_relation_words(bundle.catalogue, bundle.wording)
    relations = item_relations(bundle.catalogue)
    return State(bundle, fusion, popular, len(first), ranked, words, relations)


def _ranked(bundle: Bundle) -> tuple[str, npt.NDArray[np.int32]]:
    """Return name and whole list of the channel that ranks items the same for everybody: "hot", or the first.

    A channel whose list cannot be used is passed over and logged, as it is left out of an answer.
    """
    names = [name for name, recaller in bundle.channels.items() if recaller.kind in ("ranked", "segmented")]
    query, n_items = Queries([-1], empty_lists(1)), len(bundle.items)
    for name in sorted(names, key=lambda name: name != "hot") if n_items else ():
        try:
            whole = bundle.channels[name].recall(query, n_items)
            check_answer(whole, 1, n_items=n_items)
        except Exception:
            log.warning("channel %s cannot rank the items of the fallback", name, exc_info=True)
        else:
            return name, whole.items
    return POPULARITY, np.empty(0, dtype=np.int32)
