"""What an IRI says to people: its last part."""

from __future__ import annotations

from urllib.parse import unquote

import pyarrow as pa

# A last part of letters that stand for themselves, and of spaces.
_SAFE = r"[#/](?:[A-Za-z0-9.,'()!~*&;=+$@_-]|%20)+$"


def local_name(iri: str) -> str:
    """Return the last part of an IRI, percent-decoded: after the last ``#`` or ``/``, else after the last ``:``.

    Separators at the end do not count; a name without any (a relation's short name) stays as it is. Bytes that are not
    UTF-8 stay percent-encoded.

    >>> [local_name(iri) for iri in ("http://e.org/ns#author", "http://e.org/Milo%C5%A1/", "urn:isbn:0441013597")]
    ['author', 'Miloš', '0441013597']
    """
    trimmed = iri.rstrip("#/:")
    tail = trimmed.replace("#", "/").rpartition("/")[2]
    return _decoded(tail if tail != trimmed else trimmed.rpartition(":")[2]) or iri


def readable_name(iri: str) -> str:
    """Return the last part of an IRI with spaces for underscores.

    >>> readable_name("http://dbpedia.org/resource/Milo%C5%A1_Forman")
    'Miloš Forman'
    """
    return " ".join(local_name(iri).replace("_", " ").split()) or iri


def readable_names(iris: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return :func:`readable_name` of each; most take no Python object.

    >>> readable_names(pa.array(["http://e.org/Mark%20P._Morford", "urn:isbn:1"], pa.large_string())).to_pylist()
    ['Mark P. Morford', '1']
    """
    import pyarrow.compute as pc

    safe = pc.match_substring_regex(iris, _SAFE)
    tails = pc.replace_substring_regex(iris.filter(safe), r"^.*[#/]", "")
    names = pc.utf8_trim(pc.replace_substring_regex(tails, "(?:_|%20)+", " "), " ")
    chosen = pc.replace_with_mask(pa.nulls(len(iris), pa.large_string()), safe, names)
    others = pc.fill_null(pc.equal(chosen, ""), fill_value=True)
    rest = pa.array([readable_name(iri) for iri in iris.filter(others).to_pylist()], pa.large_string())
    return pc.replace_with_mask(chosen, others, rest)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
