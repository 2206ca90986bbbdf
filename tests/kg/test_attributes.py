"""Literals of a knowledge graph as columns of item features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.kg.attributes import ItemAttributes, item_attributes
from graphrec.kg.linking import link_by_template
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import write

PREFIXES = "@prefix : <http://e/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
ITEMS = ["a", "b", "c", "nowhere"]
DAY_S = 86_400


def _read(
    directory: Path, statements: str, *predicates: str, languages: tuple[str, ...] = ("en", "")
) -> ItemAttributes:
    kg = read_rdf(write(directory / "world.ttl", PREFIXES + statements))
    return item_attributes(
        kg, link_by_template(Vocabulary(ITEMS), kg, "http://e/{id}"), predicates, languages=languages
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("320", "1.5", "2e3"), (320, 1.5, 2000)),
        (('"7"^^xsd:byte', '"-2"^^xsd:negativeInteger', '"0.5"^^xsd:float'), (7, -2, 0.5)),
        (('"12"', '" 3.5 "', '"1e2"'), (12, 3.5, 100)),  # plain text
        (('"1999"^^xsd:gYear', '"2001"^^xsd:gYear', '"0987"^^xsd:gYear'), (1999, 2001, 987)),
        (("1965, 1967", "1969", '"1969-10-01"^^xsd:date'), (1966, 1969, 1969)),  # the mean; a date's year
    ],
)
def test_numbers(tmp_path: Path, values: tuple[str, ...], expected: tuple[float, ...]) -> None:
    world = "".join(f":{item} :size {value} .\n" for item, value in zip(ITEMS, values, strict=False))
    read = _read(tmp_path, world, "size")
    np.testing.assert_allclose(read.features.number("size"), [*expected, np.nan])
    assert read.columns["size"].kind == "number"
    assert read.columns["size"].unusable == 0
    assert read.features.moments == ()


def test_moments_are_seconds_of_the_earliest(tmp_path: Path) -> None:
    world = """
        :a :released "1970-01-03"^^xsd:date, "1970-01-02"^^xsd:date . :b :released "1970-02"^^xsd:gYearMonth .
        :c :released "1970-01-01T02:00:00+01:00"^^xsd:dateTime, "1971"^^xsd:gYear .
    """
    read = _read(tmp_path, world, "released")
    np.testing.assert_array_equal(read.features.number("released"), [DAY_S, 31 * DAY_S, 3600, np.nan])
    assert read.features.moments == ("released",)
    assert read.columns["released"].items == 3


def test_texts_are_those_of_the_best_language(tmp_path: Path) -> None:
    world = """
        :a :says "Wüste"@de, "sand"@en-gb, "desert"@en . :b :says "Ring"@de, "plain" . :c :says "nur"@de .
        :x :says "somebody else" .
    """
    read = _read(tmp_path, world, "says")
    assert read.features.texts["says"].to_pylist() == ["desert\nsand", "plain", "nur", None]
    german = _read(tmp_path, world, "says", languages=("de",))
    assert german.features.texts["says"].to_pylist() == ["Wüste", "Ring", "nur", None]


def test_values_of_another_kind_are_counted_and_kept(tmp_path: Path) -> None:
    world = ':a :pages 100, "many" . :b :pages "1e400"^^xsd:double, 7 . :c :pages 9, "" .'
    read = _read(tmp_path, world, "pages")
    np.testing.assert_array_equal(read.features.number("pages"), [100, 7, 9, np.nan])
    column = read.columns["pages"]
    assert (column.values, column.unusable, column.items) == (6, 3, 3)
    assert sorted(read.rejects["text"].to_list()) == ["", "1e400", "many"]
    assert set(read.rejects["predicate"]) == {"http://e/pages"}
    assert column.first in ("", "1e400", "many")


def test_predicates_of_one_name_are_two_columns(tmp_path: Path) -> None:
    world = ":a :size 1 ; <http://other/size> 2 ."
    read = _read(tmp_path, world, "http://e/size", "http://other/size")
    assert [read.features.numbers[name][0] for name in ("size", "size_2")] == [1, 2]


def test_an_entity_of_several_items_describes_each(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "world.ttl", PREFIXES + ":a :size 3 ."))
    linking = link_by_template(Vocabulary(ITEMS), kg, "http://e/{id}")
    linking.entities[1] = linking.entities[0]
    np.testing.assert_array_equal(
        item_attributes(kg, linking, ["size"]).features.number("size"), [3, 3, np.nan, np.nan]
    )


@pytest.mark.parametrize(
    ("predicate", "error", "message"),
    [
        ("author", DataError, "<http://e/author> leads from no linked entity to a literal; values that are entities"),
        ("of_x", DataError, "<http://e/of_x> leads from no linked entity"),
        ("sise", DataError, "sise"),
    ],
)
def test_predicates_that_say_nothing_are_refused(
    tmp_path: Path, predicate: str, error: type[Exception], message: str
) -> None:
    with pytest.raises((error, ConfigError), match=message):
        _read(tmp_path, ":a :author :x ; :size 3 . :x :of_x 4 .", predicate)
