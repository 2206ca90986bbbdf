from pathlib import Path

import polars as pl
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.vocabulary import Vocabulary
from pipelines.attributes import read_attributes

TEXT = (
    "movieId,title,genres\n1,Heat,Crime|Action\n2,Jumanji,\n1,Twice,Comedy\n,Nobody,Drama\n9,Stranger,Drama| Action |\n"
)
NAMES = {"item_id": "movieId", "label": "title", "tags": "genres"}


def movies(folder: Path, text: str = TEXT) -> Path:
    path = folder / "movies.csv"
    path.write_text(text)
    return path


def test_titles_and_tags_follow_the_given_items(tmp_path: Path) -> None:
    found = read_attributes(movies(tmp_path), items=Vocabulary(["2", "7", "1"]), columns=NAMES)
    assert found.labels.to_pylist() == ["Jumanji", None, "Heat"]
    assert found.item_tags is not None
    assert list(found.item_tags.tags) == ["Action", "Crime"]
    assert found.item_tags.table.indptr.tolist() == [0, 0, 0, 2]
    assert found.item_tags.table.neighbours.tolist() == [0, 1]
    report = found.report
    assert (report["matched"], report["unknown"], report["without_row"]) == (2, 1, 1)
    assert (report["repeated"], report["empty_ids"]) == (1, 1)


def test_without_items_the_table_gives_them(tmp_path: Path) -> None:
    found = read_attributes(movies(tmp_path), columns={"item_id": "movieId"})
    assert list(found.items) == ["1", "2", "9"]
    assert found.item_tags is None
    assert found.labels.to_pylist() == [None, None, None]


def test_an_integer_column_matches_ids_of_text() -> None:
    frame = pl.DataFrame({"item_id": [3, 4], "label": ["c", "d"]})
    assert read_attributes(frame, items=Vocabulary(["4", "3"])).labels.to_pylist() == ["d", "c"]


def test_faults(tmp_path: Path) -> None:
    path = movies(tmp_path)
    with pytest.raises(DataError, match=r"has no column 'item_id'; found: 'movieId', 'title', 'genres'"):
        read_attributes(path)
    with pytest.raises(DataError, match="no id of column 'item_id' is among the 1 items; '1' is not among"):
        read_attributes(path, items=Vocabulary(["x"]), columns=NAMES)
    with pytest.raises(ConfigError, match="'titel' is not a name of ours"):
        read_attributes(path, columns={"titel": "title"})
    with pytest.raises(ConfigError, match="tag_separator is empty"):
        read_attributes(path, columns=NAMES, tag_separator="")
