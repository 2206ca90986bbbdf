"""Settings that a family of recipes shares, declared once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from graphrec.contracts.domains import Domain, choices, ints
from graphrec.contracts.settings import Settings, choice, count, number
from graphrec.index import Index, IndexKind, ScanKind, build_index
from graphrec.recallers.profile import Profile

_HALF_LIVES = choices(0.0, 10.0, 25.0, 50.0, 100.0, 200.0, 400.0)


def history_half_life(default: float, search: Domain = _HALF_LIVES) -> float:
    """Declare :attr:`HistorySettings.half_life` with a default of the recipe's own."""
    return number(default, unit="positions", search=search)


def history_weight_exponent(*, searched: bool = True) -> float:
    """Declare :attr:`HistorySettings.weight_exponent`; a recipe whose training takes no weights need not search it."""
    return number(0.0, search=choices(0.0, 0.5, 1.0) if searched else None)


def history_interests(default: int = 3) -> int:
    """Declare ``interests`` of a recipe whose histories may ask by clusters of their items."""
    return count(default, least=1, unit="clusters", search=ints(1, 8))


def interest_spread() -> float:
    """Declare ``spread`` of such a recipe: the height at which Ward's tree of a history is cut."""
    return number(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings(Settings):
    """What every channel that answers from a history has: which of its items count, and how much.

    Parameters
    ----------
    last : int, default 0
        Newest history items used; 0 uses all.
    half_life : float, default 100.0
        Positions after which a history item counts half; 0 means that age does not matter. In Item-CF, User-CF,
        RP3beta and KG neighbours 100 costs about 1 % of Recall@50 where the held-out items are random, and adds a
        tenth to a third where they are the newest (goodbooks, validation).
    weight_exponent : float, default 0.0
        Power of interaction weights, in histories and in what is learned from; 0 makes them ones.
    """

    last: int = count(0, unit="items")
    half_life: float = history_half_life(100.0)
    weight_exponent: float = history_weight_exponent()

    def profile(self) -> Profile:
        """Return how much each item of a history counts."""
        return Profile(self.last, self.half_life, self.weight_exponent)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSettings(HistorySettings):
    """What every filter of the item graph has besides: how items are scored on the eigenvectors.

    Parameters
    ----------
    index : {"quantised", "exact"}
        Where the catalogue is large, those items alone that a sketch of their vectors puts first, or all of them.
    """

    index: ScanKind = choice("quantised", ScanKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSettings(HistorySettings):
    """What every channel that searches vectors has besides: how the nearest are searched.

    Parameters
    ----------
    index : {"auto", "quantised", "exact", "hnsw"}
        What is looked at where there are many vectors: the best by a sketch, all of them, or what an HNSW graph leads
        to; "auto" goes by their number (:func:`graphrec.index.build.suitable_kind`).
    m : int, default 16
        Of HNSW: links a node.
    ef_construction, ef_search : int, default 200 and 300
        Of HNSW: width while building, least width of a search.

    Notes
    -----
    A graph is audited: its searches are as wide as 0.98 of the best 100 rows takes, or exact where that is quicker
    (:func:`graphrec.index.hnsw_audit.audited_hnsw`).
    """

    index: IndexKind = choice("quantised", IndexKind)
    m: int = count(16, least=2, most=512, unit="links")
    ef_construction: int = count(200, least=1, most=1_000_000)
    ef_search: int = count(300, least=1, most=1_000_000)

    def build_index(
        self,
        vectors: npt.ArrayLike,
        metric: str,
        seed: int,
        *,
        queries: npt.ArrayLike | None = None,
        threads: int = 1,
    ) -> Index:
        """Return the index over ``vectors`` (n, dim), tuned to ``queries`` (s, dim) like those to come.

        ``threads`` build an HNSW graph; more than one are for recipes that give other bytes on each run anyway.
        """
        settings = {"m": self.m, "ef_construction": self.ef_construction, "ef_search": self.ef_search}
        return build_index(vectors, self.index, metric, seed=seed, queries=queries, threads=threads, **settings)
