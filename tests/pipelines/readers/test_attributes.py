import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.readers.attributes import ItemTable, read_attributes, read_users
from graphrec.pipelines.readers.table_source import UsersSource

TEXT = (
    "movieId,title,genres\n1,Heat,Crime|Action\n2,Jumanji,\n1,Twice,Comedy\n,Nobody,Drama\n9,Stranger,Drama| Action |\n"
)
NAMES = {"item_id": "movieId", "label": "title", "tags": "genres"}


def movies(folder: Path, text: str = TEXT) -> Path:
    path = folder / "movies.csv"
    path.write_text(text, encoding="utf-8")
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
    with pytest.raises(ConfigError, match="'titel' is not a column of items"):
        read_attributes(path, columns={"titel": "title"})
    with pytest.raises(ConfigError, match="tag_separator is '': string should have at least 1 character"):
        read_attributes(path, columns=NAMES, tag_separator="")


# --- attributes


GOODS = (
    "sku,price,stock,kind,born\n"
    "a,1.50,3,book,2024-05-01\n"
    "b,abc,, toy ,1931-02-03T04:05:06Z\n"
    "c,inf,7,book,soon\n"
    "a,9.99,9,twice,2020-01-01\n"
    "x,2,2,other,2020-01-01\n"
    "d,NaN,0,,\n"
    "short,1\n"
)
ALL = {"numbers": ["price", "stock"], "labels": ["kind"], "times": ["born"], "max_reject_share": 0.5}


def goods(folder: Path, text: str = GOODS) -> Path:
    path = folder / "goods.csv"
    path.write_text(text, encoding="utf-8")
    return path


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def read_goods(folder: Path, *, rejects: Path | None = None, **settings: Any) -> ItemTable:
    items = Vocabulary(["d", "a", "only-the-graph-knows-it", "c", "b"])
    return read_attributes(goods(folder), items=items, columns={"item_id": "sku"}, rejects=rejects, **(settings or ALL))


def test_attributes_follow_the_given_items(tmp_path: Path) -> None:
    found = read_goods(tmp_path)
    nan = np.nan
    np.testing.assert_array_equal(found.attributes.number("price"), [nan, 1.5, nan, nan, nan])
    np.testing.assert_array_equal(found.attributes.number("stock"), [0, 3, nan, 7, nan])
    born = [nan, seconds("2024-05-01"), nan, nan, seconds("1931-02-03T04:05:06")]
    np.testing.assert_array_equal(found.attributes.number("born"), born)
    kinds = found.attributes.label("kind")
    assert list(kinds.names) == ["book", "toy"]
    assert kinds.codes.tolist() == [-1, 0, -1, 0, 1]
    assert found.report["known"] == {"price": 1, "stock": 3, "born": 2, "kind": 3}


def test_cells_that_cannot_be_read_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "rejects" / "items.csv"
    report = read_goods(tmp_path, rejects=path).report
    assert report["unreadable"] == 3
    assert report["rejects"] == {
        "price is no number": 1,
        "price is not a finite number": 1,
        "born is neither a number nor an ISO 8601 time": 1,
        "too few fields": 1,
    }
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["line", "reason", "row"]
    assert ["3", "price is no number", "b,abc,, toy ,1931-02-03T04:05:06Z"] in rows
    assert ["8", "too few fields", "short,1"] in rows
    read_goods(tmp_path, numbers=["stock"], max_reject_share=0.2)
    with pytest.raises(DataError, match=r"2 of 6 cells of column 'price' .*max_reject_share = 0\.2.*line 3: 'abc'"):
        read_goods(tmp_path, numbers=["price"], max_reject_share=0.2)
    with pytest.raises(DataError, match=r"1 of 7 rows .* most often: too few fields \(1 rows, first in line 8"):
        read_goods(tmp_path, numbers=["stock"])


