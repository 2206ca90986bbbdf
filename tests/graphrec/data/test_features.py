"""Columns that describe rows: sizes and codes are checked, and a wrong name is told the near ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels, merged_features, take_features
from graphrec.data.item_tags import ItemTags
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from tests.worlds import skewed

COUNTRIES = Vocabulary(["de", "fr"])


def described() -> Features:
    return Features(
        3,
        numbers={"price": np.array([1.5, np.nan, 3.0]), "stock": np.zeros(3)},
        labels={"country": Labels(COUNTRIES, [1, -1, 0])},
    )


def test_columns_by_name() -> None:
    found = described()
    assert found.number("price")[2] == 3.0
    labels = found.label("country")
    assert len(labels) == 3
    assert labels.codes.dtype == np.int32
    assert [labels.names[code] if code >= 0 else None for code in labels.codes.tolist()] == ["fr", None, "de"]
    assert Features(5).numbers == {}


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 0, 2], [], [0, 1, 2]])
def test_rows_are_taken_of_every_kind_of_column(rows: list[int]) -> None:
    tags = ItemTags(Vocabulary(["a", "b"]), NeighbourTable([0, 2, 2, 3], [0, 1, 1], [1.0, 2.0, 3.0], n_columns=2))
    whole = Features(
        3,
        numbers={"price": np.array([1.5, np.nan, 3.0])},
        labels={"country": Labels(COUNTRIES, [1, -1, 0])},
        tags={"genre": tags},
        texts={"title": pa.array(["x", None, "z"], pa.large_string())},
        vectors={"image": np.arange(6, dtype=np.float32).reshape(3, 2)},
    )
    part = take_features(whole, rows)
    assert part.n == len(rows)
    np.testing.assert_array_equal(part.number("price"), whole.number("price")[rows])
    assert part.label("country").codes.tolist() == [[1, -1, 0][row] for row in rows]
    table = part.tags["genre"].table
    assert [table[i][0].tolist() for i in range(len(rows))] == [[[0, 1], [], [1]][row] for row in rows]
    assert [table[i][1].tolist() for i in range(len(rows))] == [[[1.0, 2.0], [], [3.0]][row] for row in rows]
    assert part.texts["title"].to_pylist() == [["x", None, "z"][row] for row in rows]
    assert part.vectors["image"].tolist() == [[[0, 1], [2, 3], [4, 5]][row] for row in rows]


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("number", "prize", r"there is no number 'prize' among the attributes \(price, stock\); nearest: 'price'"),
        ("number", "country", "the attribute 'country' is not a number; the numbers are: price, stock"),
        ("label", "price", "the attribute 'price' is not a label; the labels are: country"),
        ("label", "town", r"there is no label 'town' among the attributes \(country\)"),
    ],
)
def test_wrong_names(kind: str, name: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        getattr(described(), kind)(name)
    with pytest.raises(ConfigError, match=r"\(none\)"):
        getattr(Features(3), kind)(name)


def test_what_cannot_be_columns() -> None:
    with pytest.raises(DataError, match="codes run from -1 to 2; legal are -1 to 1"):
        Labels(COUNTRIES, [-1, 2])
    with pytest.raises(DataError, match="codes run from -2 to 0"):
        Labels(COUNTRIES, [0, -2])
    with pytest.raises(DataError, match="the number 'price' has 2 rows; it must have 3"):
        Features(3, numbers={"price": np.zeros(2)})
    with pytest.raises(DataError, match="the label 'country' has 1 rows; it must have 2"):
        Features(2, labels={"country": Labels(COUNTRIES, [0])})
    with pytest.raises(DataError, match=r"price\[1\] is infinite; a number is finite or NaN"):
        Features(2, numbers={"price": np.array([0.0, -np.inf])})
    with pytest.raises(DataError, match="'a' is given as a number and as a label"):
        Features(1, numbers={"a": np.zeros(1)}, labels={"a": Labels(COUNTRIES, [0])})


def test_columns_of_many_categories_texts_and_vectors() -> None:
    genres = ItemTags(Vocabulary(["crime", "poetry"]), NeighbourTable([0, 2, 2], [0, 1], [1.0, 0.5], n_columns=2))
    features = Features(
        2,
        tags={"genres": genres},
        texts={"title": pa.array(["Dune", None], pa.large_string())},
        vectors={"cover": np.array([[0.5, 1.0], [np.nan, np.nan]], dtype=np.float32)},
    )
    assert features.tags["genres"].table[0][0].tolist() == [0, 1]
    assert features.texts["title"].to_pylist() == ["Dune", None]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"texts": {"title": pa.array(["Dune"], pa.large_string())}}, "the text 'title' has 1 rows; it must have 2"),
        ({"tags": {"genres": ItemTags(COUNTRIES, NeighbourTable([0], [], [], n_columns=2))}}, "the tag 'genres' has 0"),
        ({"vectors": {"cover": np.zeros((3, 4), np.float32)}}, "the vector 'cover' has 3 rows; it must have 2"),
        ({"vectors": {"cover": np.zeros(2, np.float32)}}, r"'cover' have 1 dimension\(s\); they must have 2"),
        ({"vectors": {"cover": np.array([[1, 2], [np.nan, 2]], np.float32)}}, "of row 1 is finite in part"),
        ({"vectors": {"cover": np.array([[np.inf, 2], [1, 2]], np.float32)}}, "of row 0 is finite in part"),
        (
            {"numbers": {"a": np.zeros(2)}, "vectors": {"a": np.zeros((2, 1), np.float32)}},
            "'a' is given as a number and as a vector",
        ),
    ],
)
def test_columns_that_do_not_fit_are_named(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Features(2, **columns)


def test_of_two_columns_of_one_name_the_first_stays() -> None:
    first = Features(2, numbers={"a": np.array([1.0, 2.0])}, labels={"b": Labels(Vocabulary(["x"]), [0, -1])})
    second = Features(
        2, numbers={"b": np.array([7.0, 8.0]), "c": np.array([3.0, 4.0])}, texts={"a": pa.array(["p", "q"])},
        moments=("b", "c"),
    )  # fmt: skip
    both = merged_features(first, second)
    assert both is not None
    assert (sorted(both.numbers), sorted(both.labels), sorted(both.texts), both.moments) == (
        ["a", "c"],
        ["b"],
        [],
        ("c",),
    )
    assert both.numbers["a"].tolist() == [1, 2]
    assert merged_features(None, second) is second
    assert merged_features(first, None) is first
    assert merged_features(None, None) is None


def test_recall_data_wants_a_row_for_everybody() -> None:
    data = skewed()
    parts = (data.users, data.items, data.interactions, data.catalogue)
    n_users, n_items = len(data.users), len(data.items)
    whole = RecallData(*parts, item_features=Features(n_items), user_features=Features(n_users))
    assert whole.item_features is not None
    with pytest.raises(DataError, match=f"the table of item attributes has 3 items, the vocabulary {n_items}"):
        RecallData(*parts, item_features=Features(3))
    with pytest.raises(DataError, match=f"the table of user attributes has 3 users, the vocabulary {n_users}"):
        RecallData(*parts, user_features=Features(3))
