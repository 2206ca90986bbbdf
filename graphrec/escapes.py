r"""How text of strangers leaves the program: for people, for JSON, for spreadsheets.

Titles, ids, paths and names may hold anything: escape sequences that colour a terminal, rename its window or make
links, controls that turn the direction of writing, lone surrogates that no encoding can write, formulas that a
spreadsheet runs. Each way out has its function here; Jinja, which renders every page, escapes HTML (``autoescape``).
"""

from __future__ import annotations

import json
import re
from typing import Any

# Control characters but tab and line feed; line and paragraph separators; controls of the direction of writing and
# other format characters without a shape; lone surrogates; tags, which spell invisible text.
_ACTIVE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_active = re.compile(f"[{_ACTIVE}]")
_active_or_break = re.compile(f"[\t\n{_ACTIVE}]")
# What spreadsheets take for the beginning of a formula, unless a number follows the sign.
_formula = re.compile(r"[=@\t\r\n]|[+-](?!\d*\.?\d+(?:[eE][+-]?\d+)?\Z)")


def visible(text: str) -> str:
    r"""Return ``text`` with every character that would act on a terminal written out, like ``\x1b``.

    Line feeds and tabs stay, and so do joiners (U+200C, U+200D), which some scripts and emoji need.

    Examples
    --------
    >>> visible("a\x1b[31mred\u202e")
    'a\\x1b[31mred\\u202e'
    """
    return _active.sub(_written_out, text)


def one_line(text: str) -> str:
    r"""Return ``text`` as :func:`visible` does, line feeds and tabs written out too: it stays one line."""
    return _active_or_break.sub(_written_out, text)


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    r"""Return ``value`` as JSON that any reader takes back to the same value.

    Characters that act on a terminal, and lone surrogates, are written as ``\uXXXX``; other text stays readable unless
    ``ascii_only`` is set.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    # Outside strings JSON has no such characters, and inside them dumps wrote C0 controls out already; line feeds
    # that are left are its own layout.
    return _active.sub(lambda found: json.dumps(found[0])[1:-1], text)


def toml_text(text: str) -> str:
    r"""Return ``text`` as a basic string of TOML, quotes around it, characters that act on a terminal written out.

    Examples
    --------
    >>> toml_text('a "b"\x1b')
    '"a \\\\"b\\\\"\\\\u001b"'
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return _active.sub(
        lambda found: f"\\u{ord(found[0]):04x}" if found[0] <= "\uffff" else f"\\U{ord(found[0]):08x}", quoted
    )


def spreadsheet_cell(value: object) -> object:
    """Return a value for a CSV that people open: text that would run as a formula gets an apostrophe before it.

    For files that people read. Files that a program reads back hold the text as it is.

    Examples
    --------
    >>> spreadsheet_cell("=1+1"), spreadsheet_cell("-5"), spreadsheet_cell("-5+cmd")
    ("'=1+1", '-5', "'-5+cmd")
    """
    if not isinstance(value, str):
        return value
    # A lone surrogate cannot be written as UTF-8.
    text = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return f"'{text}" if _formula.match(text) else text


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
