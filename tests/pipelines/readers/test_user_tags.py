"""User tags from tables: what is kept, what is rejected with its line, and what a run makes of them."""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graphrec.data.item_tags import ItemTags
from graphrec.data.user_tags import UserTags, tags_of_items
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.cli.answers import inputs_lines
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.evaluation.validation import hold_out
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import load_inputs
from graphrec.pipelines.readers.user_tags import read_user_tags
from tests.oracles.data import user_tag_weights
from tests.pipelines.shelf import CONFIG, write_shelf
from tests.worlds import item_tags

USERS, ITEMS = Vocabulary(["u1", "u2"]), Vocabulary(["a", "b"])


def read(source: object, **settings: Any) -> tuple[UserTags, dict[str, Any]]:
    return read_user_tags(source, users=USERS, items=ITEMS, **{"max_reject_share": 1.0, "min_users": 1} | settings)


def carried(tags: ItemTags) -> dict[str, dict[str, float]]:
    """Return item -> tag -> weight."""
    told = {}
    for row, item in enumerate(ITEMS):
        found, scores = tags.table[row]
        told[item] = {tags.tags[int(tag)]: float(score) for tag, score in zip(found, scores, strict=True)}
    return told


def test_a_table_is_read_with_all_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(
        "user_id,item_id,tag,timestamp\n"
        "u2,a,  Highly   Quotable,2024-05-01T10:00:00Z\n"
        "u9,b,funny,2024-05-01\n"
        "u1,a,highly quotable,1714557600\n"
        "u9,b,FUNNY,1714557600\n"
        ",b,funny,1714557600\n"
        ",b,funny,1714557600\n",
        encoding="utf-8",
    )
    tagged, report = read(path)
    assert tagged.users.tolist() == [1, 2, 0, 2, 3, 4]
    assert tagged.items.tolist() == [0, 1, 0, 1, 1, 1]
    assert list(tagged.vocabulary) == ["funny", "highly quotable"]
    assert tagged.tags.tolist() == [1, 0, 1, 0, 0, 0]
    assert tagged.times is not None
    assert tagged.times.tolist()[:2] == [1714557600, 1714521600]
    assert (tagged.n_users, tagged.n_items) == (2, 2)
    three = user_tag_weights([(n, 1, "funny") for n in range(3)], {}, 1)[1, "funny"]
    found = carried(tags_of_items(tagged))
    assert found == {"a": {"highly quotable": pytest.approx(log2(3))}, "b": {"funny": pytest.approx(three)}}
    counted = {name: report[name] for name in ("rows", "kept", "rejected", "unknown", "anonymous", "rare", "tags")}
    assert counted == {"rows": 6, "kept": 6, "rejected": 0, "unknown": 0, "anonymous": 4, "rare": 0, "tags": 2}


def test_only_item_and_tag_must_be_there() -> None:
    tagged, _ = read(
        pl.DataFrame({"film": ["a", "a"], "word": [1984, 1984]}), columns={"item_id": "film", "tag": "word"}
    )
    assert tagged.users.tolist() == [2, 3]
    assert list(tagged.vocabulary) == ["1984"]
    assert tagged.times is None


def test_item_tags_from_elsewhere_lend_their_spelling_and_weight() -> None:
    known = item_tags(2, ["Sci-Fi", "Drama", "DRAMA"], [(0, 0), (1, 1)])
    frame = pl.DataFrame(
        {"user_id": ["u1", "u2", "u1"], "item_id": ["a", "a", "b"], "tag": ["sci-fi", "SCI-FI", "drama"]}
    )
    tagged, report = read(frame, given=known, min_users=2)
    assert list(tagged.vocabulary) == ["DRAMA", "Drama", "Sci-Fi"]
    assert carried(tags_of_items(tagged)) == {"a": {"Sci-Fi": pytest.approx(1 + log2(3))}, "b": {"Drama": 1.0}}
    assert (report["rare"], report["tags"], report["tagged_items"]) == (1, 1, 1)
    tagged, _ = read(frame, given=known)
    assert carried(tags_of_items(tagged))["b"] == {"DRAMA": 1.0, "Drama": 1.0}


