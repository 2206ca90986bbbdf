"""Vectors that were trained elsewhere, served as a channel: from memory, from files, from a configuration."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.content.vectors import VectorChannel
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.data.lists import empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.jobs.fit_cache import FitCache
from tests.worlds import skewed

DIM = 5
DATA: RecallData = skewed()
N_ITEMS, N_USERS = len(DATA.items), len(DATA.users)


def vectors(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)


# In another order than the data's, with ids that the data does not know, and without some that it does.
ITEM_IDS = [f"i{row}" for row in reversed(range(3, N_ITEMS))] + ["elsewhere"]
ITEMS = EmbeddingTable(ITEM_IDS, vectors(len(ITEM_IDS), 1))
USERS = EmbeddingTable(["u2", "u0", "nobody"], vectors(3, 2))


def best(query: np.ndarray, k: int, *, cosine: bool = False) -> list[int]:
    """Return the rows of the items of the greatest product with a vector."""
    known = [external for external in ITEM_IDS if external in DATA.items]
    scores = np.array(
        [ITEMS[external] @ query / (np.linalg.norm(ITEMS[external]) if cosine else 1) for external in known]
    )
    return [DATA.items.row(known[place]) for place in np.argsort(-scores)[:k]]


def test_a_user_with_a_vector_gets_the_items_nearest_to_it() -> None:
    channel = VectorChannel.from_table(ITEMS, USERS, metric="ip").fit(DATA)
    queries = known_queries(histories(DATA.interactions), [0, 2])
    answer = channel.recall(queries, 7)
    assert answer[0][0].tolist() == best(USERS["u0"], 7)
    assert answer[1][0].tolist() == best(USERS["u2"], 7)
    with_kinds = EmbeddingTable.concat({"item": ITEMS, "user": USERS})
    again = VectorChannel.from_table(with_kinds, metric="ip").fit(DATA).recall(queries, 7)
    assert again.items.tolist() == answer.items.tolist()


def test_everybody_else_is_answered_by_the_mean_of_the_history() -> None:
    history = item_lists([[4, 9, 0]])  # item 0 has no vector
    mean = (ITEMS["i4"] + ITEMS["i9"]) / 2
    for channel in (VectorChannel.from_table(ITEMS), VectorChannel.from_table(ITEMS, USERS)):
        for user in (-1, 7):
            answer = channel.fit(DATA).recall(Queries([user], history), 6)
            assert answer[0][0].tolist() == best(mean, 6, cosine=True)
        assert channel.fit(DATA).recall(Queries([-1], empty_lists(1)), 6).lengths.tolist() == [0]
    whole = VectorChannel.from_table(ITEMS).fit(DATA).recall(Queries([-1], history), 99)
    assert set(whole.items.tolist()) == set(range(3, N_ITEMS))


@pytest.mark.parametrize("extension", [".parquet", ".txt", ".npy"])
def test_a_configuration_names_files_that_start_at_its_directory(tmp_path: Path, extension: str) -> None:
    (tmp_path / "vectors").mkdir()
    ITEMS.write(tmp_path / "vectors" / f"items{extension}")
    USERS.write(tmp_path / "vectors" / f"users{extension}")
    table = {"path": f"vectors/items{extension}", "users": f"vectors/users{extension}", "metric": "ip"}
    raw = {"name": "x", "data": {"interactions": {"path": "r.csv"}}, "channels": {"vectors": table}}
    recipe: Any = check_config(raw, directory=tmp_path).recipes["vectors"]
    queries = known_queries(histories(DATA.interactions), np.arange(N_USERS))
    expected = VectorChannel.from_table(ITEMS, USERS, metric="ip").fit(DATA).recall(queries, 5)
    assert recipe.fit(DATA).recall(queries, 5).items.tolist() == expected.items.tolist()


def test_a_kept_fit_does_not_outlive_its_file(tmp_path: Path) -> None:
    cache, path = FitCache(tmp_path), tmp_path / "items.parquet"
    ITEMS.write(path)
    recipe = VectorChannel(path=str(path))
    before = cache.key(recipe, "data", 0)
    assert cache.key(recipe, "data", 0) == before
    EmbeddingTable(ITEM_IDS, vectors(len(ITEM_IDS), 9)).write(path)
    assert cache.key(recipe, "data", 0) != before
    shutil.copy(path, tmp_path / "other.parquet")
    tables = [
        VectorChannel.from_table(ITEMS),
        VectorChannel.from_table(EmbeddingTable(ITEM_IDS, vectors(len(ITEM_IDS), 9))),
    ]
    assert len({cache.key(table, "data", 0) for table in tables}) == 2


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: VectorChannel(), ConfigError, "path is missing; name a file of item vectors"),
        (lambda: VectorChannel(path="nowhere.parquet"), DataError, "there is no file 'nowhere.parquet'"),
        (lambda: VectorChannel.from_table(USERS), DataError, r"none of the 3 ids of the vectors, such as \['u2'\]"),
        (
            lambda: VectorChannel.from_table(ITEMS, EmbeddingTable(["u0"], [[1.0]])),
            DataError,
            "user vectors have 1 dimensions, item vectors 5",
        ),
        (
            lambda: VectorChannel.from_table(EmbeddingTable(["i1"], [[1.0]], kinds=["book"])),
            ConfigError,
            "kind is 'item'; legal: 'book'",
        ),
        (lambda: VectorChannel.from_table({}), ConfigError, "items is a dict; it must be an EmbeddingTable"),  # type: ignore[arg-type]
        (lambda: VectorChannel.from_table(ITEMS, metric="dot"), ConfigError, "metric is 'dot'"),
    ],
)
def test_vectors_that_cannot_be_served_get_a_sentence(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make().fit(DATA)
