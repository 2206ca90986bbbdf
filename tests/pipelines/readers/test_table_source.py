"""Settings of tables: one value that every reader takes, and one sentence for whatever cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, GraphRecError
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.readers.attributes import read_attributes, read_users
from graphrec.pipelines.readers.exposures import read_exposures
from graphrec.pipelines.readers.sources import read_interactions
from graphrec.pipelines.readers.table_source import (
    ExposuresSource,
    InteractionsSource,
    ItemsSource,
    TableSource,
    UsersSource,
    UserTagsSource,
)
from graphrec.pipelines.readers.user_tags import read_user_tags

USERS, ITEMS = Vocabulary(["1", "2"]), Vocabulary(["7", "8"])
READERS: dict[type[TableSource], Callable[..., Any]] = {
    InteractionsSource: read_interactions,
    ItemsSource: lambda source, **settings: read_attributes(source, items=ITEMS, **settings),
    UsersSource: lambda source, **settings: read_users(source, users=USERS, **settings),
    ExposuresSource: lambda source, **settings: read_exposures(source, users=USERS, items=ITEMS, **settings),
    UserTagsSource: lambda source, **settings: read_user_tags(source, users=USERS, items=ITEMS, **settings),
}
ROWS = ({"user_id": "1", "item_id": "7"}, {"user_id": "2", "item_id": "7"})
CELLS = {"converted": "1", "tag": "x", "label": "Été", "weight": "2", "value": "3", "timestamp": "1600000000000"}
NAMES = ["user_id", "item_id", *CELLS]

kinds = pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)


def table(path: Path, *, header: bool) -> Path:
    lines = [NAMES] if header else []
    lines += [[*row.values(), *CELLS.values()] for row in ROWS]
    path.write_bytes("".join("::".join(line) + "\n" for line in lines).encode("latin-1"))
    return path


def shown(read: Any) -> str:
    """Return what a reader read, in words: arrays and reports without the name of the file."""
    report = read[1] if isinstance(read, tuple) else read.report
    return repr({name: value for name, value in report.items() if name != "name"})


@kinds
def test_every_reader_takes_the_same_settings(kind: type[TableSource], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"separator": "::", "encoding": "latin-1", "time_unit": "ms"}
    headed, bare = table(tmp_path / "headed.dat", header=True), table(tmp_path / "bare.dat", header=False)
    read = READERS[kind]
    wanted = shown(read(headed, **settings))
    assert shown(read(bare, header=NAMES, **settings)) == wanted
    assert shown(read(kind(path=bare, header=tuple(NAMES), **settings))) == wanted
    with pytest.raises(GraphRecError, match=r"separator = |has no column"):
        read(headed, encoding="latin-1")


@kinds
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seperator": ";"}, r"seperator is not a known key; nearest: 'separator'.*; legal: path, columns"),
        ({"separator": 5}, "separator is 5: input should be a valid string"),
        ({"separator": ""}, "separator is ''"),
        ({"encoding": None}, "encoding is None: input should be a valid string"),
        ({"header": "user_id,item_id"}, "header is 'user_id,item_id': input should be a valid tuple"),
        ({"columns": ["user_id"]}, r"columns is \['user_id'\]: input should be a valid dictionary"),
        ({"columns": {"ID": 3}}, "columns.ID is 3: input should be a valid string"),
        ({"columns": {"nonsense": "x"}}, "'nonsense' is not a column of .*; legal: '"),
        ({"time_unit": "min"}, "time_unit is 'min': input should be 's', 'ms', 'us' or 'ns'"),
        ({"max_reject_share": "many"}, "max_reject_share is 'many': input should be a valid number"),
        ({"max_reject_share": -1}, "max_reject_share is -1: input should be greater"),
    ],
)
def test_illegal_settings(kind: type[TableSource], settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        READERS[kind](pl.DataFrame({"item_id": ["7"]}), **settings)
    assert "\n" not in str(caught.value)


@kinds
def test_columns_the_wrong_way_round(kind: type[TableSource]) -> None:
    for name in kind.COLUMNS:
        with pytest.raises(ConfigError, match=f"wrong way round: graphrec's name comes first, {name} = 'theirs'$"):
            READERS[kind](pl.DataFrame({"theirs": ["7"]}), columns={"theirs": name})


@kinds
@pytest.mark.parametrize("source", [None, 5, ["a.csv"], {"user_id": [1]}, b"a.csv", pl.Series(["a"]), object()])
def test_what_is_no_table(kind: type[TableSource], source: object) -> None:
    with pytest.raises(ConfigError, match=f"cannot be read from a {type(source).__name__}; legal are a path, an Arrow"):
        READERS[kind](source)


@kinds
def test_a_source_of_another_kind_or_with_settings_beside_it(kind: type[TableSource], tmp_path: Path) -> None:
    other = UsersSource if kind is not UsersSource else ItemsSource
    with pytest.raises(ConfigError, match=f"a {other.__name__} was given; .* are read from a {kind.__name__}"):
        READERS[kind](other(path=tmp_path / "a.csv"))
    with pytest.raises(ConfigError, match=f"separator must stand in the {kind.__name__}, not beside it"):
        READERS[kind](kind(path=tmp_path / "a.csv"), separator=";")


def test_a_frame_holds_no_lists() -> None:
    with pytest.raises(ConfigError, match="'lists' are read from a file, not from a DataFrame"):
        read_interactions(pl.DataFrame({"a": [1]}), format="lists")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"columns": {"reader": "user_id"}}, r"data\.interactions\.columns: reader = 'user_id' is the wrong way round"),
        ({"path": 5}, r"data\.interactions\.path: a table cannot be read from a int"),
        ({"path": pl.DataFrame({"a": [1]})}, r"data: interactions\.path is a DataFrame; a configuration names files"),
        ({"seperator": ";"}, r"data\.interactions\.seperator is not a known key; nearest: 'separator'"),
    ],
)
def test_a_configuration_is_checked_by_the_same_value(section: dict[str, Any], words: str, tmp_path: Path) -> None:
    raw = {"name": "x", "data": {"interactions": {"path": "a.csv"} | section}, "channels": {"hot": {}}}
    with pytest.raises(ConfigError, match=words):
        check_config(raw, directory=tmp_path)
