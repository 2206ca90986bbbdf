from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.encoding import EncodedFeatures, EncoderSettings, FeatureEncoder
from graphrec.data.features import Features, Labels, take_features
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from tests.graphrec.data.encoding.columns import DAY, labels, mixed, tags

CROSSED = EncoderSettings(crosses=(("country", "genre"), ("released:month", "country")), min_count=1, quantiles=5)


def lists(encoded: EncodedFeatures, name: str) -> list[list[int]]:
    indptr, codes = encoded.categories[name]
    return [codes[start:stop].tolist() for start, stop in pairwise(indptr)]


def assert_same(first: EncodedFeatures, second: EncodedFeatures) -> None:
    assert first.fields == second.fields
    assert list(first.categories) == list(second.categories)
    for name in first.categories:
        assert lists(first, name) == lists(second, name)
    np.testing.assert_array_equal(first.numbers, second.numbers)
    for name, vectors in first.vectors.items():
        np.testing.assert_allclose(vectors, second.vectors[name], rtol=1e-6)


@given(n=st.integers(2, 40), seed=st.integers(0, 99), picks=st.lists(st.integers(0, 10**6), max_size=9))
@settings(max_examples=30, deadline=None)
def test_a_row_is_encoded_alike_alone_and_among_others(n: int, seed: int, picks: list[int]) -> None:
    features = mixed(n, seed)
    encoder = FeatureEncoder.fit(mixed(60, seed + 1), settings=CROSSED)
    rows = [pick % n for pick in picks]
    whole = encoder.encode(features)
    assert_same(encoder.encode(take_features(features, rows)), whole.take(rows))
    # What is right by construction holds what is checked of anything else.
    EncodedFeatures(whole.n, whole.fields, whole.categories, whole.numbers, whole.vectors)


def test_numbers_take_the_middle_of_their_own_mass() -> None:
    prices = np.array([5.0, 1.0, 1.0, 1.0, 9.0, np.nan, 7.0, 5.0])
    encoder = FeatureEncoder.fit(Features(8, numbers={"price": prices}))
    encoded = encoder.encode(Features(8, numbers={"price": prices}))
    known = prices[~np.isnan(prices)]
    expected = [2 * ((known < x).mean() + (known == x).mean() / 2) - 1 if x == x else 0.0 for x in prices]
    np.testing.assert_allclose(encoded.number("price"), expected, atol=1e-6)
    assert encoded.number("price:missing").tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    beyond = encoder.encode(Features(3, numbers={"price": np.array([-1e300, 1e300, 6.0])})).number("price")
    assert beyond[0] == encoded.number("price").min()
    assert beyond[1] == encoded.number("price").max()
    assert encoded.number("price")[0] < beyond[2] < encoded.number("price")[6]


@pytest.mark.parametrize("unit", [1.0, 1e-30, 1e300])
def test_the_unit_of_a_number_does_not_matter(unit: float) -> None:
    prices = np.random.default_rng(0).lognormal(size=500)
    plain = FeatureEncoder.fit(Features(500, numbers={"x": prices})).encode(Features(500, numbers={"x": prices}))
    other = Features(500, numbers={"x": prices * unit})
    np.testing.assert_allclose(FeatureEncoder.fit(other).encode(other).numbers, plain.numbers, atol=1e-5)
    assert np.abs(plain.numbers).max() <= 1
    assert abs(float(plain.numbers.mean())) < 0.02


def test_numbers_from_end_to_end_of_the_floats() -> None:
    ends = Features(4, numbers={"x": np.array([-1.7e308, 0.0, 1.0, 1.7e308])})
    values = FeatureEncoder.fit(ends).encode(ends).number("x")
    assert values.tolist() == sorted(values.tolist())
    assert np.isfinite(values).all()


def test_categories_by_the_vocabulary_of_train() -> None:
    train = Features(6, labels={"country": labels(["de", "fr", "fr", "de", "it", None])})
    encoder = FeatureEncoder.fit(train)
    assert encoder.fields[0].size == 4
    assert lists(encoder.encode(train), "country") == [[2], [3], [3], [2], [1], [0]]
    # Another vocabulary, in another order, with a name that train did not have.
    online = Features(3, labels={"country": Labels(Vocabulary(["xx", "fr", "de"]), [0, 1, 2])})
    assert lists(encoder.encode(online), "country") == [[1], [3], [2]]


def test_categories_of_many_values_are_kept_by_weight() -> None:
    train = Features(3, tags={"genre": tags([["war", "sea", "art"], [], ["sea", "war"]])})
    encoder = FeatureEncoder.fit(train, settings=EncoderSettings(max_values=2))
    assert lists(encoder.encode(train), "genre") == [[2, 3], [0], [2, 3]]  # sea 2, war 3
    assert lists(encoder.encode(Features(1, tags={"genre": tags([["new", "sea"]])})), "genre") == [[1, 2]]


