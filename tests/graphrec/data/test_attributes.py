"""Columns that describe rows: sizes and codes are checked, and a wrong name is told the near ones."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.contracts.recall_data import RecallData
from graphrec.data.attributes import Attributes, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from tests.worlds import skewed

COUNTRIES = Vocabulary(["de", "fr"])


def described() -> Attributes:
    return Attributes(
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
    assert Attributes(5).numbers == {}


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
        getattr(Attributes(3), kind)(name)


def test_what_cannot_be_columns() -> None:
    with pytest.raises(DataError, match="codes run from -1 to 2; legal are -1 to 1"):
        Labels(COUNTRIES, [-1, 2])
    with pytest.raises(DataError, match="codes run from -2 to 0"):
        Labels(COUNTRIES, [0, -2])
    with pytest.raises(DataError, match="price has 2 entries; it must have 3"):
        Attributes(3, numbers={"price": np.zeros(2)})
    with pytest.raises(DataError, match="country has 1 entries; it must have 2"):
        Attributes(2, labels={"country": Labels(COUNTRIES, [0])})
    with pytest.raises(DataError, match=r"price\[1\] is infinite; a number is finite or NaN"):
        Attributes(2, numbers={"price": np.array([0.0, -np.inf])})
    with pytest.raises(DataError, match="'a' is given as a number and as a label"):
        Attributes(1, numbers={"a": np.zeros(1)}, labels={"a": Labels(COUNTRIES, [0])})


def test_recall_data_wants_a_row_for_everybody() -> None:
    data = skewed()
    parts = (data.users, data.items, data.interactions, data.catalogue)
    n_users, n_items = len(data.users), len(data.items)
    whole = RecallData(*parts, item_attributes=Attributes(n_items), user_attributes=Attributes(n_users))
    assert whole.item_attributes is not None
    with pytest.raises(
        DataError, match=f"the table of item attributes speaks of 3 items, the vocabulary has {n_items}"
    ):
        RecallData(*parts, item_attributes=Attributes(3))
    with pytest.raises(
        DataError, match=f"the table of user attributes speaks of 3 users, the vocabulary has {n_users}"
    ):
        RecallData(*parts, user_attributes=Attributes(3))