def test_rows_that_cannot_be_used_are_counted_and_kept(tmp_path: Path) -> None:
    path, rejects = tmp_path / "tags.csv", tmp_path / "rejects" / "tags.csv"
    path.write_text(
        "user_id,item_id,tag,timestamp\nu1,a,dark,1\nu1,,dark,1\nu1,a, ,1\nu1,a,,1\nu1,a,dark,never\nu1,z,dark,1\n\n"
        "u2,b,slow,2\nu1,a,dark,1,9\n",
        encoding="utf-8",
    )
    tagged, report = read(path, rejects=rejects)
    assert tagged.items.tolist() == [0, 1]
    assert report["rejects"] == {
        "item_id is empty": 1,
        "tag is empty": 2,
        "timestamp is neither a number nor an ISO 8601 time": 1,
        "item is not among the given ones": 1,
        "too many fields": 1,
    }
    assert (report["rows"], report["kept"], report["rejected"], report["unknown"]) == (8, 2, 5, 1)
    lines = rejects.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    assert '4,tag is empty,"u1,a, ,1"' in lines


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"item_id": ["a"]}, "has no column 'tag'"),
        ({"item": ["a"], "tag": ["x"]}, "no column 'item_id'; nearest: 'item'"),
        ({"item_id": ["z"], "tag": ["x"]}, "none of its 1 rows can be used as a tag of a known item"),
        ({"item_id": [], "tag": []}, "none of its 0 rows can be used"),
        ({"item_id": ["a"], "tag": [["x"]]}, "labels are text"),
        ({"item_id": ["a", "b"], "tag": ["x", "x"]}, "no tag was given to one item by min_users = 2 users or more"),
    ],
)
def test_faults_of_the_table_are_named(frame: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(pl.DataFrame(frame), min_users=2)


def test_an_empty_file_unknown_columns_and_too_many_rejects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "empty.csv")
    (tmp_path / "head.csv").write_text("user_id,item_id,tag\n", encoding="utf-8")
    with pytest.raises(DataError, match="none of its 0 rows can be used"):
        read(tmp_path / "head.csv")
    frame = pl.DataFrame({"item_id": ["a", None], "tag": ["x", "x"]})
    with pytest.raises(ConfigError, match="'tags' is not a column of user tags; nearest: 'tag'"):
        read(frame, columns={"tags": "t"})
    with pytest.raises(DataError, match="more than max_reject_share"):
        read(frame, max_reject_share=0.4)


def shelf(directory: Path, **section: Any) -> dict[str, Any]:
    """Write the shelf, where each reader calls each of his books what its genre says, and a "gem" by and by."""
    write_shelf(directory)
    ratings = (directory / "ratings.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = []
    for n, line in enumerate(ratings):
        reader, book, _, time = line.split(",")
        rows += [f"{reader},{book},{tag},{time}" for tag in ("Crime", "gem")[: 1 + (n % 3 == 0)]]
    (directory / "tags.csv").write_text(
        "\n".join(["user_id,item_id,tag,timestamp", *rows, "r1,nothing,gem,1"]) + "\n", encoding="utf-8"
    )
    raw = tomllib.loads(CONFIG)
    raw["data"]["user_tags"] = {"path": "tags.csv"} | section
    raw["channels"] = {"tag": {}}
    return raw


def test_a_run_reads_them_and_leaves_out_what_is_held_out(tmp_path: Path) -> None:
    config = check_config(shelf(tmp_path), directory=tmp_path)
    inputs, split, measured = prepare(config, rejects=tmp_path / "rejects", steps=Silent())
    assert inputs.data.item_tags is not None
    assert list(inputs.data.item_tags.tags) == ["crime", "fantasy", "gem", "history"]
    assert measured.user_tags is not None
    assert inputs.data.user_tags is not None
    assert measured.item_tags is not None
    held = set(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True))
    left = set(zip(measured.user_tags.users.tolist(), measured.user_tags.items.tolist(), strict=True))
    assert left
    assert not held & left
    assert 0 < len(measured.user_tags) < len(inputs.data.user_tags)
    assert measured.item_tags.table.scores.sum() < inputs.data.item_tags.table.scores.sum()
    assert "r1,nothing,gem,1" in (tmp_path / "rejects" / "user_tags.csv").read_text(encoding="utf-8")
    line = next(one for one in inputs_lines(inputs.report) if one.startswith("tags.csv"))
    assert "320 of 321 user tags" in line
    assert "1 item is not among the given ones" in line


