from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.data.encoding import EncodedFeatures, EncodedField
from graphrec.errors import ConfigError, DataError

FIELDS = (
    EncodedField("genre", "category", 4),
    EncodedField("price", "number", 1),
    EncodedField("cover", "vector", 2),
)


def encoded(**changed: Any) -> EncodedFeatures:
    parts: dict[str, Any] = {
        "n": 3,
        "fields": FIELDS,
        "categories": {"genre": ([0, 2, 3, 4], [2, 3, 0, 1])},
        "numbers": [[0.5], [0.0], [-1.0]],
        "vectors": {"cover": [[1, 0], [0, 1], [0, 0]]},
    }
    return EncodedFeatures(**(parts | changed))


def test_rows_are_taken_in_order_and_may_repeat() -> None:
    part = encoded().take([2, 0, 0])
    assert len(part) == 3
    indptr, codes = part.categories["genre"]
    assert indptr.tolist() == [0, 1, 3, 5]
    assert codes.tolist() == [1, 2, 3, 2, 3]
    assert [str(array.dtype) for array in (indptr, codes, part.numbers)] == ["int64", "int32", "float32"]
    assert part.number("price").tolist() == [-1.0, 0.5, 0.5]
    assert part.vectors["cover"].tolist() == [[0, 0], [1, 0], [1, 0]]
    assert encoded().take(np.empty(0, np.int64)).categories["genre"][0].tolist() == [0]


def test_a_column_of_one_code_a_row_is_taken_by_rows() -> None:
    one_each = encoded(categories={"genre": ([0, 1, 2, 3], [3, 0, 2])}).take([2, 1])
    assert one_each.categories["genre"][0].tolist() == [0, 1, 2]
    assert one_each.categories["genre"][1].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n": 2}, "the category 'genre' has 3 rows; it must have 2"),
        ({"fields": FIELDS[:2]}, "the vector fields are none, the columns given cover"),
        ({"fields": (*FIELDS, FIELDS[0])}, "the field 'genre' stands twice"),
        ({"categories": {}}, "the category fields are genre, the columns given none"),
        ({"categories": "genre"}, "the category columns are 'genre'; legal: a mapping"),
        ({"vectors": ["cover"]}, r"the vector columns are \['cover'\]; legal: a mapping"),
        ({"categories": {"genre": ([0, 1, 1, 2], [2, 3])}}, "row 1 of the category 'genre' has no code"),
        ({"categories": {"genre": ([0, 1, 2, 3], [2, 4, 0])}}, r"codes of 'genre'\[1\] is 4; legal rows are 0 to 3"),
        ({"categories": {"genre": ([0, 1, 2, 3], [2, -1, 0])}}, r"codes of 'genre'\[1\] is -1"),
        ({"categories": {"genre": ([0, 1, 2, 3], [2, 0.5, 0])}}, "codes of 'genre' holds float64"),
        ({"numbers": [[1.0, 2.0]] * 3}, r"numbers are of shape \(3, 2\); they must be \(3, 1\)"),
        ({"numbers": [[1.0], [np.nan], [0.0]]}, r"numbers\[1, 0\] is nan; every value must be finite"),
        ({"vectors": {"cover": np.zeros((3, 5))}}, r"vectors 'cover' are of shape \(3, 5\); they must be \(3, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        encoded(**changed)


def test_rows_and_fields_that_are_not_there() -> None:
    with pytest.raises(DataError, match=r"rows\[1\] is 3; legal rows are 0 to 2"):
        encoded().take([0, 3])
    with pytest.raises(DataError, match="there is no number field 'genre'; the number fields are: price"):
        encoded().number("genre")
    wrong: Any = "text"
    with pytest.raises(ConfigError, match="kind is 'text'; it must be one of 'category', 'number', 'vector'"):
        EncodedField("a", wrong, 1)
    with pytest.raises(ConfigError, match="size is 0; it must be a whole number of 1 or more"):
        EncodedField("a", "vector", 0)
