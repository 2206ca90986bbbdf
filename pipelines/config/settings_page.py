"""The page of all settings, out of what declares them.

``python -m graphrec.pipelines.config.settings_page docs/settings.md`` writes it again.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.fusion.settings import FUSIONS, fusion_class
from graphrec.fusion.settings import RECIPES as FITTED
from graphrec.pool.rules import RULES

from ..readers.table_source import TableSource
from .declared import plain, references, rows_of, sections_below
from .sections import TrainConfig

_HEAD = """# All settings

Written by `python -m graphrec.pipelines.config.settings_page docs/settings.md` out of the declarations in the code; a
test holds that it is current. [configuration.md](configuration.md) explains the file as a whole, [tuning.md](tuning.md)
how settings are searched. A default of "none" is a setting that is left out; one without a default must be given.
"""


def settings_page() -> str:
    """Return the page in Markdown."""
    parts = [_HEAD, "## Tables of the configuration\n", _part("The whole file", TrainConfig)]
    parts.append(_part("Every table that is read", TableSource))
    parts += [_part(place, section) for section, place in _sections().items()]
    parts.append("## Rules of the pool: `[[pool.rules]]`\n")
    parts += [_part(f'`kind = "{kind}"`', rule) for kind, rule in RULES.items()]
    parts.append("## Fusions: `[fusion]`\n")
    parts += [_part(f'`kind = "{kind}"`', made) for kind, made in _fusions().items()]
    parts.append("## Channels: `[channels.NAME]`\n")
    parts += [_channel(name, recipe_class(name)) for name in RECIPES]
    return "\n".join(parts)


def _sections() -> dict[type[Any], str]:
    """Return the sections of the configuration but those that have only sections below, each with all its places."""
    places: dict[type[Any], str] = {}
    for place, section in sections_below(TrainConfig):
        if rows_of(section):
            places[section] = ", ".join(part for part in (places.get(section), f"`[{place}]`") if part)
    return places


def _fusions() -> dict[str, type[Any]]:
    """Return what people write settings of: not the kinds whose settings are what fitting makes of them."""
    kinds = {kind: fusion_class(kind) for kind in (*FUSIONS, *FITTED)}
    return {kind: made for kind, made in kinds.items() if not (f"fitted-{kind}" in FITTED and _must_be_given(made))}


def _must_be_given(made: Any) -> bool:
    fields = dataclasses.fields(made)
    return any(field.default is field.default_factory is dataclasses.MISSING for field in fields)


def _channel(name: str, recipe: type[Any]) -> str:
    sources = "".join(f"{number}. {text}\n" for number, text in enumerate(references(recipe), 1))
    return _part(f"`{name}`", recipe) + (f"\nAfter:\n\n{sources}" if sources else "")


def _part(title: str, made: type[Any]) -> str:
    """Return a heading, what declares the settings, and a table; columns that are empty throughout are left out."""
    rows = rows_of(made, without=TableSource if made is not TableSource else None)
    columns = {
        "setting": [f"`{row.name}`" for row in rows],
        "default": [row.default for row in rows],
        "legal": [row.legal for row in rows],
        "unit": [row.unit for row in rows],
        "searched": [row.search for row in rows],
        "means, and where the default comes from": [row.meaning for row in rows],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells)}
    lines = [list(columns), ["---"] * len(columns), *map(list, zip(*columns.values(), strict=True))]
    table = "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
    summary = plain((made.__doc__ or "").strip().split("\n\n")[0])
    if issubclass(made, TableSource) and made is not TableSource:
        table = "As every table" + (f", and:\n\n{table}" if rows else ".\n")
    return f"### {title}\n\n{summary} (`{made.__module__}:{made.__name__}`)\n\n{table}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(settings_page(), encoding="utf-8")
