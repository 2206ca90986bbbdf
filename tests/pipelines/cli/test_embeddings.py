"""``graphrec export``, ``similar``, ``embed``, ``drift``: what they print, what they write, and how faults end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphrec.errors import ConfigError
from graphrec.index.embedding_files import EXTENSIONS
from graphrec.index.embeddings import EmbeddingTable
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.train import Trained, train
from graphrec.serve.engine import Engine
from tests.pipelines.cli.test_cli import Command, command, out

__all__ = ["command", "out"]


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> EmbeddingTable:
    path = tmp_path_factory.mktemp("export") / "v.parquet"
    with pytest.raises(SystemExit):
        main(["export", str(trained.bundle.parent), "--out", str(path)])
    return EmbeddingTable.read(path)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_export_writes_ids_kinds_and_titles(
    command: Command, out: Path, exported: EmbeddingTable, tmp_path: Path, extension: str
) -> None:
    ran = command("export", out, "--channel", "node2vec", "--out", tmp_path / f"v{extension}")
    assert ran.code == 0, ran.err
    table = EmbeddingTable.read(tmp_path / f"v{extension}")
    assert (table.ids, table.kinds, table.labels) == (exported.ids, exported.kinds, exported.labels)
    np.testing.assert_array_equal(table.matrix, exported.matrix)
    named = dict(zip(table.ids, zip(table.kinds or (), table.labels or (), strict=True), strict=True))
    assert {kind for kind, _ in named.values()} == {"item", "person", "defined_term"}
    assert named["b3"] == ("item", "Book 3")
    assert named["http://books.example/author/a2"] == ("person", "Author 2")


def test_export_says_what_it_wrote(command: Command, out: Path, tmp_path: Path) -> None:
    ran = command("export", out, "--out", tmp_path / "v", "--format", "npy", "--kind", "item", "--json")
    about = json.loads(ran.out)
    assert (about["channel"], about["dim"], about["vectors"]) == ("node2vec", 16, 31)
    assert all(Path(file).is_file() for file in about["files"])


def test_similar_shows_the_nearest_items_with_titles(command: Command, out: Path, exported: EmbeddingTable) -> None:
    expected = exported.nearest("b3", 4, kind="item")
    ran = command("similar", out, "b3", "-k", 4)
    assert ran.code == 0, ran.err
    assert "4 items near " in ran.out
    for near in expected:
        assert near.id in ran.out
        assert f"{near.score:.4f}" in ran.out
        assert near.label is not None
        assert near.label in ran.out
    found = json.loads(command("similar", out, "b3", "-k", 4, "--channel", "node2vec", "--json").out)
    assert [item["id"] for item in found["items"]] == [near.id for near in expected]


def test_similar_goes_from_and_to_entities(command: Command, out: Path, exported: EmbeddingTable) -> None:
    author = "http://books.example/author/a2"
    books = json.loads(command("similar", out, author, "-k", 4, "--json").out)
    assert [(node["id"], node["kind"]) for node in books["items"]] == [
        (near.id, "item") for near in exported.nearest(author, 4, kind="item")
    ]
    ran = command("similar", out, "b3", "--kind", "person", "--of", "item", "-k", 2)
    assert ran.code == 0, ran.err
    assert "2 of kind person near Book 3 by node2vec" in ran.out
    assert all(near.label is not None and near.label in ran.out for near in exported.nearest("b3", 2, kind="person"))
    assert "near Author 2 by" in command("similar", out, author).out


@pytest.mark.parametrize("form", [".npy", ".json", ".txt"])
def test_similar_takes_a_vector(
    command: Command, out: Path, exported: EmbeddingTable, tmp_path: Path, form: str
) -> None:
    vector, path = exported["b3"], tmp_path / f"v{form}"
    if form == ".npy":
        np.save(path, vector[None])
    else:
        path.write_text(json.dumps(vector.tolist()) if form == ".json" else ", ".join(map(str, vector)))
    found = json.loads(command("similar", out, "--vector", path, "-k", 3, "--json").out)
    assert [item["id"] for item in found["items"]] == [near.id for near in exported.nearest(vector, 3, kind="item")]
    assert found["items"][0]["id"] == "b3"


@pytest.fixture(scope="module")
def texts_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a run with a channel of texts and another of vectors."""
    folder = tmp_path_factory.mktemp("texts")
    about = ["a murder in London", "a detective solves a murder", "sailing ships", "storms at sea", "baking bread"]
    lines = ["item_id,label,about", *(f"b{row},Book {row},{text}" for row, text in enumerate(about))]
    (folder / "books.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    events = [f"r{reader},b{book}" for reader in range(8) for book in range(5) if (reader + book) % 3]
    (folder / "events.csv").write_text("user_id,item_id\n" + "\n".join(events) + "\n", encoding="utf-8")
    config = folder / "config.toml"
    config.write_text(
        'name = "texts"\n[data.interactions]\npath = "events.csv"\n'
        '[data.items]\npath = "books.csv"\ntexts = ["about"]\n'
        '[channels.text]\ncolumns = ["about"]\nshared = false\n'
        "[channels.als]\ndim = 2\niterations = 1\n[channels.hot]\n",
        encoding="utf-8",
    )
    train(load_config(config), folder / "out")
    return folder / "out"


def test_similar_takes_a_sentence(command: Command, texts_out: Path) -> None:
    ran = command("similar", texts_out, "--text", "detectives", "-k", 2)
    assert ran.code == 0, ran.err
    assert "2 items near 'detectives' by" in ran.out
    found = json.loads(command("similar", texts_out, "--text", "a ship in a storm", "-k", 2, "--json").out)
    assert {item["id"] for item in found["items"]} == {"b2", "b3"}
    engine = Engine.open(texts_out)
    near = engine.search("a ship in a storm", k=2)
    assert [(entry.item, entry.title) for entry in near] == [
        (item["id"], f"Book {item['id'][1:]}") for item in found["items"]
    ]
    assert near[0].channels["text"].rank == 1
    engine.take_down([near[0].item])
    assert engine.search("a ship in a storm", k=1)[0].item == near[1].item
    engine.put_back([near[0].item])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--text", ""], "nothing can be read in the sentence ''"),
        (["--text", "\u200b\x00"], "nothing can be read in the sentence"),
        (["--text", "sea", "--channel", "als"], "channel 'als' is none that reads sentences: text"),
        (["--text", "sea", "--channel", "txt"], "nearest: 'text'"),
    ],
)
def test_a_sentence_that_cannot_be_searched(
    command: Command, texts_out: Path, arguments: list[str], sentence: str
) -> None:
    ran = command("similar", texts_out, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_an_engine_names_what_it_cannot_search(texts_out: Path, out: Path) -> None:
    engine = Engine.open(texts_out)
    with pytest.raises(ConfigError, match="text is 7"):
        engine.search(7)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="channel 'hot' reads no sentences; those that do: text"):
        engine.search("sea", channel="hot")
    with pytest.raises(ConfigError, match=r"'txt' is not among .*nearest: 'text'"):
        engine.search("sea", channel="txt")
    with pytest.raises(ConfigError, match="k is 0"):
        engine.search("sea", k=0)
    with pytest.raises(ConfigError, match="0 channels could be meant"):
        Engine.open(out).search("sea")


