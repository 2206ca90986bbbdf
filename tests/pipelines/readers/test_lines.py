"""Whatever a text file holds, each of its lines is kept, rejected or blank, and says so with its number."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphrec as gr
from graphrec.data.limits import Limits
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.readers.lines import TextForm, pieces
from graphrec.pipelines.readers.text_files import text_table
from tests.oracles.lines import records

texts = st.text(alphabet='ab,,\t"" \n\n\r\xa0é', max_size=60)
forms = st.sampled_from([TextForm(",", '"', "utf-8"), TextForm("\t", "", "utf-8"), TextForm(",", '"', "utf-16")])
sizes = st.integers(4, 40)
LISTS: dict[str, Any] = {"format": "lists"}


def lines_of(text: str) -> int:
    """Count lines as an editor does."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + (not text.endswith("\n") and text != "")


@given(texts, forms, sizes)
def test_records_are_those_of_the_slow_way(text: str, form: TextForm, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        # The one line before keeps the file from being empty.
        path.write_bytes(("x\n" + text).encode(form.encoding))
        found = list(pieces(path, form, Limits(), size=size))
    expected, blank = records("x\n" + text, form.separator, form.quote)
    assert sum(piece.n_blank for piece in found) == blank
    rows = [(line, lines, n) for piece in found for _, _, line, lines, n in piece.records.tolist()]
    assert rows == [(r.line, r.n_lines, len(r.cells or ())) for r in expected]
    assert sum(lines for _, lines, _ in rows) + blank == lines_of("x\n" + text)


@given(texts, forms, sizes)
def test_cells_are_those_of_the_slow_way(text: str, form: TextForm, size: int) -> None:
    columns = ("p", "q")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("graphrec.pipelines.readers.text_files._BLOCK_BYTES", size)
        path = Path(folder) / "t.csv"
        path.write_bytes(("x\n" + text).encode(form.encoding))
        batches = list(text_table(path, form, Limits(), header=columns).read(["q", "p"]))
    expected, _ = records("x\n" + text, form.separator, form.quote)
    fit = [record.cells for record in expected if record.cells and len(record.cells) == 2]
    assert [[row["p"], row["q"]] for batch in batches for row in batch.rows.to_pylist()] == fit
    assert [place for batch in batches for place in batch.places.tolist()] == [
        record.line for record in expected if record.cells and len(record.cells) == 2
    ]
    assert sum(len(batch.unfit) for batch in batches) == len(expected) - len(fit)


cells = st.text(alphabet='ab1"\n\r\t ,\xa0', max_size=4)
rows = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8)


