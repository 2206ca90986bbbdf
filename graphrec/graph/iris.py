"""What an IRI says to people: its last part."""

from __future__ import annotations

from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from graphrec.data.text_buffers import text_buffers, texts_of


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

    from graphrec.graph.iri_kernels import readable_tails

    offsets, data = text_buffers(iris)
    out, ends = np.empty(int(offsets[-1] - offsets[0]), dtype=np.uint8), np.zeros(len(iris) + 1, dtype=np.int64)
    readable_tails(offsets, data, out, ends)
    names, others = texts_of(ends, out), ends[1:] == ends[:-1]
    if not others.any():
        return names
    mask = pa.array(others)
    rest = pa.array([readable_name(iri) for iri in iris.filter(mask).to_pylist()], pa.large_string())
    return pc.replace_with_mask(names, mask, rest)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text
