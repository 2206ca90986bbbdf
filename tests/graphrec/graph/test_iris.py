from __future__ import annotations

from urllib.parse import quote

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.graph.iris import local_name, readable_name, readable_names
from graphrec.kg.naming import short_name
from graphrec.serve.paths import plain_name

NAMESPACES = (
    "http://e.org/ns#", "http://e.org/a/b/", "urn:isbn:", "urn:uuid:x:", "https://e.org/a:b/", "tag:e.org,2026:x#",
    "http://e.org/a/b#c/",
)  # fmt: skip


@pytest.mark.parametrize(
    ("iri", "name"),
    [
        ("http://schema.org/isPartOf", "isPartOf"),
        ("http://www.w3.org/2004/02/skos/core#broader", "broader"),
        ("urn:ex:author", "author"),
        ("urn:ex:people/author", "author"),
        ("http://e.org/resource/Category:Films", "Category:Films"),
        ("http://e.org/schema.json#/definitions/author", "author"),
        ("http://e.org/Gr%C3%B6%C3%9Fe", "Größe"),
        ("http://e.org/a%2Fb%23c", "a/b#c"),
        ("http://e.org/caf%E9", "caf%E9"),
        ("http://e.org/", "e.org"),
        ("http://e.org", "e.org"),
        ("author", "author"),
        ("rev_is_part_of", "rev_is_part_of"),
        ("#", "#"),
        ("", ""),
    ],
)
def test_the_last_part(iri: str, name: str) -> None:
    assert local_name(iri) == name


@given(
    st.sampled_from(NAMESPACES),
    st.text(st.characters(codec="utf-8", exclude_characters="#/:%"), min_size=1, max_size=8),
    st.text("#/:", max_size=3),
)
def test_any_name_in_any_namespace_with_any_end(namespace: str, name: str, end: str) -> None:
    assert local_name(namespace + quote(name, safe="") + end) == name
    assert local_name(namespace + name + end) == name


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("name", ["author", "isPartOf", "Größe", "Milo%C5%A1_Forman"])
def test_every_room_takes_the_same_part(namespace: str, name: str) -> None:
    assert readable_name(namespace + name) == readable_name(name)
    assert short_name(namespace + name) == short_name(name)
    assert plain_name(namespace + name) == plain_name(name)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(NAMESPACES), st.text("aB1_-. %20:/#é'", max_size=8)).map("".join),
            st.text(max_size=8),
        ),
        max_size=8,
    )
)
def test_names_of_many_are_those_of_each(iris: list[str]) -> None:
    names = readable_names(pa.array(iris, pa.large_string()))
    assert names.to_pylist() == [readable_name(iri) for iri in iris]
