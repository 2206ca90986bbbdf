"""Fitting the channels of a configuration: once each, with progress, and not at all where nothing has changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

from numba.core import event

from graphrec.contracts.choosing import ChosenFit, choices_of, fit_or_choose, with_choices
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext, Progress, SharedResults
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.scratch import scratch_directory
from graphrec.evaluation.objective import MeanMetric

from ..config.build import Config
from ..progress import Advance, Steps
from .fit_cache import Fit, FitCache, data_fingerprint


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """Channels ready to answer, with the seconds that each fit took and the bytes that each takes on disk.

    The seconds are those of fitting alone: the compilation of kernels, once an installation, is not in them.
    ``recipes`` are those that the channels are of, with the settings that they chose on held-out users.
    """

    channels: Mapping[str, Recaller]
    fit_s: Mapping[str, float]
    size_bytes: Mapping[str, int]
    recipes: Mapping[str, Recipe]


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
    objective = None if validation is None else MeanMetric("recall", max(config.settings.evaluate.k))
    context = FitContext(seed=config.settings.seed, validation=validation, objective=objective, shared=SharedResults())
    fingerprint = "" if cache is None else data_fingerprint([data, validation, objective])
    fits: dict[str, Fit] = {}
    for name, recipe in config.recipes.items():
        with steps.step(f"fit {name}{note}") as advance:
            here = dataclasses.replace(context, progress=shown_progress(advance))
            if cache is None:
                fits[name] = _uncached(recipe, data, here)
            else:
                fits[name] = _cached(recipe, data, here, fingerprint, cache, advance)
    return Fitted(
        {name: fit.channel for name, fit in fits.items()},
        {name: fit.fit_s for name, fit in fits.items()},
        {name: fit.size_bytes for name, fit in fits.items()},
        {name: with_choices(recipe, fits[name].chosen) for name, recipe in config.recipes.items()},
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
        return known
    checkpoints = cache.checkpoints(key)
    result, took = _timed(recipe, data, dataclasses.replace(context, checkpoints=checkpoints))
    fit = cache.save(key, result.channel, fit_s=took, chosen=choices_of(recipe, result.recipe))
    checkpoints.clear()
    return fit


def _uncached(recipe: Recipe, data: RecallData, context: FitContext) -> Fit:
    result, took = _timed(recipe, data, context)
    return Fit(result.channel, took, saved_bytes(result.channel), choices_of(recipe, result.recipe))


def _timed(recipe: Recipe, data: RecallData, context: FitContext) -> tuple[ChosenFit, float]:
    """Return the fit and its seconds, less those in which kernels were compiled."""
    compiled: list[float] = []
    started = time.perf_counter()
    with event.install_timer("numba:compile", compiled.append):
        result = fit_or_choose(recipe, data, context)
    return result, max(0.0, time.perf_counter() - started - sum(compiled))


def shown_progress(advance: Advance) -> Progress:
    """Return a fit's progress that moves the bar of its step, with what there is to see behind it."""

    def progress(done: int, total: int, /, **values: float) -> None:
        advance(done, total, ", ".join(f"{name} {value:.4g}" for name, value in values.items()))

    return progress