def test_a_search_is_judged_without_the_tags_of_its_validation_part(tmp_path: Path) -> None:
    config = check_config(shelf(tmp_path), directory=tmp_path)
    _, _, measured = prepare(config, rejects=None, steps=Silent())
    part = hold_out(config, measured, config.settings.split, max_users=None, seed=1)
    users = np.repeat(np.arange(len(part.panel.truth)), part.panel.truth.lengths)
    held = set(zip(part.panel.users[users].tolist(), part.panel.truth.items.tolist(), strict=True))
    assert measured.user_tags is not None
    assert part.data.user_tags is not None
    before, after = (
        set(zip(tags.users.tolist(), tags.items.tolist(), strict=True))
        for tags in (measured.user_tags, part.data.user_tags)
    )
    assert held & before
    assert after
    assert not held & after


def test_their_file_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    config = check_config(shelf(tmp_path), directory=tmp_path)
    before = load_inputs(config, rejects=None, steps=Silent()).fingerprint
    file = tmp_path / "tags.csv"
    file.write_text(file.read_text(encoding="utf-8") + "r2,b1,gem,1700000000\n", encoding="utf-8")
    assert load_inputs(config, rejects=None, steps=Silent()).fingerprint != before


def test_illegal_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.user_tags\.min_users is 0"):
        check_config(shelf(tmp_path, min_users=0), directory=tmp_path)
    with pytest.raises(ConfigError, match=r"data\.user_tags\.min_user is not a known key; nearest: 'min_users'"):
        check_config(shelf(tmp_path, min_user=1), directory=tmp_path)


def test_movielens_as_counted_by_hand() -> None:
    file = Path(os.environ.get("GRAPHREC_DATA", "")) / "ml-latest-small" / "tags.csv"
    if not file.is_file():
        pytest.skip("GRAPHREC_DATA names no folder with ml-latest-small")
    frame = pl.read_csv(file, infer_schema=False)
    users, items = (Vocabulary(frame[name].unique().sort().to_list()) for name in ("userId", "movieId"))
    columns = {"user_id": "userId", "item_id": "movieId"}
    tagged, report = read_user_tags(file, users=users, items=items, columns=columns)
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    for user, item, tag in frame.select("userId", "movieId", "tag").iter_rows():
        people[item, " ".join(tag.lower().split())].add(user)
    shared = {pair: len(who) for pair, who in people.items() if len(who) >= 2}
    assert (len(people), len(shared)) == (3574, 98)
    assert (report["rows"], report["kept"], report["rejected"], report["anonymous"]) == (3683, 3683, 0, 0)
    assert (report["tags"], report["tagged_items"]) == (69, 57)
    found = tags_of_items(tagged)
    told: dict[tuple[str, str], float] = {}
    for row, item in enumerate(items):
        tags, scores = found.table[row]
        told |= {(item, found.tags[int(tag)]): 2**score - 1 for tag, score in zip(tags, scores, strict=True)}
    assert told == pytest.approx(shared, rel=1e-5)