def test_a_million_categories_are_hashed() -> None:
    n = 1_000_000
    names = Vocabulary(pa.array([f"asin-{i}" for i in range(n)], pa.large_string()))
    train = Features(n, labels={"asin": Labels(names, np.arange(n))})
    encoder = FeatureEncoder.fit(train, settings=EncoderSettings(min_count=1, hash_buckets=1000))
    assert encoder.fields[0].size == 1002
    codes = encoder.encode(train).categories["asin"][1]
    counts = np.bincount(codes, minlength=1002)
    assert counts[:2].sum() == 0
    assert counts[2:].min() > 800  # a thousand each, give or take six deviations
    assert counts[2:].max() < 1200


def test_a_hash_is_the_same_everywhere() -> None:
    train = Features(
        2, labels={"country": labels(["de", "fr"])}, texts={"title": pa.array(["Dune", None], pa.large_string())}
    )
    encoder = FeatureEncoder.fit(train, settings=EncoderSettings(hashed=("country",), text_buckets=1000))
    encoded = encoder.encode(train)
    assert lists(encoded, "country") == [[14_074], [8_588]]
    assert lists(encoded, "title") == [[395], [0]]


def test_words_of_a_text_fold_and_count_once() -> None:
    given_texts = ["Straße FIN", "strasse ﬁn fin", "fin", "…"]
    train = Features(4, texts={"title": pa.array(given_texts, pa.large_string())})
    first, second, third, none = lists(FeatureEncoder.fit(train).encode(train), "title")
    assert first == second
    assert len(first) == 2
    assert set(third) < set(first)
    assert none == [0]


def test_parts_of_moments() -> None:
    # The first of January 1970, a Thursday, at 1 o'clock; the 25th of December before, at 23:59:59; and none.
    moments = np.array([3600.0, -6 * DAY - 1, np.nan])
    train = Features(3, numbers={"released": moments}, moments=("released",))
    encoder = FeatureEncoder.fit(train, moment=2 * DAY)
    encoded = encoder.encode(train)
    assert lists(encoded, "released:hour") == [[3], [25], [0]]
    assert lists(encoded, "released:weekday") == [[5], [5], [0]]
    assert lists(encoded, "released:month") == [[2], [13], [0]]
    assert encoded.number("released:age")[0] < encoded.number("released:age")[1]
    assert encoded.number("released:age:missing").tolist() == [0, 0, 1]
    later = encoder.encode(train, now=100 * DAY).number("released:age")
    assert later[0] == later[1] == encoded.number("released:age")[1]  # as old as the oldest of train


@given(st.integers(-5_000_000_000, 250_000_000_000))
@settings(max_examples=50, deadline=None)
def test_parts_of_a_moment_are_those_of_the_calendar(seconds: int) -> None:
    utc = datetime.fromtimestamp(seconds, UTC)
    train = Features(40, numbers={"t": np.arange(40) * 40 * DAY + np.arange(40) * 3600.0}, moments=("t",))
    encoded = FeatureEncoder.fit(train).encode(Features(1, numbers={"t": np.array([float(seconds)])}))
    assert lists(encoded, "t:hour") == [[2 + utc.hour]]
    assert lists(encoded, "t:weekday") == [[2 + utc.weekday()]]
    assert lists(encoded, "t:month") == [[1 + utc.month]]


def test_vectors_have_length_one_and_gaps_an_indicator() -> None:
    vectors = np.array([[3, 4], [np.nan, np.nan], [0, 0], [3e38, 0]], np.float32)
    train = Features(4, vectors={"cover": vectors})
    encoded = FeatureEncoder.fit(train).encode(train)
    expected = np.array([[0.6, 0.8], [0, 0], [0, 0], [1, 0]], np.float32)
    np.testing.assert_allclose(encoded.vectors["cover"], expected, rtol=1e-6)
    assert encoded.number("cover:missing").tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("hashed", [(), ("country*genre",)])
def test_crosses_are_the_pairs_of_a_row(hashed: tuple[str, ...]) -> None:
    train = mixed(80, 3)
    encoder = FeatureEncoder.fit(
        train, settings=EncoderSettings(crosses=(("country", "genre"),), min_count=4, hashed=hashed, hash_buckets=10**6)
    )
    encoded = encoder.encode(train)
    pairs = [
        [(a, b) for a in first for b in second]
        for first, second in zip(lists(encoded, "country"), lists(encoded, "genre"), strict=True)
    ]
    counts: dict[tuple[int, int], int] = {}
    for row in pairs:
        for pair in row:
            counts[pair] = counts.get(pair, 0) + (min(pair) >= 2)
    kept = sorted(pair for pair, count in counts.items() if count >= (0 if hashed else 4) and min(pair) >= 2)
    assert 0 < len(kept) < len(counts)
    codes: dict[tuple[int, int], int] = {pair: 2 + place for place, pair in enumerate(kept)}
    expected = [sorted({codes.get(pair, 1) for pair in row if min(pair) > 0}) or [0] for row in pairs]
    got = lists(encoded, "country*genre")
    if hashed:  # codes have no order then, but are as many
        assert [len(row) for row in got] == [len(row) for row in expected]
    else:
        assert got == expected


