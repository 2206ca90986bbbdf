"""What makes a channel out of data: its settings, and what is said of it wherever channels are listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the README, ``graphrec doctor`` and a bundle need to know of a channel; ``about`` of its recipe.

    Parameters
    ----------
    recalls : str
        Which items it returns, in a few words.
    artefact : str
        What online code answers from: "neighbour table", "vectors".
    unknown_users, cold_items : str
        What becomes of users that training did not see, and of items without events.
    libraries : tuple of str
        Distributions that fitting needs and the base does not bring: ``("gensim",)``.
    of_graph : bool
        Whether it recalls by the knowledge graph: where such a channel answers, boosted fusion looks at what the graph
        says of an item.
    """

    recalls: str
    artefact: str
    unknown_users: str = "from a live history"
    cold_items: str = "not recalled"
    libraries: tuple[str, ...] = ()
    of_graph: bool = False


def libraries_of(recipe: type[Any]) -> tuple[str, ...]:
    """Return the distributions that fitting a recipe needs beside ours: its libraries, and the one that brings it."""
    about, package = getattr(recipe, "about", None), recipe.__module__.partition(".")[0]
    libraries = about.libraries if isinstance(about, About) else ()
    if package == "graphrec":
        return libraries
    from importlib.metadata import packages_distributions

    return (*libraries, *packages_distributions().get(package, ()))


def is_of_graph(recipe: object) -> bool:
    """Return whether a recipe's channel recalls by the knowledge graph."""
    about = getattr(recipe, "about", None)
    return isinstance(about, About) and about.of_graph


class Recipe(Protocol):
    """Settings of a method, as a frozen dataclass whose fields are the TOML keys, and how to make it ready.

    A class that derives from :class:`graphrec.contracts.settings.Settings` has its fields checked, searched and
    documented as they are declared; ``about`` (an :class:`About`) says the rest.
    """

    def fit(self, data: RecallData, context: FitContext = ALONE) -> Recaller:
        """Learn from ``data`` and return the channel. Same data and seed give the same answer."""
        ...
