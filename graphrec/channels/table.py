"""The table of channels for people, out of what recipes declare.

``python -m graphrec.channels.table README.md`` writes the table of a page again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.recipe import About

_HEAD = (
    "| name | recalls | ends in | an unknown user | an item without events |",
    "|---|---|---|---|---|",
)


def markdown_table() -> str:
    """Return a row a channel, in Markdown."""
    return "\n".join([*_HEAD, *(_row(name, recipe_class(name).about) for name in RECIPES)]) + "\n"


def _row(name: str, about: About) -> str:
    return f"| `{name}` | {about.recalls} | {about.artefact} | {about.unknown_users} | {about.cold_items} |"


def with_table(page: str) -> str:
    """Return a page with its table of channels as it is now; ValueError where it has none."""
    start = page.index(_HEAD[0])
    end = page.index("\n\n", start) + 1
    return page[:start] + markdown_table() + page[end:]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