def test_what_cannot_be_learnt_from_is_left_out_with_its_reason() -> None:
    features = Features(
        4,
        numbers={"one": np.ones(4), "gone": np.full(4, np.nan), "half": np.array([1, 1, np.nan, np.nan])},
        labels={"id": labels(["a", "b", "c", "d"]), "same": labels(["x"] * 4), "none": labels([None] * 4)},
        tags={"bare": tags([[], [], [], []])},
        texts={"blank": pa.array(["", None, " ", None], pa.large_string())},
        vectors={"lost": np.full((4, 2), np.nan, np.float32)},
    )
    encoder = FeatureEncoder.fit(features, settings=EncoderSettings(crosses=(("same", "id"),)))
    assert [field.name for field in encoder.fields] == ["half:missing"]
    nothing = "nothing is known of any row"
    assert encoder.left_out == {
        "one": "all rows are equal",
        "gone": nothing,
        "id": "no category has 2 rows",
        "same": "all rows are equal",
        "none": nothing,
        "bare": nothing,
        "blank": nothing,
        "lost": nothing,
        "same*id": "'same' has no field",
    }
    assert encoder.encode(features).number("half:missing").tolist() == [0, 0, 1, 1]


def test_a_column_that_a_request_lacks_is_missing() -> None:
    encoder = FeatureEncoder.fit(mixed(60, 1), settings=CROSSED)
    encoded = encoder.encode(Features(2))
    assert all(lists(encoded, name) == [[0], [0]] for name in encoded.categories)
    for field in encoder.fields:
        if field.kind == "number":
            assert encoded.number(field.name).tolist() == [float(field.name.endswith("missing"))] * 2
    assert encoded.vectors["cover"].tolist() == [[0.0] * 3] * 2


def test_columns_are_chosen_and_may_still_be_given() -> None:
    features = mixed(30, 1)
    encoder = FeatureEncoder.fit(features, settings=EncoderSettings(columns=("genre",)))
    assert [field.name for field in encoder.encode(features).fields] == ["genre"]


@pytest.mark.parametrize(
    ("given_features", "words"),
    [
        (
            Features(1, numbers={"prize": np.zeros(1)}),
            r"fitted on no column 'prize' \(price, released, country, genre, title, cover\); nearest: 'price'",
        ),
        (Features(1, labels={"price": labels(["9"])}), "the column 'price' is given as a label; .* fitted on a number"),
        (Features(1, vectors={"cover": np.zeros((1, 9), np.float32)}), "'cover' have 9 dimensions; .* fitted on 3"),
    ],
)
def test_columns_that_train_did_not_have_are_refused(given_features: Features, words: str) -> None:
    with pytest.raises(DataError, match=words):
        FeatureEncoder.fit(mixed(30, 1)).encode(given_features)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"columns": ("prize",)}, "there is no column 'prize' among the features .*nearest: 'price'"),
        ({"hashed": ("town",)}, "there is no column 'town' among the features"),
        ({"crosses": (("country", "price"),)}, "a cross is of 'price', which is no category field"),
        ({"crosses": (("country", "genres"),)}, "a cross is of 'genres', .*nearest: 'genre'"),
        ({"crosses": (("country", "country"),)}, "must be two different names"),
        ({"crosses": ("country",)}, "a cross is 'country'; it must be two different names"),
        ({"columns": "price"}, "columns is 'price'; it must be a list of texts"),
        ({"columns": ("price", "price")}, "columns has 'price' twice"),
        ({"time_parts": ("hours",)}, "time_parts has 'hours'; legal are .*nearest: 'hour'"),
        ({"min_count": 0}, "min_count is 0; it must be a whole number from 1"),
        ({"quantiles": 1}, "quantiles is 1; it must be a whole number from 2"),
        ({"max_values": 2.5}, "max_values is 2.5"),
        ({"hash_buckets": 1 << 31}, "hash_buckets is 2147483648"),
    ],
)
def test_settings_that_are_not_legal(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FeatureEncoder.fit(mixed(30, 1), settings=EncoderSettings(**changed))


def test_features_that_nothing_can_be_fitted_on() -> None:
    wrong: Any = None
    with pytest.raises(DataError, match="cannot be fitted on features of no rows"):
        FeatureEncoder.fit(Features(0))
    with pytest.raises(DataError, match=r"nothing to learn from the features \(they have no columns"):
        FeatureEncoder.fit(Features(3))
    with pytest.raises(DataError, match=r"nothing to learn from the features \('x': all rows are equal"):
        FeatureEncoder.fit(Features(3, numbers={"x": np.ones(3)}))
    numbers = {"x": np.array([1, 2, np.nan]), "x:missing": np.arange(3.0)}
    with pytest.raises(DataError, match="two columns become a field 'x:missing'; rename one of them"):
        FeatureEncoder.fit(Features(3, numbers=numbers))
    with pytest.raises(ConfigError, match="features is of type NoneType; legal: Features"):
        FeatureEncoder.fit(wrong)
    with pytest.raises(ConfigError, match="the moment is inf; it must be seconds UTC, finite"):
        FeatureEncoder.fit(mixed(30, 1), moment=np.inf)
    with pytest.raises(ConfigError, match="Features cannot be made of these values"):
        Features(2, numbers={"x": np.array(["1", "two"], dtype=object)})