@pytest.mark.parametrize("packed", ["parquet", "tsv", "polars", "pandas", "arrow"])
def test_attributes_are_the_same_from_every_format(tmp_path: Path, packed: str) -> None:
    frame = pl.DataFrame(
        {
            "item_id": [1, 2, 3],
            "price": [1.5, None, 3.0],
            "kind": pl.Series(["x", "y", None], dtype=pl.Categorical),
            "size": [7, None, 40],
            "new": [True, False, None],
            "born": [date(1970, 1, 3), None, date(1960, 1, 1)],
            "edited": [1_700_000_000, 0, None],
        }
    )
    source: object = frame
    if packed == "parquet":
        frame.write_parquet(source := tmp_path / "t.parquet")
    elif packed == "tsv":
        frame.write_csv(source := tmp_path / "t.tsv", separator="\t")
    elif packed == "pandas":
        source = frame.to_pandas()
    elif packed == "arrow":
        source = frame.to_arrow()
    settings: dict[str, Any] = {"numbers": ["price"], "labels": ["kind", "size", "new"], "times": ["born", "edited"]}
    found = read_attributes(source, items=Vocabulary(["3", "1", "2"]), **settings).attributes
    np.testing.assert_array_equal(found.number("price"), [3.0, 1.5, np.nan])
    np.testing.assert_array_equal(found.number("born"), [seconds("1960-01-01"), 2 * 86_400, np.nan])
    np.testing.assert_array_equal(found.number("edited"), [np.nan, 1_700_000_000, 0])
    assert [found.label("kind").codes.tolist(), found.label("size").codes.tolist()] == [[-1, 0, 1], [0, 1, -1]]
    assert list(found.label("size").names) == ["40", "7"]
    assert list(found.label("new").names) == ["false", "true"]


def test_times_in_a_stated_unit(tmp_path: Path) -> None:
    path = goods(tmp_path, "item_id,born\na,1700000000000\nb,-1000\n")
    items = Vocabulary(["a", "b"])
    found = read_attributes(path, items=items, times=["born"], time_unit="ms")
    assert found.attributes.number("born").tolist() == [1_700_000_000, -1]
    path = goods(tmp_path, "item_id,born\na,1700000000000\n")
    with pytest.raises(DataError, match=r'looks like milliseconds: set time_unit = "ms"'):
        read_attributes(path, items=items, times=["born"])
    path = goods(tmp_path, "item_id,born\na,1999\nb,2004\n")
    with pytest.raises(DataError, match=r"line 2: born 1999 looks like a year, .* name the column under numbers"):
        read_attributes(path, items=items, times=["born"])


def test_users(tmp_path: Path) -> None:
    path = goods(tmp_path, "who,country,age\nu2,fr,30\nu1,de,\nu9,fr,old\n")
    users = Vocabulary(["u0", "u1", "u2"])
    source = UsersSource(
        path=path, columns={"user_id": "who"}, numbers=("age",), labels=("country",), max_reject_share=1.0
    )
    found = read_users(source, users=users)
    np.testing.assert_array_equal(found.attributes.number("age"), [np.nan, np.nan, 30])
    assert found.attributes.label("country").codes.tolist() == [-1, 0, 1]
    assert (found.report["matched"], found.report["unknown"], found.report["without_row"]) == (2, 1, 1)
    assert found.report["unreadable"] == 1
    with pytest.raises(DataError, match="no id of column 'user_id' is among the 1 users; 'u2' is not among"):
        read_users(path, users=Vocabulary(["nobody"]), columns={"user_id": "who"})


def test_faults_of_attributes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 'prise'; nearest: 'price'; found: 'sku', 'price'"):
        read_goods(tmp_path, numbers=["prise"])
    with pytest.raises(ConfigError, match=r"^the column 'kind' stands twice among numbers, labels, times and texts"):
        read_goods(tmp_path, numbers=["kind"], labels=["kind"])
    lists = pl.DataFrame({"item_id": ["a"], "kind": [["x"]]})
    for kind in ("numbers", "labels", "times"):
        settings: dict[str, Any] = {kind: ["kind"]}
        with pytest.raises(DataError, match=r"column 'kind' holds .*list"):
            read_attributes(lists, **settings)


def test_columns_of_running_text_are_read_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "books.csv"
    path.write_text('item_id,label,about\na,Dune,"Sand, and\nworms"\nb,Emma,\n', encoding="utf-8")
    read = read_attributes(path, texts=["about"], columns={"item_id": "item_id", "label": "label"})
    assert list(read.attributes.texts) == ["title", "about"]
    assert read.attributes.texts["about"].to_pylist()[0] == "Sand, and\nworms"
    assert not read.attributes.texts["about"].to_pylist()[1]
    assert read.report["known"]["about"] >= 1
