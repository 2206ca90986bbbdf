"""Fitting the channels of a configuration: once each, with progress, and not at all where nothing has changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

from numba.core import event

from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext, Progress, SharedResults
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.scratch import scratch_directory

from ..config.build import Config
from ..progress import Advance, Steps
from .fit_cache import FitCache, data_fingerprint


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """Channels ready to answer, with the seconds that each fit took and the bytes that each takes on disk.

    The seconds are those of fitting alone: the compilation of kernels, once an installation, is not in them.
    """

    channels: Mapping[str, Recaller]
    fit_s: Mapping[str, float]
    size_bytes: Mapping[str, int]


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
        What is held out of ``data``, for fits that stop early.

    Raises
    ------
    GraphRecError
        Where a recipe cannot learn from the data.
    """
    channels: dict[str, Recaller] = {}
    seconds: dict[str, float] = {}
    sizes: dict[str, int] = {}
    context = FitContext(seed=config.settings.seed, validation=validation, shared=SharedResults())
    fingerprint = "" if cache is None else data_fingerprint([data, validation])
    for name, recipe in config.recipes.items():
        with steps.step(f"fit {name}{note}") as advance:
            here = dataclasses.replace(context, progress=_shown(advance))
            if cache is None:
                channels[name], seconds[name] = _timed(recipe, data, here)
                sizes[name] = saved_bytes(channels[name])
            else:
                channels[name], seconds[name], sizes[name] = _cached(recipe, data, here, fingerprint, cache, advance)
    return Fitted(channels, seconds, sizes)


def saved_bytes(channel: Recaller) -> int:
    """Return how many bytes a channel takes on disk."""
    with scratch_directory("size") as directory:
        channel.save(directory)
        return _bytes_below(directory)


def _bytes_below(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def _cached(
    recipe: Recipe, data: RecallData, context: FitContext, fingerprint: str, cache: FitCache, advance: Advance
) -> tuple[Recaller, float, int]:
    """Return channel, seconds and bytes, from the cache where they are there; a fit that was stopped goes on."""
    key = cache.key(recipe, fingerprint, context.seed)
    known = cache.load(key, data)
    if known is not None:
        advance(1, 1, "as before")
        return known.channel, known.fit_s, known.size_bytes
    checkpoints = cache.checkpoints(key)
    channel, took = _timed(recipe, data, dataclasses.replace(context, checkpoints=checkpoints))
    size = cache.save(key, channel, took)
    checkpoints.clear()
    return channel, took, size


def _timed(recipe: Recipe, data: RecallData, context: FitContext) -> tuple[Recaller, float]:
    """Return the channel and the seconds of its fit, less those in which kernels were compiled."""
    compiled: list[float] = []
    started = time.perf_counter()
    with event.install_timer("numba:compile", compiled.append):
        channel = recipe.fit(data, context)
    return channel, max(0.0, time.perf_counter() - started - sum(compiled))


def _shown(advance: Advance) -> Progress:
    """Return a fit's progress that moves the bar of its step, with what there is to see behind it."""

    def progress(done: int, total: int, /, **values: float) -> None:
        advance(done, total, ", ".join(f"{name} {value:.4g}" for name, value in values.items()))

    return progress
