"""What channels return for the users of a panel, kept from run to run: what did not change is not fitted again.

An entry is the answer of one recipe, with what its fit and its queries cost. Its name is a hash of the recipe and its
settings, of the data and the panel, of the seed, and of the code that the recipe stands on: the modules of graphrec
that its own imports, those that these import, and so on, and the versions of the libraries beside them. A change to
LightGCN leaves Item-CF where it is.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, take_lists
from graphrec.errors import ConfigError
from graphrec.fusion.rrf import Rrf
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.evaluation.latency import query_us
from graphrec.pipelines.evaluation.panel_lists import ask_all
from graphrec.pipelines.jobs.fit_cache import data_fingerprint
from graphrec.pipelines.jobs.fitting import Fitted, fit_channels
from graphrec.pipelines.progress import Steps

# What asks a channel; its code is part of every answer.
_ASKING = "graphrec.recallers.filtering"
_TIMED_USERS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A channel's lists for the users of a panel, the seconds of its fit, its bytes, and the time of a query."""

    lists: ItemLists
    fit_s: float
    size_bytes: int
    query_us: float


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """A channel that answers the users of a panel with lists that were asked for before.

    Parameters
    ----------
    lists : ItemLists
        n lists, ``depth`` deep.
    places : ndarray
        (n_users,) int64: where a user's list stands, -1 where there is none.
    """

    kind: ClassVar[str] = "listed"
    reason: ClassVar[str] = ""
    lists: ItemLists
    places: npt.NDArray[np.int64]
    depth: int

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the first ``k`` entries of each user's list, which has no item of the history; ConfigError beyond."""
        nothing = take_lists(self.lists, np.full(len(queries), -1))
        everything = np.ones(int(self.lists.items.max(initial=-1)) + 1, dtype=np.bool_)
        return self.recall_allowed(queries, k, exclude=nothing, allowed=everything)

    def recall_allowed(
        self, queries: Queries, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]
    ) -> ItemLists:
        """Return the first ``k`` allowed entries that are not excluded."""
        if k > self.depth:
            raise ConfigError(f"k is {k}; the lists were kept {self.depth} deep")
        return leave_out(take_lists(self.lists, self.places[queries.users]), k, exclude=exclude, allowed=allowed)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> NoReturn:
        """Refuse: lists have no reasons."""
        raise NotImplementedError

    def save(self, directory: Path) -> NoReturn:
        """Refuse: the lists of a panel are no channel to serve."""
        raise NotImplementedError

    @classmethod
    def load(cls, directory: Path, parts: object) -> NoReturn:
        """Refuse, as :meth:`save`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class KeptLists:
    """The answers below a folder; None keeps nothing."""

    folder: Path | None = None

    def answers(
        self, config: Config, data: RecallData, panel: Panel, depth: int, steps: Steps, *, note: str = ""
    ) -> dict[str, Answer]:
        """Return what every channel of the configuration answers, ``depth`` deep, fitted on ``data`` where need be.

        One channel is fitted, asked and dropped before the next, so that a run that is stopped goes on where it was.
        """
        parts = data_fingerprint([data, panel, depth, config.settings.seed])
        return {name: self._answer(name, config, data, panel, depth, steps, parts, note) for name in config.recipes}

    def _answer(
        self, name: str, config: Config, data: RecallData, panel: Panel, depth: int, steps: Steps, parts: str, note: str
    ) -> Answer:
        recipe = config.recipes[name]
        path = None if self.folder is None else self.folder / f"{name}-{_key(recipe, parts)}.npz"
        if path is not None and path.is_file():
            with steps.step(f"read {name}{note}"):
                return _read(path)
        fitted = fit_channels(replace(config, recipes={name: recipe}), data, steps, note=note)
        with steps.step(f"ask {name}{note}"):
            lists = ask_all(fitted.channels, panel, depth).lists[name]
            sample = np.random.default_rng(config.settings.seed).permutation(len(panel))[:_TIMED_USERS]
            took = query_us(fitted.channels, Rrf(), take_panel(panel, sample), max(config.settings.evaluate.k))[name]
        answer = Answer(lists, fitted.fit_s[name], fitted.size_bytes[name], took)
        if path is not None:
            _write(path, answer)
        return answer


def listed(answers: Mapping[str, Answer], config: Config, panel: Panel, n_users: int, depth: int) -> Fitted:
    """Return the answers as channels, as if they had been fitted here."""
    places = np.full(n_users, -1, dtype=np.int64)
    places[panel.users] = np.arange(len(panel))
    return Fitted(
        {name: Listed(answer.lists, places, depth) for name, answer in answers.items()},
        {name: answer.fit_s for name, answer in answers.items()},
        {name: answer.size_bytes for name, answer in answers.items()},
        config.recipes,
        dict.fromkeys(answers, ()),
    )


def code_of(module: str) -> dict[str, str]:
    """Return what a module of graphrec stands on: the hash of each of our modules, the version of each library."""
    ours, libraries = _reached((module, _ASKING))
    named = metadata.packages_distributions()
    versions = {name: metadata.version(name) for top in libraries for name in named.get(top, ())}
    return {**{name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in ours.items()}, **versions}


def _key(recipe: object, parts: str) -> str:
    """Return the name of an entry."""
    made_by = type(recipe)
    made_of = sorted(code_of(made_by.__module__).items())
    return data_fingerprint([made_by.__module__, made_by.__qualname__, recipe, parts, made_of, sys.version])[:32]


def _reached(modules: Sequence[str]) -> tuple[dict[str, Path], set[str]]:
    """Return the files of our modules that ``modules`` import, however far, and the other packages that these name."""
    ours: dict[str, Path] = {}
    others: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file_of(name) if name.startswith("graphrec.") else None
        if path is not None and name not in ours:
            ours[name] = path
            waiting += _imports(name, path)
        elif not name.startswith("graphrec"):
            others.add(name.split(".")[0])
    return ours, others


@cache
def _file_of(name: str) -> Path | None:
    """Return the source of a module; None for a name within one."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None or not spec.has_location else Path(spec.origin)


def _imports(name: str, path: Path) -> Iterator[str]:
    """Yield what a module's source imports at any place in it, and each name imported, which may be a module too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (part.name for part in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield source
            if source.startswith("graphrec"):
                yield from (f"{source}.{part.name}" for part in node.names)


def _write(path: Path, answer: Answer) -> None:
    """Keep an answer: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    costs = {"fit_s": answer.fit_s, "size_bytes": answer.size_bytes, "query_us": answer.query_us}
    lists, temporary = answer.lists, path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, indptr=lists.indptr, items=lists.items, scores=lists.scores, costs=json.dumps(costs))
    temporary.replace(path)


def _read(path: Path) -> Answer:
    with np.load(path, allow_pickle=False) as arrays:
        costs: dict[str, Any] = json.loads(str(arrays["costs"]))
        return Answer(ItemLists(arrays["indptr"], arrays["items"], arrays["scores"]), **costs)
