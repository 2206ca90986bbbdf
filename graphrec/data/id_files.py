"""Files of ids, one a line: lists that people write, and the items that are taken down."""

from __future__ import annotations

import json
from collections.abc import Iterable

_COMMENT, _QUOTE = "#", '"'


def id_of_line(line: str) -> str | None:
    """Return the id that a line holds, None for an empty line and a comment (``#`` as its first sign).

    White space around an id does not count. An id that could not stand as it is (one that begins with ``#``, or ends
    in a blank) is written as a JSON string; what begins with a quote and is no JSON string is an id as it stands. So
    no line is wrong.
    """
    text = line.strip()
    if not text or text.startswith(_COMMENT):
        return None
    if text.startswith(_QUOTE):
        try:
            external = json.loads(text)
        except ValueError:
            return text
        return external if isinstance(external, str) else text
    return text


def line_of_id(external: str) -> str:
    """Return the line, without its end, that :func:`id_of_line` reads as ``external``."""
    whole = external.splitlines() == [external] and external.encode("utf-8", "replace").decode() == external
    return external if whole and id_of_line(external) == external else json.dumps(external)


def ids_of_text(text: str) -> list[str]:
    """Return the ids of all lines, each once, in order."""
    ids = (id_of_line(line) for line in text.splitlines())
    return list(dict.fromkeys(external for external in ids if external is not None))


def text_of_ids(ids: Iterable[str]) -> str:
    """Return a text that :func:`ids_of_text` reads as ``ids``."""
    return "".join(f"{line_of_id(external)}\n" for external in ids)