@given(rows, st.sampled_from([",", "\t", ";"]), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_what_a_table_holds_is_kept_rejected_or_blank(
    table: list[list[str]], separator: str, end: str, mark: bool, packed: bool
) -> None:
    body = end.join([separator.join(row) for row in [["u0", "i0"], *table]])
    text = separator.join(["user_id", "item_id"]) + end + body
    data = text.encode("utf-8-sig" if mark else "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path, rejects = Path(folder) / "t.csv", Path(folder) / "new" / "rejects.csv"
        path.write_bytes(gzip.compress(data) if packed else data)
        report = gr.read_interactions(
            path, separator=separator, max_reject_share=1.0, rejects=rejects, time_unit="s"
        ).report
        n_written = len(rejects.read_bytes()) if rejects.exists() else 0
    assert report["rows"] == report["kept"] + report["rejected"]
    assert lines_of(body) == report["rows"] + report["blank"] + report["joined"]
    assert report["joined"] == 0
    assert sum(report["rejects"].values()) == report["rejected"]
    assert (n_written > 0) == (report["rejected"] > 0)


@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_what_a_file_of_lists_holds_is_a_pair_or_counted(table: list[list[str]], end: str, mark: bool) -> None:
    body = end.join([" ".join(row) for row in [["u0", "i0"], *table]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.txt"
        path.write_text(body, encoding="utf-8-sig" if mark else "utf-8", newline="")
        read = gr.read_interactions(path, format="lists")
    words = [
        [word for word in line.replace("\t", " ").split(" ") if word]
        for line in body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ]
    assert read.report["rows"] == read.report["kept"] == sum(len(line) - 1 for line in words if line)
    assert read.report["users_without_items"] == sum(len(line) == 1 for line in words)
    assert read.report["blank"] == lines_of(body) - sum(bool(line) for line in words)


def write(folder: Path, text: str | bytes, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class TestQuotes:
    def test_an_open_quote_takes_no_other_line_with_it(self, tmp_path: Path) -> None:
        rest = "".join(f"u{n},i{n}\n" for n in range(500))
        path = write(tmp_path, f'user_id,item_id\nv,"i0\n{rest}')
        read = gr.read_interactions(path)
        assert read.report["rejects"] == {"a quote is neither closed nor doubled": 1}
        assert (read.report["kept"], read.interactions.n_users) == (500, 500)

    def test_two_open_quotes_that_close_each_other(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'user_id,item_id\na,"i0\nb,i1\nc,i2"\nd,i3\n')
        report = gr.read_interactions(path, max_reject_share=1.0).report
        assert (report["kept"], report["rejected"], report["joined"]) == (1, 3, 0)
        assert report["rejects"] == {"a quote joins lines": 3}

    def test_a_cell_that_is_not_read_may_hold_lines(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'user_id,note,item_id\na,"one\ntwo\r\n""three""",i0\nb,x,i1\n,x,i1\n')
        rejects = tmp_path / "rejects.csv"
        report = gr.read_interactions(path, max_reject_share=1.0, rejects=rejects).report
        assert (report["rows"], report["kept"], report["joined"]) == (3, 2, 2)
        assert rejects.read_text(encoding="utf-8").splitlines()[1].startswith("6,user_id is empty")

    def test_titles_may_hold_lines_and_ids_may_not(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'item_id,label\n1,"one\ntwo"\n"2\n3",x\n')
        read = gr.read_attributes(path, max_reject_share=1.0)
        assert read.labels.to_pylist() == ["one\ntwo"]
        assert (read.report["kept"], read.report["rejected"], read.report["joined"]) == (1, 2, 1)

    @pytest.mark.parametrize(("name", "settings"), [("e.tsv", {}), ("e.tab", {}), ("e.csv", {"separator": "\t"})])
    def test_in_tsv_a_quote_is_a_letter(self, tmp_path: Path, name: str, settings: dict[str, Any]) -> None:
        path = write(tmp_path, 'user_id\titem_id\n"a\t5"\nb\t"x"\n', name)
        read = gr.read_interactions(path, **settings)
        assert list(read.users) == ['"a', "b"]
        assert list(read.items) == ['5"', '"x"']

    def test_a_line_with_more_behind_its_quote_is_rejected(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'user_id,item_id\na,"x"y\nb,x"y\nc,"x""y"\n')
        read = gr.read_interactions(path, max_reject_share=0.5)
        assert list(read.items) == ['x"y']
        assert (read.report["kept"], read.report["rejected"]) == (2, 1)

    def test_the_columns_cannot_be_named_with_an_open_quote(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="line 1: a quote is neither closed nor doubled, and the line names"):
            gr.read_interactions(write(tmp_path, 'user_id,"item_id\na,b\n'))


@pytest.mark.parametrize("separator", ['"', 'a"', "\n", "\r\n"])
def test_separators_that_divide_nothing_are_refused(tmp_path: Path, separator: str) -> None:
    with pytest.raises(ConfigError, match="divides no cells"):
        gr.read_interactions(write(tmp_path, "user_id,item_id\na,b\n"), separator=separator)


@pytest.mark.parametrize("encoding", ["nothing", "zlib", "hex", "a\0b", "ütf"])
def test_encodings_that_are_none_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match="is not a known encoding"):
        gr.read_interactions(write(tmp_path, "user_id,item_id\na,b\n"), encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf_8", "cp1251"])
def test_every_encoding_gives_the_same(tmp_path: Path, encoding: str) -> None:
    text = "\ufeff" * (encoding in ("utf-16-le", "utf-16-be")) + "user_id,item_id\nю,\u044f\n"
    read = gr.read_interactions(write(tmp_path, text.encode(encoding)), encoding=encoding)
    assert (list(read.users), list(read.items)) == (["ю"], ["я"])


def test_places_after_blank_lines_and_before_the_header(tmp_path: Path) -> None:
    path = write(tmp_path, "\n , \nuser_id,item_id\n\n,,,\na,b\n,x\n")
    rejects = tmp_path / "rejects.csv"
    report = gr.read_interactions(path, rejects=rejects, max_reject_share=1.0).report
    assert (report["kept"], report["rejected"], report["blank"]) == (1, 1, 4)
    assert rejects.read_text(encoding="utf-8").splitlines()[1].startswith("7,user_id is empty")


def test_a_row_that_only_an_unread_column_fills_is_no_blank_line(tmp_path: Path) -> None:
    report = gr.read_interactions(write(tmp_path, "user_id,note,item_id\n,hello,\na,,b\n"), max_reject_share=1.0).report
    assert (report["rejected"], report["blank"]) == (1, 0)
