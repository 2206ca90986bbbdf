"""Tuning: better settings of each channel, by a validation part of train; the test part is never read."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.choosing import fit_or_choose
from graphrec.contracts.domains import Space
from graphrec.contracts.progress import FitContext
from graphrec.data.scratch import written_whole
from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.escapes import json_text
from graphrec.evaluation.objective import MeanMetric, Metric

from ..config.build import Config, spaces_of
from ..config.load import load_config
from ..config.sections import TuneSection
from ..evaluation.validation import Validation, hold_out, measured
from ..jobs.splitting import inner_section
from ..jobs.train import prepare
from ..progress import Advance, Silent, Steps
from .page import page
from .report import NOTE, Search, channel_report, plain, versions
from .sampler import draw
from .search_spaces import with_settings
from .trial_log import Trial, TrialLog
from .tuned_config import tuned_text

# Sections that do not change what a channel learns from; its own table is compared by itself.
_BESIDE_DATA = {"name", "wording", "channels", "fusion", "evaluate", "publish", "tune"}


@dataclasses.dataclass(frozen=True, slots=True)
class Tuned:
    """What a run leaves: ``tuned.toml``, ``tune.json`` as a mapping, and whether it was stopped before its end."""

    config: Path
    report: dict[str, Any]
    stopped: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """How trials are made: the metric that measures them, seeds, how many there may be, where torch computes."""

    metric: Metric
    k: int
    fit_seed: int
    draw_seed: int
    trials: int
    device: str


def tune(
    path: str | Path,
    out: str | Path,
    *,
    channels: Sequence[str] = (),
    trials: int | None = None,
    timeout_s: float | None = None,
    restart: bool = False,
    steps: Steps | None = None,
) -> Tuned:
    """Search better settings and leave ``tuned.toml``, ``tune.json`` and ``tune.html`` in ``out``.

    The training part is divided once more; each trial fits a channel on the inner part and measures it on the rest.
    The first trial of a channel has its present settings, so what is written is never worse on validation. Trials are
    kept in ``out/tune/CHANNEL``, and the same call goes on where the last one stopped, whatever stopped it: with one
    version of Optuna and recipes that give the same answer each time, the trials are those of a run without a break.

    Parameters
    ----------
    path : path
        A configuration as :func:`graphrec.pipelines.config.load.load_config` reads it; ``[tune]`` says what
        is searched and how.
    out : path
        Directory of the results; made where it is missing.
    channels : sequence of str
        Search these alone; what earlier searches of others chose is kept. Empty searches all that have a space.
    trials : int, optional
        In place of ``tune.trials``: for each channel, earlier trials included.
    timeout_s : float, optional
        In place of ``tune.timeout_s``: seconds after which no trial begins, over all channels; each channel has an
        equal share of what is left. The first trial of each is always made.
    restart : bool
        Forget earlier trials of the channels that are searched.
    steps : Steps, optional
        Where progress is shown.

    Returns
    -------
    Tuned
        ``stopped`` is true after Ctrl-C; the best trials until then are written.

    Raises
    ------
    ConfigError
        If a setting is illegal, ``out`` holds a search with other settings, or every trial of a channel fails.
    GraphRecError
        On input or output that cannot be used.
    """
    shown, root = steps or Silent(), Path(out)
    config = load_config(path)
    section = _overridden(config.settings.tune, trials, timeout_s)
    spaces = spaces_of(config)
    wanted = _wanted(channels, config, spaces)
    _make(root)
    part, fingerprint = _divide(config, section, root, shown)
    searches, left = _open(config, section, spaces, wanted, root, fingerprint, restart=restart)
    plan = _plan(config, section)
    stopped = _run([searches[name] for name in wanted], part, plan, section.timeout_s, shown)
    tuned = {name: search for name, search in searches.items() if search.log.best is not None}
    if not tuned:
        raise KeyboardInterrupt
    left |= dict.fromkeys((name for name in searches if name not in tuned), "stopped before its first trial was over")
    report = _report(config, section, tuned, left, part, stopped=stopped)
    return Tuned(_write(Path(path), config, tuned, report, root), report, stopped)


def _overridden(section: TuneSection, trials: int | None, timeout_s: float | None) -> TuneSection:
    given = {"trials": trials, "timeout_s": timeout_s}
    for name, value in given.items():
        if value is not None and not value > 0:
            raise ConfigError(f"{name} is {value}; it must be above 0")
    return section.model_copy(update={name: value for name, value in given.items() if value is not None})


def _wanted(channels: Sequence[str], config: Config, spaces: Mapping[str, Space]) -> list[str]:
    """Return the channels to search, in the order of the configuration."""
    for name in channels:
        if name not in config.recipes:
            raise ConfigError(
                f"channel {name!r} is not among {', '.join(config.recipes)}{nearest_names(name, config.recipes)}"
            )
        if name not in spaces:
            raise ConfigError(f"channel {name!r} has no known space; write what to search into [tune.channels.{name}]")
    wanted = [name for name in spaces if not channels or name in channels]
    if not wanted:
        raise ConfigError("no channel has a space to search; write what to search into [tune.channels.NAME]")
    return wanted


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the output directory {str(root)!r} cannot be made: {error.strerror}") from error


def _divide(config: Config, section: TuneSection, root: Path, steps: Steps) -> tuple[Validation, str]:
    """Return the validation part of train, and the fingerprint of the data. The test part goes no further than here."""
    inputs, _, train = prepare(config, rejects=root / "rejects", steps=steps)
    inner = section.validation or inner_section(config.settings.split)
    with steps.step("hold out a validation part of train"):
        part = hold_out(config, train, inner, max_users=section.max_users, seed=config.settings.seed)
    return part, inputs.fingerprint


def _plan(config: Config, section: TuneSection) -> _Plan:
    metric, _, k = section.metric.partition("@")
    seed = config.settings.seed
    chosen: Metric = metric  # type: ignore[assignment]  # checked with the configuration
    draw_seed = seed if section.seed is None else section.seed
    return _Plan(chosen, int(k), seed, draw_seed, section.trials, config.settings.train.device)


def _open(
    config: Config,
    section: TuneSection,
    spaces: Mapping[str, Space],
    wanted: Sequence[str],
    root: Path,
    fingerprint: str,
    *,
    restart: bool,
) -> tuple[dict[str, Search], dict[str, str]]:
    """Return the searches with their trials so far, and of every other channel why it stays as it is."""
    searches: dict[str, Search] = {}
    left: dict[str, str] = {}
    for name, recipe in config.recipes.items():
        if name not in spaces:
            known = name in section.channels
            left[name] = f"[tune.channels.{name}] is empty" if known else "no space to search is given or known"
            continue
        identity = _identity(config, section, name, spaces[name], fingerprint)
        kind = config.settings.channels[name].get("recipe", name)
        try:
            log = TrialLog(root / "tune" / name, identity, restart=restart and name in wanted)
        except ConfigError:
            if name in wanted:
                raise
            left[name] = "its earlier search had other settings"
            continue
        if name in wanted or log.trials:
            searches[name] = Search(name, kind, recipe, spaces[name], log)
        else:
            left[name] = "it was not requested"
    return searches, left


def _identity(config: Config, section: TuneSection, channel: str, space: Space, fingerprint: str) -> dict[str, Any]:
    """Return all that the trials of a channel depend on, as JSON values."""
    recipe: Any = config.recipes[channel]
    validation = section.validation or inner_section(config.settings.split)
    identity = {
        "data files": fingerprint,
        **config.settings.model_dump(mode="json", exclude=_BESIDE_DATA),
        "validation": validation.model_dump(mode="json"),
        "metric": section.metric,
        "max_users": section.max_users,
        "tune.seed": section.seed,
        "space": {field: domain.to_dict() for field, domain in space.items()},
        f"channels.{channel}": {
            "recipe": config.settings.channels[channel].get("recipe", channel),
            **{field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)},
        },
    }
    return {key: plain(value) for key, value in identity.items()}


def _run(searches: Sequence[Search], part: Validation, plan: _Plan, timeout_s: float | None, steps: Steps) -> bool:
    """Make the trials; return whether Ctrl-C ended them early."""
    end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    try:
        # All present settings first: a channel that cannot learn from this data fails before the long searches begin.
        with steps.step("measure the present settings") as advance:
            for place, search in enumerate(searches):
                advance(place, len(searches), search.channel)
                if not search.log.trials:
                    search.log.append(*_next(search, part, plan))
            advance(len(searches), len(searches), "")
        for place, search in enumerate(searches):
            now = time.monotonic()
            with steps.step(f"search {search.channel}") as advance:
                _search(search, part, plan, now + (end - now) / (len(searches) - place), advance)
    except KeyboardInterrupt:
        return True
    return False


def _search(search: Search, part: Validation, plan: _Plan, deadline: float, advance: Advance) -> None:
    """Make trials until there are enough, the time is over or nothing is left to try."""
    log = search.log
    while len(log.trials) < plan.trials and time.monotonic() < deadline and not _exhausted(search):
        _show(search, plan, advance)
        log.append(*_next(search, part, plan))
    _show(search, plan, advance)
    if log.best is None:
        first = log.trials[0].message
        raise ConfigError(f"channel {search.channel!r}: all {len(log.trials)} trials failed, the first with: {first}")


def _show(search: Search, plan: _Plan, advance: Advance) -> None:
    best, made = search.log.best, len(search.log.trials)
    value = "none worked" if best is None else f"best {best.value:.4f}"
    advance(made, plan.trials, f"{made} trials, {value}")


def _exhausted(search: Search) -> bool:
    """Say whether a space of few settings has been tried whole."""
    tried = {repr(search.settings(trial.drawn)) for trial in search.log.trials if trial.drawn is not None}
    return len(tried) >= math.prod(domain.size for domain in search.space.values())


def _next(search: Search, part: Validation, plan: _Plan) -> tuple[Trial, npt.NDArray[np.float64] | None]:
    """Return the next trial and the metric of each user; settings that were tried already are not fitted again."""
    number = len(search.log.trials)
    if number == 0:
        return _try(search, Trial(0, _drawn(search), None), search.settings(None), part, plan)
    drawn = draw(search.space, search.log.trials, seed=plan.draw_seed, channel=search.channel)
    settings = search.settings(drawn)
    for earlier in search.log.trials:
        if repr(search.tried(earlier)) == repr(settings):
            return Trial(number, drawn, earlier.value, message=earlier.message, repeats=earlier.number), None
    return _try(search, Trial(number, drawn, None), settings, part, plan)


def _drawn(search: Search) -> dict[str, float] | None:
    """Return the numbers that stand for the present settings, None where one lies outside the space."""
    numbers: dict[str, float] = {}
    for field, value in search.settings(None).items():
        number = search.space[field].drawn(value)
        if number is None:
            return None
        numbers[field] = number
    return numbers


def _try(
    search: Search, trial: Trial, settings: Mapping[str, Any], part: Validation, plan: _Plan
) -> tuple[Trial, npt.NDArray[np.float64] | None]:
    """Fit and measure; settings that do not go together make a failed trial."""
    started = time.perf_counter()
    try:
        objective = MeanMetric(plan.metric, plan.k)
        context = FitContext(seed=plan.fit_seed, device=plan.device, validation=part.panel, objective=objective)
        channel = fit_or_choose(with_settings(search.recipe, settings), part.data, context).channel
        fitted = time.perf_counter()
        values = measured(channel, part.panel, plan.metric, plan.k)
    except ConfigError as error:
        return dataclasses.replace(trial, message=str(error)), None
    except DataError as error:
        # Under the present settings, it is the data that will not do.
        if trial.number == 0:
            raise
        return dataclasses.replace(trial, message=str(error)), None
    fit_s, measure_s = fitted - started, time.perf_counter() - fitted
    return dataclasses.replace(trial, value=float(values.mean()), fit_s=fit_s, measure_s=measure_s), values


def _report(
    config: Config,
    section: TuneSection,
    searches: Mapping[str, Search],
    left: Mapping[str, str],
    part: Validation,
    *,
    stopped: bool,
) -> dict[str, Any]:
    """Return ``tune.json`` as a mapping."""
    rounds, seed = config.settings.evaluate.bootstrap_rounds, config.settings.seed
    return {
        "dataset": config.settings.name,
        "metric": section.metric,
        "seed": seed,
        "tune_seed": section.seed if section.seed is not None else seed,
        "trials": section.trials,
        "timeout_s": section.timeout_s,
        "stopped": stopped,
        "split": config.settings.split.model_dump(mode="json"),
        "validation": plain(part.settings),
        "note": NOTE,
        "channels": {name: channel_report(search, rounds=rounds, seed=seed) for name, search in searches.items()},
        "left": dict(left),
        "bootstrap": {"rounds": rounds, "level": 0.95, "seed": seed},
        "versions": versions(),
    }


def _write(source: Path, config: Config, searches: Mapping[str, Search], report: dict[str, Any], root: Path) -> Path:
    """Write the results, each file whole or not at all; return the tuned configuration's path."""
    remark = f"best trials by {report['metric']} on a validation part of train; tune.json has every trial."
    changes = {name: search.changes() for name, search in searches.items()}
    text = tuned_text(source.read_text(encoding="utf-8"), config, changes, directory=root, remark=remark)
    for name, content in (
        ("tune.json", json_text(report, indent=2) + "\n"),
        ("tuned.toml", text),
        ("tune.html", page(report)),
    ):
        with written_whole(root / name) as part:
            part.write_text(content, encoding="utf-8")
    return root / "tuned.toml"
