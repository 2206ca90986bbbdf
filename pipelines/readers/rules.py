"""The file of rules that people edit: read from TOML or CSV, every fault with its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphrec.checks import as_path
from graphrec.contracts.recall_data import RecallData
from graphrec.data.files import file_sha256
from graphrec.data.rules import KINDS, Entry, Rule, Rules
from graphrec.errors import ConfigError, nearest_names
from graphrec.operations.recipe import Operations

from ..config.build import Config, from_table
from ..config.toml_files import parsed_toml, toml_text
from .inputs import Inputs
from .moments import moment

_LISTS = ("items", "positions")
_PAIRS = ("segment", "label")


class _Table(NamedTuple):
    """One rule as it was written."""

    where: str
    kind: str
    values: dict[str, Any]


def read_rules(path: str | Path) -> tuple[Rules, list[str]]:
    """Return the rules of a file that can be used by themselves, and a sentence for each that cannot.

    Whether they fit each other and a catalogue is for :func:`graphrec.operations.conflicts.find_problems`.

    Parameters
    ----------
    path : Path
        ``.csv``, or TOML under any other name. The format is that of ``docs/operations.md``.

    Raises
    ------
    ConfigError
        If the file is missing, no UTF-8 text, or no TOML or CSV.
    """
    path = as_path(path, name="the file of rules")
    text = toml_text(path, what="file of rules")
    entries: list[Entry] = []
    problems: list[str] = []
    for table in _csv(text, path) if path.suffix.lower() == ".csv" else _toml(text, path):
        try:
            entries.append(Entry(table.where, _rule(table)))
        except ConfigError as error:
            problems.append(f"{table.where}: {error}")
    return Rules(tuple(entries)), problems


def with_rules(config: Config, inputs: Inputs) -> Inputs:
    """Return the inputs with the rules that the operations channel names; what they deny is no longer in the pool.

    Raises
    ------
    ConfigError
        If the file cannot be read, a rule is wrong by itself, or two channels name rules.
    """
    recipes = [recipe for recipe in config.recipes.values() if isinstance(recipe, Operations)]
    if not recipes:
        return inputs
    if len(recipes) > 1:
        raise ConfigError(f"{len(recipes)} channels are operations; there may be one, with one file of rules")
    path = config.resolve(Path(recipes[0].rules))
    rules, problems = read_rules(path)
    if problems:
        more = f" (and {len(problems) - 1} more: graphrec operations check)" if len(problems) > 1 else ""
        raise ConfigError(problems[0] + more)
    report = {
        "name": recipes[0].rules,
        "sha256": file_sha256(path),
        "rules": {kind: sum(isinstance(entry.rule, made) for entry in rules.entries) for kind, made in KINDS.items()},
        "denied": len(set(rules.denied)),
    }
    data = replace(inputs.data, rules=rules, pool=without_denied(rules, inputs.data))
    return replace(inputs, data=data, report={**inputs.report, "operations": report})


def without_denied(rules: Rules, data: RecallData) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return (n_items,) bool: the pool without the items that are denied. Ids that are not known deny nothing."""
    pool = data.pool.copy()
    pool[data.items.rows(list(rules.denied), missing="drop")] = False
    return pool


def _rule(table: _Table) -> Rule:
    """Make the rule that a table describes."""
    values = dict(table.values)
    name = values.get("name") or values.get("item") or ""
    place = f"{table.kind} {name!r}" if name else table.kind
    if table.kind not in KINDS:
        raise ConfigError(
            f"{table.kind!r} is no kind of rule{nearest_names(table.kind, KINDS)}; legal: {', '.join(KINDS)}"
        )
    for key in ("start", "end"):
        if key in values:
            try:
                values[key] = moment(values[key])
            except ConfigError as error:
                raise ConfigError(f"{place}: {key} {error}") from error
    if isinstance(segment := values.get("segment"), Mapping):
        values["segment"] = {key: [labels] if isinstance(labels, str) else labels for key, labels in segment.items()}
    made: Rule = from_table(KINDS[table.kind], values, place=place)
    return made


def _toml(text: str, path: Path) -> Iterator[_Table]:
    """Read ``[[pin]]`` and its like, kind by kind, each with the line of its header."""
    document = parsed_toml(text, path)
    read = []
    for kind, tables in document.items():
        header = re.compile(rf"^\s*\[\[\s*[\"']?{re.escape(kind)}[\"']?\s*\]\]", re.MULTILINE)
        lines = [text.count("\n", 0, match.start() + len(match[0])) + 1 for match in header.finditer(text)]
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise ConfigError(f"{path}: {kind} is no list of tables; write [[{kind}]] above each rule")
        for number, values in enumerate(tables, 1):
            # Where rules are written in another way, the line is not known.
            line = lines[number - 1] if len(lines) == len(tables) else 0
            read.append((line, _Table(f"{path}, line {line}" if line else f"{path}, {kind} {number}", kind, values)))
    yield from (table for _, table in sorted(read, key=lambda pair: pair[0]))


def _csv(text: str, path: Path) -> Iterator[_Table]:
    """Read one rule a line; empty cells are left out, lists are divided by ``|``, pairs written ``label=value;…``."""
    lines = csv.reader(text.splitlines())
    header = [name.strip() for name in next(_sound(lines, path), [])]
    if "kind" not in header:
        raise ConfigError(f"{path}: the first line names no column 'kind'; found: {', '.join(header) or 'nothing'}")
    for cells in _sound(lines, path):
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        where = f"{path}, line {lines.line_num}"
        if len(cells) > len(header):
            raise ConfigError(f"{where}: has {len(cells)} cells, the first line names {len(header)} columns")
        values: dict[str, Any] = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
        yield _Table(where, values.pop("kind", ""), {name: _cell(name, cell) for name, cell in values.items()})


def _sound(lines: Any, path: Path) -> Iterator[list[str]]:
    """Yield the lines of a CSV file; one that is no CSV ends in a sentence."""
    try:
        yield from lines
    except csv.Error as error:
        raise ConfigError(f"{path}, line {lines.line_num}: cannot be read as CSV ({error})") from error


def _cell(name: str, cell: str) -> object:
    if name in _LISTS:
        return [part.strip() for part in cell.split("|") if part.strip()]
    if name in _PAIRS:
        pairs = dict(pair.partition("=")[::2] for pair in cell.split(";") if pair.strip())
        split = {key.strip(): [part.strip() for part in text.split("|") if part.strip()] for key, text in pairs.items()}
        return {key: texts[0] if len(texts) == 1 else texts for key, texts in split.items()}
    return cell
