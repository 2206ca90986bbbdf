"""Fitting the channels of a configuration: once each, with progress, and not at all where nothing has changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from numba.core import event

from graphrec.contracts.choosing import ChosenFit, choices_of, fit_or_choose, with_choices
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext, Progress, Record, SharedResults, TrainingPoint
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.scratch import scratch_directory
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.training.event_log import TensorBoardLog

from ..config.build import Config
from ..progress import Advance, Steps
from .fit_cache import Fit, FitCache, data_fingerprint


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """Channels ready to answer, with the seconds that each fit took and the bytes that each takes on disk.

    The seconds are those of fitting alone: the compilation of kernels, once an installation, is not in them.
    ``recipes`` are those that the channels are of, with the settings that they chose on held-out users; ``training`` is
    what their trainings recorded, empty for channels that have none.
    """

    channels: Mapping[str, Recaller]
    fit_s: Mapping[str, float]
    size_bytes: Mapping[str, int]
    recipes: Mapping[str, Recipe]
    training: Mapping[str, Sequence[TrainingPoint]]


def check_recipes(recipes: Mapping[str, Recipe], data: RecallData) -> None:
    """Let each recipe that names something of the data, such as relations, say what is missing before any is fitted.

    Raises
    ------
    DataError
        Where a recipe's ``check_data`` finds something that ``data`` does not hold.
    """
    for recipe in recipes.values():
        check = getattr(recipe, "check_data", None)
        if check is not None:
            check(data)


def fit_channels(
    config: Config,
    data: RecallData,
    steps: Steps,
    *,
    note: str = "",
    cache: FitCache | None = None,
    validation: Panel | None = None,
) -> Fitted:
    """Fit every channel of the configuration on ``data``, or take it from the cache.

    Parameters
    ----------
    note : str
        Text after the title of each step, such as " on all events".
    cache : FitCache or None
        Where fits are kept; None fits all and keeps none.
    validation : Panel or None
        Users held out of ``data``: recipes choose settings by their Recall at the largest cut-off. None lets all
        recipes fit as they are.

    Raises
    ------
    GraphRecError
        Where a recipe cannot learn from the data.
    """
    check_recipes(config.recipes, data)
    objective = None if validation is None else MeanMetric("recall", max(config.settings.evaluate.k))
    context = FitContext(
        seed=config.settings.seed,
        device=config.settings.train.device,
        validation=validation,
        objective=objective,
        shared=SharedResults(),
    )
    fingerprint = "" if cache is None else data_fingerprint([data, validation, objective])
    fits: dict[str, Fit] = {}
    for name, recipe in config.recipes.items():
        with _event_log(config, f"{name}{note}") as record, steps.step(f"fit {name}{note}") as advance:
            here = dataclasses.replace(context, progress=shown_progress(advance), record=record)
            if cache is None:
                fits[name] = _uncached(recipe, data, here)
            else:
                fits[name] = _cached(recipe, data, here, fingerprint, cache, advance)
    return Fitted(
        {name: fit.channel for name, fit in fits.items()},
        {name: fit.fit_s for name, fit in fits.items()},
        {name: fit.size_bytes for name, fit in fits.items()},
        {name: with_choices(recipe, fits[name].chosen) for name, recipe in config.recipes.items()},
        {name: fit.training for name, fit in fits.items()},
    )


def saved_bytes(channel: Recaller) -> int:
    """Return how many bytes a channel takes on disk."""
    with scratch_directory("size") as directory:
        channel.save(directory)
        return _bytes_below(directory)


def _bytes_below(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def _cached(
    recipe: Recipe, data: RecallData, context: FitContext, fingerprint: str, cache: FitCache, advance: Advance
) -> Fit:
    """Return the fit from the cache where it is there; a fit that was stopped goes on."""
    key = cache.key(recipe, fingerprint, context.seed)
    known = cache.load(key, data)
    if known is not None:
        advance(1, 1, "as before")
        for point in known.training:
            context.record(point)
        return known
    checkpoints = cache.checkpoints(key)
    done = _timed(recipe, data, dataclasses.replace(context, checkpoints=checkpoints))
    chosen = choices_of(recipe, done.result.recipe)
    fit = cache.save(key, done.result.channel, fit_s=done.seconds, chosen=chosen, training=done.training)
    checkpoints.clear()
    return fit


def _uncached(recipe: Recipe, data: RecallData, context: FitContext) -> Fit:
    done = _timed(recipe, data, context)
    channel = done.result.channel
    return Fit(channel, done.seconds, saved_bytes(channel), choices_of(recipe, done.result.recipe), done.training)


@dataclasses.dataclass(frozen=True, slots=True)
class _Done:
    """A fit that is over, its seconds, less those in which kernels were compiled, and what its training recorded."""

    result: ChosenFit
    seconds: float
    training: Sequence[TrainingPoint]


def _timed(recipe: Recipe, data: RecallData, context: FitContext) -> _Done:
    compiled: list[float] = []
    training: list[TrainingPoint] = []

    def record(point: TrainingPoint, /) -> None:
        training.append(point)
        context.record(point)

    started = time.perf_counter()
    with event.install_timer("numba:compile", compiled.append):
        result = fit_or_choose(recipe, data, dataclasses.replace(context, record=record))
    return _Done(result, max(0.0, time.perf_counter() - started - sum(compiled)), training)


@contextmanager
def _event_log(config: Config, title: str) -> Iterator[Record]:
    """Yield what keeps the points of a fit for TensorBoard, in a folder of its own, where the configuration asks."""
    folder = config.settings.train.tensorboard
    if folder is None:
        yield FitContext().record
        return
    with TensorBoardLog(config.directory / folder / title.replace(" ", "-")) as log:
        yield log


def shown_progress(advance: Advance) -> Progress:
    """Return a fit's progress that moves the bar of its step, with what there is to see behind it."""

    def progress(done: int, total: int, /, **values: float) -> None:
        advance(done, total, ", ".join(_figure(name, value) for name, value in values.items()))

    return progress


def _figure(name: str, value: float) -> str:
    """Return a figure of a fit's progress in words."""
    return f"{value:,.0f} examples/s" if name == "examples_per_s" else f"{name} {value:.4g}"
