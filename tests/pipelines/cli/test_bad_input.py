"""Bad input through the command: one sentence with file, place and remedy; exit code 2; nothing half-written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from graphrec.pipelines.cli.app import main
from tests.pipelines.shelf import CONFIG, write_shelf

Spoil = Callable[[Path], None]


def replaced(name: str, old: str, new: str) -> Spoil:
    """Replace the first ``old`` in a file."""

    def spoil(directory: Path) -> None:
        path = directory / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def written(name: str, content: str | bytes, *, instead_of: str) -> Spoil:
    """Write a file of another name and let the configuration name it."""

    def spoil(directory: Path) -> None:
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        replaced("config.toml", f'"{instead_of}"', f'"{name}"')(directory)

    return spoil


def several(*spoils: Spoil) -> Spoil:
    """Do one after the other."""

    def spoil(directory: Path) -> None:
        for one in spoils:
            one(directory)

    return spoil


def in_milliseconds(directory: Path) -> None:
    """Give every time three more digits."""
    path = directory / "ratings.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{row}000" for row in rows)]) + "\n", encoding="utf-8")


STRICT = replaced("config.toml", "[data.interactions]", "[data.interactions]\nmax_reject_share = 0.0")
LINK_TABLE = 'link = { table = "links.csv" }'
TEMPLATE = 'link = { template = "http://books.example/book/{id}" }'
DOCTYPE = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [<!ENTITY a "aaaa">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>
"""
REMOTE = '{"@context": "http://127.0.0.1:9/context.jsonld", "@id": "http://books.example/book/b1"}'

CASES: dict[str, tuple[Spoil, list[str]]] = {
    "bad IRI": (replaced("books.ttl", "a:a0", "<http://books.example/a b>"), ["books.ttl", "line 5"]),
    "bad escape": (replaced("books.ttl", '"Book 0"', '"Book \\q 0"'), ["books.ttl", "line 5"]),
    "truncated Turtle": (replaced("books.ttl", "g:history a s:DefinedTerm ;", "g:history a"), ["books.ttl", "line"]),
    "truncated gzip": (
        written(
            "books.ttl.gz", gzip.compress(b"<http://a> <http://b> <http://c> .\n" * 999)[:-9], instead_of="books.ttl"
        ),
        ["books.ttl.gz"],
    ),
    "wrong encoding": (
        written("books.nt", '<http://a> <http://b> "Bücher" .'.encode("utf-16"), instead_of="books.ttl"),
        ["books.nt", "UTF-8"],
    ),
    "unknown extension": (written("books.rdfx", "x", instead_of="books.ttl"), ["books.rdfx", ".ttl"]),
    "empty graph": (written("empty.ttl", "", instead_of="books.ttl"), ["empty.ttl"]),
    "DOCTYPE": (written("books.rdf", DOCTYPE, instead_of="books.ttl"), ["books.rdf", "DOCTYPE"]),
    "remote context": (written("books.jsonld", REMOTE, instead_of="books.ttl"), ["books.jsonld", "context"]),
    "missing column": (replaced("ratings.csv", "stars", "starts"), ["ratings.csv", "'stars'", "nearest: 'starts'"]),
    "NaN weight": (
        several(STRICT, replaced("ratings.csv", "r0,b0,", "r0,b0,nan,1700000000\nr0,b0,")),
        ["ratings.csv", "line", "nan"],
    ),
    "null id": (several(STRICT, replaced("ratings.csv", "r1,", ",")), ["ratings.csv", "line 8"]),
    "milliseconds": (in_milliseconds, ["ratings.csv", 'time_unit = "ms"']),
    "empty file": (written("none.csv", "", instead_of="ratings.csv"), ["none.csv", "empty"]),
    "only a header": (
        written("none.csv", "reader,book,stars,time\n", instead_of="ratings.csv"),
        ["none.csv", "no rows"],
    ),
    "missing file": (replaced("config.toml", '"ratings.csv"', '"rating.csv"'), ["rating.csv"]),
    "link table of unknown ids": (
        several(
            replaced("config.toml", TEMPLATE, LINK_TABLE),
            written("links.csv", "item_id,iri\nzz,http://books.example/book/b1\n", instead_of="links.csv"),
        ),
        ["links.csv", "'zz'"],
    ),
    "template that fits nothing": (
        replaced("config.toml", "books.example/book/{id}", "books.example/books/{id}"),
        ["none of the 30 items", "'b0'", "http://books.example/author/a0"],
    ),
    "unknown predicate": (
        replaced("config.toml", 'tags = ["genre"]', 'tags = ["gender"]'),
        ["gender", "nearest: 'genre'"],
    ),
    "unknown key": (replaced("config.toml", "test_share", "tset_share"), ["config.toml", "nearest: 'test_share'"]),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_and_nothing_half_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    config = write_shelf(tmp_path)
    spoil, told = CASES[name]
    spoil(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["train", str(config), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    sentence = " ".join(error[error.index("error: ") :].split())
    assert all(part in sentence for part in told), sentence
    assert "Traceback" not in error
    out = tmp_path / "out"
    left = sorted(path.name for path in out.iterdir()) if out.exists() else []
    assert left in ([], ["rejects"])


def test_the_shelf_itself_is_good(tmp_path: Path) -> None:
    config = write_shelf(tmp_path)
    light = CONFIG[: CONFIG.index("[channels.user-cf]")] + CONFIG[CONFIG.index("[evaluate]") :]
    config.write_text(light, encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["train", str(config), "--out", str(tmp_path / "out"), "--json"])
    assert stopped.value.code in (0, None)
