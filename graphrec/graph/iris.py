"""What an IRI says to people: its last part."""

from __future__ import annotations

from urllib.parse import unquote


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


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
