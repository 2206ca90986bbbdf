"""Short, unique names for node types and relations, made from IRIs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphrec.graph.iris import local_name


def short_name(iri: str) -> str:
    """Return the last part of an IRI in snake case: letters a-z, digits and underscores, a letter first.

    >>> short_name("http://schema.org/isPartOf")
    'is_part_of'
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", local_name(iri))
    name = re.sub(r"[^0-9a-z]+", "_", words.lower()).strip("_")
    if not name:
        return "x"
    # ``rev_`` begins the names of reverses.
    return name if name[0].isalpha() and not name.startswith("rev_") else f"x_{name}"


def unique_names(iris: Iterable[str], *, reserved: Iterable[str] = ()) -> list[str]:
    """Return a short name for each IRI; the second of a name is ``name_2``, and so on.

    A name is also avoided where it, or its reverse ``rev_name``, is reserved or taken already.
    """
    taken = set(reserved)
    names = []
    for iri in iris:
        plain = name = short_name(iri)
        count = 1
        while name in taken or f"rev_{name}" in taken:
            count += 1
            name = f"{plain}_{count}"
        taken |= {name, f"rev_{name}"}
        names.append(name)
    return names
