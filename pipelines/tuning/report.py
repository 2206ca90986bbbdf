"""The result of a search: ``tune.json`` for programs, a table for the terminal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from graphrec.contracts.domains import Space
from graphrec.contracts.recipe import Recipe
from graphrec.evaluation.bootstrap import Interval, difference_interval

from ..environment import package_versions
from ..report.numbers import DASH, percent, points_interval
from .sampler import importances
from .search_spaces import present_settings
from .trial_log import Trial, TrialLog

NOTE = (
    "The best of many trials is partly luck: its value and its gain on the users it was chosen by are optimistic. "
    "'graphrec evaluate tuned.toml' measures it on the test part, which the search never saw."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """One channel under search: its recipe with the present settings, what is searched, and the trials."""

    channel: str
    kind: str
    recipe: Recipe
    space: Space
    log: TrialLog

    def settings(self, drawn: Mapping[str, float] | None) -> dict[str, Any]:
        """Return the settings that a draw stands for; None stands for the present ones."""
        if drawn is None:
            return present_settings(self.recipe, self.space)
        return {field: domain.value(drawn[field]) for field, domain in self.space.items()}

    def tried(self, trial: Trial) -> dict[str, Any]:
        """Return the settings of a trial."""
        return self.settings(None if trial.number == 0 else trial.drawn)

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Return field -> (present, best) for the settings in which the best trial differs."""
        best = self.log.best
        if best is None:
            return {}
        present, new = self.settings(None), self.tried(best)
        return {field: (present[field], new[field]) for field in new if repr(present[field]) != repr(new[field])}


def channel_report(search: Search, *, rounds: int, seed: int) -> dict[str, Any]:
    """Return the result of a channel that has a best trial, as JSON values."""
    log, best, present = search.log, search.log.best, search.log.present
    if best is None or present is None:
        raise ValueError(f"channel {search.channel!r} has no trial that worked")
    better = None
    if present.value is not None:
        ours, theirs = log.values(best), log.values(present)
        better = difference_interval(ours, theirs, rounds=rounds, seed=seed).to_list()
    result = {
        "recipe": search.kind,
        "space": {field: domain.to_dict() for field, domain in search.space.items()},
        "present": {"value": present.value, "message": present.message, "settings": search.settings(None)},
        "best": {"trial": best.number, "value": best.value, "settings": search.tried(best)},
        "gain": better,
        "changed": {field: list(pair) for field, pair in search.changes().items()},
        "importances": importances(search.space, log.trials),
        "seconds": round(sum(trial.fit_s + trial.measure_s for trial in log.trials), 3),
        "failed": sum(trial.value is None for trial in log.trials),
        "trials": [_trial(search, trial) for trial in log.trials],
    }
    return {key: plain(value) for key, value in result.items()}


def _trial(search: Search, trial: Trial) -> dict[str, Any]:
    state = "failed" if trial.value is None else "repeated" if trial.repeats is not None else "measured"
    return {
        "number": trial.number,
        "state": state,
        "value": trial.value,
        "settings": search.tried(trial),
        "fit_s": round(trial.fit_s, 4),
        "measure_s": round(trial.measure_s, 4),
        "message": trial.message,
        "repeats": trial.repeats,
    }


def plain(value: Any) -> Any:
    """Return a value as JSON holds it; what JSON cannot say (inf, a path) becomes text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def versions() -> dict[str, str]:
    """Return the versions that the same search needs for the same result."""
    return package_versions(("numpy", "scipy", "numba", "optuna"))


def tune_table(report: Mapping[str, Any]) -> Table:
    """Return a line a channel for a terminal of 80 columns: present value, best value, gain, what changed."""
    table = Table(
        title=f"{report['metric']} on validation users, in %: present settings and the best trial",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        padding=(0, 1, 0, 0),
    )
    table.add_column("channel")
    for heading in ("now", "best", "gain, points [95 %]"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("changed settings")
    for name, row in report["channels"].items():
        table.add_row(
            name,
            percent(row["present"]["value"]),
            Text(percent(row["best"]["value"]), style="bold"),
            points_interval(gain(row)),
            "\n".join(changed_settings(row)) or DASH,
        )
    table.caption = protocol(report)
    return table


def gain(row: Mapping[str, Any]) -> Interval | None:
    """Return how much better the best trial is than the present settings; None where these failed."""
    return None if row["gain"] is None else Interval(*row["gain"])


def changed_settings(row: Mapping[str, Any]) -> list[str]:
    """Return the settings that the best trial changed, each like ``k 100 → 312``."""
    return [f"{field} {setting_text(old)} → {setting_text(new)}" for field, (old, new) in row["changed"].items()]


def setting_text(value: Any) -> str:
    """Return a setting as TOML writes it, floats with four figures."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def protocol(report: Mapping[str, Any]) -> str:
    """Return in one line what the numbers were measured on."""
    part = report["validation"]
    return (
        f"{report['dataset']}: {part['users_measured']:,} users, validation part of train ({part['kind']}), "
        f"seed {report['seed']}; the test part was not used"
    )