def test_embed_trains_one_recipe_and_drift_compares_two_files(command: Command, shelf: Path, tmp_path: Path) -> None:
    ran = command("embed", shelf, "--out", tmp_path / "a.parquet", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["channel"] == "node2vec"
    table = EmbeddingTable.read(tmp_path / "a.parquet")
    assert "b3" in table
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(table.dim, table.dim)))[0]
    EmbeddingTable(table.nodes, table.matrix @ turn).write(tmp_path / "b.npy")
    found = json.loads(command("drift", tmp_path / "a.parquet", tmp_path / "b.npy", "-k", 5, "--json").out)
    assert found["kept"] > 0.99
    assert found["displacement_quantiles"]["p99"] < 1e-4
    told = command("drift", tmp_path / "a.parquet", tmp_path / "b.npy", "-k", 5, "--most", 2)
    assert "nodes in both, 0 only in the old" in told.out
    assert "moved most" in told.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "OUT", "--out", "TMP/v.csv"], "extension '.csv'; legal are"),
        (["export", "OUT", "--out", "TMP/v.kv"], "that of a pickle"),
        (["export", "OUT", "--out", "TMP/v", "--format", "parket"], "format is 'parket'; it must be one of.*'parquet'"),
        (["export", "OUT", "--out", "TMP/no/v.npy"], "cannot be written: No such file"),
        (["export", "OUT", "--out", "TMP/v.npy", "--channel", "hot"], "'hot' is none that serves vectors: node2vec"),
        (["export", "OUT", "--out", "TMP/v.npy", "--channel", "nodevec"], "nearest: 'node2vec'"),
        (["export", "OUT", "--out", "TMP/v.npy", "--kind", "items"], "kind is 'items'; legal: 'item', "),
        (["similar", "OUT", "b3", "--kind", "author"], "kind is 'author'; legal: 'item', 'defined_term', 'person'"),
        (["similar", "OUT", "b3", "--of", "person"], "'b3' is not among"),
        (["similar", "OUT"], "give an id, --vector FILE or --text SENTENCE, and only one of them"),
        (["similar", "OUT", "b333"], "'b333' is not among"),
        (["similar", "OUT", "--vector", "TMP/none.npy"], "cannot be read"),
        (["similar", "OUT", "--vector", "TMP/text.txt"], "holds no vector .*it must hold numbers alone"),
        (["similar", "OUT", "--vector", "TMP/short.txt"], "the query has 2 dimensions, the index 16"),
        (["embed", "CONFIG", "--out", "TMP/v.csv"], "extension '.csv'"),
        (["embed", "CONFIG", "--out", "TMP/no/v.npy"], "there is no directory"),
        (["embed", "CONFIG", "--out", "TMP/v.npy", "--channel", "item-cf"], "'item-cf' is none that learns vectors"),
        (["drift", "TMP/none.npy", "TMP/none.npy"], "there is no file"),
    ],
)
def test_what_cannot_be_done_gets_one_sentence(
    command: Command, out: Path, shelf: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "text.txt").write_text("1.0 two")
    (tmp_path / "short.txt").write_text("1.0 2")
    places = {"OUT": str(out), "CONFIG": str(shelf)}
    ran = command(*(places.get(word, word.replace("TMP", str(tmp_path))) for word in arguments))
    assert ran.code == 2
    assert ran.out == ""
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(ran.err)
