"""Turtle, written by hand so that the same books give the same bytes, in lines that people can read."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

BASE = "https://graphrec.org/goodbooks/"
PREFIXES = {
    "schema": "https://schema.org/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    **{kind: f"{BASE}{kind}/" for kind in ("book", "author", "series", "genre")},
}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}

Pair = tuple[str, str]


def literal(text: str, datatype: str = "") -> str:
    """Return ``text`` as a Turtle literal, with a datatype in prefixed form where one is given."""
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return f'"{escaped}"' + (f"^^{datatype}" if datatype else "")


def year(number: int) -> str:
    """Return a year as xsd:gYear of four digits; -720 is 720 BCE, as XSD 1.0 reads it."""
    sign = "-" if number < 0 else ""
    return literal(f"{sign}{abs(number):04d}", "xsd:gYear")


def slug(name: str) -> str:
    """Return ``name`` as ASCII letters, digits and hyphens; a hash where the script has no ASCII form."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").casefold()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    return "-".join(words) or "x" + hashlib.sha256(name.encode()).hexdigest()[:8]


def slugs(names: Sequence[str]) -> list[str]:
    """Return one slug a name, no two alike: later ones of the same form get -2, -3, ..."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = slug(name)
        chosen, n = plain, 1
        while chosen in taken:
            n += 1
            chosen = f"{plain}-{n}"
        taken.add(chosen)
        found.append(chosen)
    return found


def header(comment: str) -> Iterator[str]:
    """Yield the comment and prefix lines of the document."""
    yield from (f"# {line}\n" for line in comment.splitlines())
    yield from (f"@prefix {prefix}: <{address}> .\n" for prefix, address in PREFIXES.items())


def subject(name: str, pairs: Iterable[Pair]) -> str:
    """Return one subject with its (predicate, object) pairs; equal neighbouring predicates share a line."""
    merged: list[tuple[str, list[str]]] = []
    for predicate, value in pairs:
        if merged and merged[-1][0] == predicate:
            merged[-1][1].append(value)
        else:
            merged.append((predicate, [value]))
    body = " ;\n    ".join(f"{predicate} {', '.join(values)}" for predicate, values in merged)
    return f"\n{name} {body} .\n"
