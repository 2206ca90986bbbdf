"""Features of every kind for the tests of encoding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from graphrec.data.features import Features, Labels
from graphrec.data.item_tags import ItemTags
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary

DAY = 86_400
# Words that fold to each other, that are no ASCII, and none at all.
_TEXTS = ["Dune", "dune MESSIAH", "Straße ﬁn", "", None, "…", "a b a c"]


def labels(names: list[str | None]) -> Labels:
    """Return one label a row; None is a row without."""
    vocabulary = Vocabulary(sorted({name for name in names if name is not None}))
    return Labels(vocabulary, [-1 if name is None else vocabulary.row(name) for name in names])


def tags(rows: list[list[str]]) -> ItemTags:
    """Return the tags of rows, the first the heaviest."""
    vocabulary = Vocabulary(sorted({name for row in rows for name in row}))
    indptr = np.cumsum([0, *map(len, rows)])
    weights = [1.0 / (place + 1) for row in rows for place in range(len(row))]
    codes = [vocabulary.row(name) for row in rows for name in row]
    return ItemTags(vocabulary, NeighbourTable(indptr, codes, weights, n_columns=len(vocabulary)))


def mixed(n: int, seed: int) -> Features:
    """Return n rows of every kind of column, with gaps in each."""
    rng = np.random.default_rng(seed)
    gaps = [rng.random(n) < 0.3 for _ in range(4)]
    countries = [None if gap else str(rng.choice(["de", "fr", "é"])) for gap in gaps[0]]
    genres = [list(rng.permutation(["crime", "poetry", "war", "sea"])[: rng.integers(0, 4)]) for _ in range(n)]
    vectors = rng.normal(size=(n, 3)).astype(np.float32)
    vectors[gaps[1]] = np.nan
    return Features(
        n,
        numbers={
            "price": np.where(gaps[2], np.nan, rng.lognormal(size=n).round(1)),
            "released": np.where(gaps[3], np.nan, rng.integers(-40 * 365 * DAY, 40 * 365 * DAY, n)),
        },
        labels={"country": labels(countries)},
        tags={"genre": tags(genres)},
        texts={"title": pa.array([_TEXTS[i] for i in rng.integers(0, len(_TEXTS), n)], pa.large_string())},
        vectors={"cover": vectors},
        moments=("released",),
    )
