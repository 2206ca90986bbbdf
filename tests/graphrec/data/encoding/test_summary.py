from __future__ import annotations

import numpy as np
import pyarrow as pa

from graphrec.data.encoding import FeatureEncoder
from graphrec.data.encoding.summary import summarise_features
from graphrec.data.features import Features
from tests.graphrec.data.encoding.columns import DAY, labels, tags


def test_a_line_a_column() -> None:
    features = Features(
        4,
        numbers={"price": np.array([1.5, 3.0, np.nan, 3.0]), "released": np.array([0.0, DAY, 2 * DAY, np.nan])},
        labels={"brand": labels(["a", "a", "b", None]), "none": labels([None] * 4)},
        tags={"genre": tags([["x", "y"], ["x"], [], ["x"]])},
        texts={"title": pa.array(["Dune", "Dune", None, ""], pa.large_string())},
        vectors={"cover": np.array([[1, 0], [0, 1], [np.nan, np.nan], [1, 1]], np.float32)},
        moments=("released",),
    )
    lines = {line.name: line for line in summarise_features(features, FeatureEncoder.fit(features))}
    assert list(lines) == ["price", "released", "brand", "none", "genre", "title", "cover"]
    assert (lines["price"].coverage, lines["price"].values, lines["price"].range) == (0.75, 2, "1.5 to 3")
    assert (lines["released"].kind, lines["released"].range) == ("moment", "1970-01-01 to 1970-01-03")
    assert (lines["brand"].values, lines["brand"].range) == (2, "a 67%")
    assert lines["brand"].unknown == 1 / 3  # b stands once
    assert (lines["none"].coverage, lines["none"].left_out) == (0.0, "nothing is known of any row")
    assert (lines["genre"].coverage, lines["genre"].values, lines["genre"].range) == (0.75, 2, "1 to 2")
    assert lines["genre"].unknown == 1 / 3  # y stands once
    assert (lines["title"].coverage, lines["title"].values, lines["title"].unknown) == (0.5, 1, None)
    assert (lines["cover"].coverage, lines["cover"].values) == (0.75, 2)


def test_a_moment_beyond_the_calendar_is_shown_in_seconds() -> None:
    features = Features(2, numbers={"t": np.array([0.0, 1e15])}, moments=("t",))
    (line,) = summarise_features(features, FeatureEncoder.fit(features))
    assert line.range == "1970-01-01 to 1e+15 s"
