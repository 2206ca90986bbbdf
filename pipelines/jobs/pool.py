"""The pool of a configuration: what its rules make of the events that channels learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphrec.contracts.recall_data import RecallData
from graphrec.data.id_files import text_of_ids
from graphrec.data.scratch import written_whole
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, nearest_names
from graphrec.pool.pool import candidate_pool, newest
from graphrec.pool.rules import Label, Tag, absent_names

from ..config.build import Config
from ..readers.id_lists import read_ids

# Unknown ids that a report names, with what they may have meant; looking for that is slow in large catalogues.
_NAMED, _SUGGEST_LIMIT = 5, 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """``data`` with its pool, and the report of how the pool came about (JSON values)."""

    data: RecallData
    report: dict[str, Any]


def with_pool(config: Config, data: RecallData, *, events: Literal["train", "all"]) -> Pooled:
    """Return ``data`` with the pool that the rules of the configuration leave.

    Parameters
    ----------
    data : RecallData
        What channels learn from: activity is counted on these events and no others.
    events : {"train", "all"}
        "train" while something is held out: then ``pool.now`` counts for no later than the newest event, so that the
        last days are those before the cut.

    Raises
    ------
    ConfigError, DataError
        If a rule needs what is not there, a list of ids cannot be read, or nothing is left.
    """
    section = config.settings.pool
    latest, now = newest(data), section.now
    if now is not None and latest is not None and events == "train":
        now = min(now, latest)
    lists = {
        "allow": _ids(section.allow, section.allow_file, config),
        "deny": _ids(section.deny, section.deny_file, config),
    }
    rows = {name: data.items.rows(ids, missing="drop") for name, ids in lists.items()}
    chosen = candidate_pool(data, config.rules, allow=rows["allow"], deny=rows["deny"], now=now)
    report = {
        "events": events,
        **chosen.report.to_dict(),
        "now": _iso(chosen.report.now),
        "now_from": "pool.now" if now is not None and now == section.now else "the newest event",
        **{name: _list_report(ids, data.items) for name, ids in lists.items()},
        "notes": _notes(config, data, lists),
    }
    # What data.pool leaves out already (operations deny it) no rule brings back.
    return Pooled(dataclasses.replace(data, pool=chosen.mask & data.pool), report)


def write_pool(data: RecallData, path: Path) -> None:
    """Write the ids of the pool, one a line, as allow and deny files have them; the file is whole or not there.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    try:
        with written_whole(path) as part:
            part.write_text(text_of_ids(data.items.take(np.flatnonzero(data.pool))), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def pool_files(config: Config) -> list[Path]:
    """Return the files of ids that a configuration names."""
    section = config.settings.pool
    return [config.resolve(path) for path in (section.allow_file, section.deny_file) if path is not None]


def _ids(inline: Sequence[str], path: Path | None, config: Config) -> list[str]:
    """Return the ids of a list, inline ones first, each once."""
    ids = list(inline)
    if path is not None:
        ids += read_ids(config.resolve(path))
    return list(dict.fromkeys(ids))


def _list_report(ids: Sequence[str], items: Vocabulary) -> dict[str, Any]:
    """Return how many ids a list has, and which of them are no items."""
    unknown = [name for name in ids if name not in items]
    near = {name: nearest_names(name, items).removeprefix("; ") for name in unknown[:_NAMED]} if _few(items) else {}
    named = [f"{name!r}" + (f" ({near[name]})" if near.get(name) else "") for name in unknown[:_NAMED]]
    return {"given": len(ids), "unknown": len(unknown), "unknown_examples": named}


def _few(items: Vocabulary) -> bool:
    return len(items) <= _SUGGEST_LIMIT


def _notes(config: Config, data: RecallData, lists: dict[str, list[str]]) -> list[str]:
    """Return a sentence for each thing that is legal, but was hardly meant."""
    notes = []
    denied = set(lists["deny"])
    if both := [name for name in lists["allow"] if name in denied]:
        named = f"{both[0]!r} is" if len(both) == 1 else f"{both[0]!r} and {len(both) - 1:,} more are"
        notes.append(f"{named} in the allow list and in the deny list: deny wins; name each in one of them")
    for rule in config.rules:
        if isinstance(rule, Label | Tag) and (absent := absent_names(rule, data)):
            named = ", ".join(f"{name!r}{nearest_names(name, rule.known(data))}" for name in absent[:_NAMED])
            notes.append(f"no item has the {rule.what} {named}")
    return notes


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC).isoformat().replace("+00:00", "Z")
