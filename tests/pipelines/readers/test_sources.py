import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.limits import Limits
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.readers import text_files as textfiles
from graphrec.pipelines.readers.sources import data_fingerprint, read_interactions

HEADER = "user_id,item_id,weight,timestamp\n"
GOOD = HEADER + "ann,7,1,1600000000\nbob,07,2.5,1600000001\nann,8,1e1,1600000002\n"


def write(folder: Path, text: str | bytes, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def sentence(source: object, **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_interactions(source, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestForms:
    def check(self, source: object, **settings: Any) -> None:
        found = read_interactions(source, **settings)
        assert list(found.users) == ["ann", "bob"]  # in the order of first appearance
        assert list(found.items) == ["7", "07", "8"]
        assert found.interactions.users.tolist() == [0, 1, 0]
        assert found.interactions.items.tolist() == [0, 1, 2]
        assert found.interactions.weights.tolist() == [1.0, 2.5, 10.0]
        assert found.interactions.times is not None
        assert found.interactions.times.tolist() == [1600000000, 1600000001, 1600000002]
        assert found.n_rejected == 0
        assert found.report["time_range"] == [1600000000, 1600000002]

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "user_id": ["ann", "bob", "ann"],
                "item_id": ["7", "07", "8"],
                "weight": [1.0, 2.5, 10.0],
                "timestamp": [1600000000, 1600000001, 1600000002],
            }
        )

    def test_csv(self, tmp_path: Path) -> None:
        self.check(write(tmp_path, GOOD))

    def test_a_byte_order_mark_and_windows_line_ends(self, tmp_path: Path) -> None:
        self.check(write(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))

    def test_tsv_and_gz_and_zst(self, tmp_path: Path) -> None:
        self.check(write(tmp_path, GOOD.replace(",", "\t"), "events.tsv"))
        self.check(write(tmp_path, gzip.compress(GOOD.encode()), "events.csv.gz"))
        with pa.output_stream(str(tmp_path / "events.csv.zst"), compression="zstd") as out:
            out.write(GOOD.encode())
        self.check(tmp_path / "events.csv.zst")

    def test_parquet_and_arrow(self, tmp_path: Path) -> None:
        self.frame().write_parquet(tmp_path / "events.parquet")
        self.check(tmp_path / "events.parquet")
        self.frame().write_ipc(tmp_path / "events.arrow")
        self.check(tmp_path / "events.arrow")

    def test_frames(self) -> None:
        self.check(self.frame())
        self.check(self.frame().lazy())
        self.check(self.frame().to_arrow())
        self.check(pd.DataFrame(self.frame().to_dict(as_series=False)))
        self.check(self.frame().with_columns(pl.col("user_id").cast(pl.Categorical)))

    def test_other_names(self, tmp_path: Path) -> None:
        text = GOOD.replace("user_id,item_id,weight,timestamp", "U,I,stars,at")
        names = {"user_id": "U", "item_id": "I", "weight": "stars", "timestamp": "at"}
        self.check(write(tmp_path, text), columns=names)

    def test_a_separator_of_several_letters_and_no_header(self, tmp_path: Path) -> None:
        text = "".join(GOOD.splitlines(keepends=True)[1:]).replace(",", "::")
        names = ("user_id", "item_id", "weight", "timestamp")
        self.check(write(tmp_path, text, "ratings.dat"), separator="::", header=names)

    def test_a_separator_cut_between_two_pieces(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(textfiles, "_BLOCK_BYTES", 24)
        text = "".join(f"u{n}::i{n}\n" for n in range(300))
        found = read_interactions(
            write(tmp_path, text, "r.dat"), separator="::", header=("user_id", "item_id"), encoding="latin-1"
        )
        assert len(found.interactions) == 300
        assert list(found.users)[-1] == "u299"

    def test_only_ids(self, tmp_path: Path) -> None:
        found = read_interactions(write(tmp_path, "item_id,user_id\n1,2\n1,3\n"))
        assert found.interactions.times is None
        assert found.interactions.weights.tolist() == [1.0, 1.0]
        assert found.report["time_range"] is None

    def test_latin_1(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id,item_id\nJosé,1\n".encode("latin-1"))
        assert list(read_interactions(path, encoding="latin-1").users) == ["José"]

    def test_an_unknown_encoding(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="'klingon' is not a known encoding"):
            read_interactions(write(tmp_path, GOOD), encoding="klingon")

    def test_something_else(self) -> None:
        with pytest.raises(ConfigError, match="cannot be read from a list; legal are a path"):
            read_interactions([1, 2])


class TestIds:
    def test_integers_have_no_fraction_and_whole_floats_become_integers(self) -> None:
        frame = pd.DataFrame({"user_id": [1.0, 2.0], "item_id": [10, 11]})
        found = read_interactions(frame)
        assert list(found.users) == ["1", "2"]
        assert list(found.items) == ["10", "11"]

    def test_fractions_and_nulls_are_rejected(self) -> None:
        frame = pd.DataFrame({"user_id": [1.0, 2.5, None], "item_id": ["a", "b", "c"]})
        found = read_interactions(frame, max_reject_share=1)
        assert list(found.users) == ["1"]
        assert found.report["rejects"] == {
            "user_id is empty": 1,
            "user_id is a number with a fraction, or beyond 2^53": 1,
        }

    def test_nothing_is_stripped(self, tmp_path: Path) -> None:
        found = read_interactions(write(tmp_path, "user_id,item_id\n a,1\na,1.0\n"))
        assert list(found.users) == [" a", "a"]
        assert list(found.items) == ["1", "1.0"]

    def test_a_column_that_is_no_id(self) -> None:
        frame = pl.DataFrame({"user_id": [True, False], "item_id": ["a", "b"]})
        assert sentence(frame) == "the frame: column 'user_id' holds bool; ids are text or integers"

    @given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=60))
    def test_rows_and_ids_are_the_events(self, pairs: list[tuple[int, int]]) -> None:
        frame = pl.DataFrame({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})
        found = read_interactions(frame)
        users, items = list(found.users), list(found.items)
        back = zip(found.interactions.users, found.interactions.items, strict=True)
        assert [(int(users[u]), int(items[i])) for u, i in back] == pairs
        assert users == list(dict.fromkeys(str(u) for u, _ in pairs))
        assert found.report["duplicates"] == found.report["repeats"] == len(pairs) - len(set(pairs))


class TestTimes:
    def seconds(self, values: list[Any], **settings: Any) -> list[int]:
        frame = pl.DataFrame({"user_id": ["a"] * len(values), "item_id": ["b"] * len(values), "timestamp": values})
        times = read_interactions(frame, **settings).interactions.times
        assert times is not None
        return [int(t) for t in times]

    @pytest.mark.parametrize(("unit", "size"), [("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
    def test_other_units(self, tmp_path: Path, unit: Any, size: int) -> None:
        value = 1_600_000_000 * size + size - 1
        path = write(tmp_path, f"user_id,item_id,timestamp\na,1,5\na,b,{value}\na,c,{value}\na,c,{value}\n")
        assert sentence(path) == (
            f"{path} line 3: timestamp {float(value):.0f} makes no sense in seconds; it looks like "
            f'{ {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit] }: set time_unit = "{unit}"'
        )
        assert self.seconds([value, value], time_unit=unit) == [1_600_000_000] * 2

    def test_seconds_where_milliseconds_were_promised(self) -> None:
        with pytest.raises(DataError, match='looks like seconds: set time_unit = "s"'):
            self.seconds([1_600_000_000], time_unit="ms")

    def test_iso(self) -> None:
        texts = ["2020-09-13T12:26:40Z", "2020-09-13 12:26:40", "2020-09-13T14:26:40+02:00", "2020-09-13"]
        assert self.seconds(texts) == [1_600_000_000] * 3 + [1_599_955_200]
        assert self.seconds(["2020-09-13T12:26:40.75Z"]) == [1_600_000_000]

    def test_columns_of_dates_and_times(self) -> None:
        assert self.seconds(pl.Series([1_600_000_000_000]).cast(pl.Datetime("ms")).to_list()) == [1_600_000_000]
        zoned = pl.Series([1_600_000_000_000_000]).cast(pl.Datetime("us", "Europe/Berlin"))
        frame = pl.DataFrame({"user_id": ["a"], "item_id": ["b"], "timestamp": zoned})
        times = read_interactions(frame).interactions.times
        assert times is not None
        assert times.tolist() == [1_600_000_000]

    def test_steps_are_times_too(self) -> None:
        assert self.seconds([0, 1, 2]) == [0, 1, 2]

    def test_absurd_ones_are_rejected(self, tmp_path: Path) -> None:
        rows = "".join(f"a,{n},1600000000\n" for n in range(50))
        path = write(
            tmp_path, "user_id,item_id,timestamp\n" + rows + "a,x,-5\na,y,soon\na,z,\na,w,99999999999999999999\n"
        )
        found = read_interactions(path, max_reject_share=0.1)
        assert found.report["rejects"] == {
            "timestamp is empty": 1,
            "timestamp is neither a number nor an ISO 8601 time": 1,
            "timestamp lies before 1970": 1,
            "timestamp lies after 2100": 1,
        }
        assert len(found.interactions) == 50

    def test_an_unknown_unit(self) -> None:
        with pytest.raises(ConfigError, match="time_unit is 'min': input should be 's', 'ms', 'us' or 'ns'"):
            self.seconds([1], time_unit="min")


class TestFaults:
    def test_a_missing_column(self, tmp_path: Path) -> None:
        path = write(tmp_path, "userid,item_id\n1,2\n")
        assert sentence(path) == (
            f"{path} has no column 'user_id'; nearest: 'userid'; found: 'userid', 'item_id'; "
            'map it with columns = { user_id = "…" }'
        )

    def test_another_separator(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id;item_id\n1;2\n")
        assert sentence(path).endswith("found: 'user_id;item_id'; perhaps it needs separator = \";\"")
        assert len(read_interactions(path, separator=";").interactions) == 1

    def test_a_mapped_column_that_is_not_there(self, tmp_path: Path) -> None:
        assert "has no column 'stars'" in sentence(write(tmp_path, GOOD), columns={"weight": "stars"})

    def test_a_name_that_is_not_ours(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="'user' is not a column of interactions; nearest: 'user_id'"):
            read_interactions(write(tmp_path, GOOD), columns={"user": "u"})

    def test_a_column_twice(self, tmp_path: Path) -> None:
        assert "has the column 'item_id' 2 times" in sentence(write(tmp_path, "item_id,item_id,user_id\n1,2,3\n"))

    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("nan", "weight is not a finite number"),
            ("-inf", "weight is not a finite number"),
            ("1e300", "weight is not a finite number"),
            ("many", "weight is no number"),
            ("", "weight is empty"),
        ],
    )
    def test_a_bad_weight(self, tmp_path: Path, cell: str, reason: str) -> None:
        path = write(tmp_path, f"user_id,item_id,weight\na,b,1\nc,d,{cell}\n")
        found = f"c,d,{cell}"
        assert sentence(path) == (
            f"{path}: 1 of 2 rows cannot be used, more than max_reject_share = 0.05 allows; "
            f"most often: {reason} (1 rows, first in line 3: {found!r})"
        )

    def test_nan_in_a_frame_names_the_row(self) -> None:
        frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "weight": [1.0, float("nan")]})
        assert "first in row 2" in sentence(frame)

    @pytest.mark.parametrize(("row", "name"), [(",b", "user_id"), ("a,", "item_id")])
    def test_an_empty_id(self, tmp_path: Path, row: str, name: str) -> None:
        assert f"most often: {name} is empty (1 rows, first in line 3: {row!r})" in sentence(
            write(tmp_path, f"user_id,item_id\na,b\n{row}\n")
        )

    def test_ragged_rows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Pieces of a few lines each: places must not restart or slip.
        monkeypatch.setattr(textfiles, "_BLOCK_BYTES", 40)
        lines = [f"u{n},i{n},1,{n}" for n in range(2, 60)]
        lines[10], lines[30], lines[40] = "u12,i12", "u32,i32,1,32,9", "u42,i42,bad,42"
        path = write(tmp_path, HEADER + "\n".join(lines) + "\n")
        rejects = tmp_path / "out" / "rejects.csv"
        found = read_interactions(path, rejects=rejects, max_reject_share=0.2)
        assert found.report["rejects"] == {"weight is no number": 1, "too few fields": 1, "too many fields": 1}
        assert rejects.read_text(encoding="utf-8") == (
            "line,reason,row\n"
            '12,too few fields,"u12,i12"\n'
            '32,too many fields,"u32,i32,1,32,9"\n'
            '42,weight is no number,"u42,i42,bad,42"\n'
        )
        assert found.report["rows"] == 58
        assert sorted(p.name for p in rejects.parent.iterdir()) == ["rejects.csv"]

    def test_rows_next_to_ragged_ones_keep_their_lines(self, tmp_path: Path) -> None:
        lines = ["a", "b,1,x", "c,1,1", "d", "e", "f,1,x", "g,1,1,1", "h,1,x"]
        rejects = tmp_path / "rejects.csv"
        for header, first in ((True, 2), (False, 1)):
            names = ["user_id", "item_id", "weight"]
            text = "\n".join(([",".join(names)] if header else []) + lines)
            path = write(tmp_path, text)
            read_interactions(path, rejects=rejects, max_reject_share=1, header=() if header else names)
            places = [line.split(",")[0] for line in rejects.read_text(encoding="utf-8").splitlines()[1:]]
            assert [int(place) - first for place in places] == [0, 3, 4, 6, 1, 5, 7]

    def test_blank_lines_are_no_fault(self, tmp_path: Path) -> None:
        found = read_interactions(write(tmp_path, "user_id,item_id\na,b\n\nc,d\n\n\n"))
        assert found.report["rows"] == len(found.interactions) == 2
        assert found.n_rejected == 0

    def test_too_many_rejects_leave_the_file_and_the_sentence(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id,item_id,weight\n" + "a,b,x\n" * 3 + "a,,1\n" + "a,b,1\n" * 6)
        rejects = tmp_path / "rejects.csv"
        assert sentence(path, rejects=rejects, max_reject_share=0.3) == (
            f"{path}: 4 of 10 rows cannot be used, more than max_reject_share = 0.3 allows; most often: "
            f"weight is no number (3 rows, first in line 2: 'a,b,x'); all of them are in {rejects}"
        )
        assert len(rejects.read_text(encoding="utf-8").splitlines()) == 5
        assert read_interactions(path, max_reject_share=0.4).n_rejected == 4

    def test_an_old_rejects_file_does_not_stay(self, tmp_path: Path) -> None:
        rejects = write(tmp_path, "old", "rejects.csv")
        read_interactions(write(tmp_path, GOOD), rejects=rejects)
        assert not rejects.exists()

    def test_empty_files(self, tmp_path: Path) -> None:
        path = write(tmp_path, "")
        assert sentence(path) == f"{path} is empty (0 bytes); it needs rows"
        assert sentence(write(tmp_path, HEADER)) == f"{path} has columns but no rows; it needs at least one interaction"
        packed = write(tmp_path, gzip.compress(b""), "e.csv.gz")
        assert sentence(packed) == f"{packed} holds no rows; it needs a header line and rows"
        assert "no rows" in sentence(pl.DataFrame({"user_id": [], "item_id": []}))

    def test_an_unknown_extension(self, tmp_path: Path) -> None:
        path = write(tmp_path, GOOD, "events.xlsx")
        assert sentence(path) == (
            f"{path} has the extension '.xlsx'; legal are .csv, .dat, .tsv, .tab, .parquet, .pq, .arrow, .feather, "
            ".ipc, the text ones also with .gz or .zst"
        )

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        write(tmp_path, GOOD)
        path = tmp_path / "event.csv"
        assert sentence(path) == f"{path} does not exist; nearest: 'events.csv'"
        assert sentence(tmp_path) == f"{tmp_path} is a folder; a file is needed"

    def test_a_wrong_encoding(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id,item_id\na,b\nJosé,1\n".encode("latin-1"))
        expected = "byte 0xe9 is not utf-8; save the file as UTF-8, or name its encoding, such as encoding = 'latin-1'"
        assert sentence(path) == f"{path} line 3: {expected}"
        packed = write(tmp_path, gzip.compress(path.read_bytes()), "e.csv.gz")
        assert sentence(packed) == f"{packed} line 3: {expected}"

    def test_a_bad_byte_in_a_ragged_line(self, tmp_path: Path) -> None:
        path = write(tmp_path, b"user_id,item_id\na,b,\xe9\nc,d\n")
        assert f"{path} line 2: byte 0xe9 is not utf-8" in sentence(path)

    def test_a_line_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(textfiles, "_BLOCK_BYTES", 64)
        path = write(tmp_path, "user_id,item_id\na,b\n" + "x" * 500 + ",c\n")
        assert sentence(path, limits=Limits(text_bytes=300)) == (
            f"{path}, line 3: the line has more than 300 bytes, and at most 300 are read; correct the file, or raise "
            "limits.text_bytes"
        )
        assert read_interactions(path, limits=Limits(text_bytes=600)).report["kept"] == 2

    @pytest.mark.parametrize(
        ("name", "value"), [("weight", [1]), ("weight", True), ("timestamp", True), ("event", [1])]
    )
    def test_columns_of_the_wrong_kind(self, name: str, value: object) -> None:
        frame = pl.DataFrame({"user_id": ["a"], "item_id": ["b"], name: [value]})
        assert f"the frame: column '{name}' holds" in sentence(frame, event_weights={"x": 1} if name == "event" else {})

    def test_a_frame_that_cannot_be_computed(self) -> None:
        frame = pl.LazyFrame({"user_id": ["a"], "item_id": ["b"]})
        assert "cannot be computed" in sentence(frame.with_columns(pl.col("user_id").cast(pl.Int64)))
        assert "cannot be computed" in sentence(frame.with_columns(pl.col("nothing")))

    def test_broken_files(self, tmp_path: Path) -> None:
        assert "is not a sound gzip file" in sentence(write(tmp_path, GOOD, "e.csv.gz"))
        cut = gzip.compress(os.urandom(4000).hex().encode())[:2000]
        assert "is not a sound gzip file" in sentence(write(tmp_path, cut, "cut.csv.gz"))
        assert "is not a sound Parquet file" in sentence(write(tmp_path, GOOD, "e.parquet"))
        assert "is not a sound Arrow file" in sentence(write(tmp_path, GOOD, "e.arrow"))

    def test_a_share_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="max_reject_share is 5: input should be less than or equal to 1"):
            read_interactions(write(tmp_path, GOOD), max_reject_share=5)


class TestMeaning:
    def test_duplicates_are_kept_and_counted(self, tmp_path: Path) -> None:
        path = write(tmp_path, HEADER + "a,b,1,5\na,b,1,5\na,b,2,6\na,c,1,5\n")
        found = read_interactions(path)
        assert len(found.interactions) == 4
        assert found.report["duplicates"] == 1
        assert found.report["repeats"] == 2

    def test_events_weigh(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id,item_id,event,weight\na,b,view,2\na,c,buy,2\na,d,view,1\n")
        found = read_interactions(path, event_weights={"view": 0.5, "buy": 3})
        assert found.interactions.weights.tolist() == [1.0, 6.0, 0.5]
        assert "event has no weight in event_weights, which knows buy (2 rows, first in line 2" in sentence(
            path, event_weights={"buy": 3}
        )
        lacking = sentence(write(tmp_path, GOOD), event_weights={"buy": 1})
        assert lacking.endswith('map it with columns = { event = "…" }')

    def test_given_vocabularies_do_not_grow(self, tmp_path: Path) -> None:
        path = write(tmp_path, "user_id,item_id\na,x\nb,x\na,y\na,z\n")
        users, items = Vocabulary(["a"]), Vocabulary(["z", "x"])
        found = read_interactions(path, users=users, items=items, max_reject_share=0)
        assert found.users is users
        assert found.items is items
        assert found.interactions.items.tolist() == [1, 0]
        assert found.report["unknown"] == 2
        assert found.n_rejected == 0
        # The items of users left out do not enter a vocabulary that may grow.
        assert list(read_interactions(path, users=Vocabulary(["c", "b"])).items) == ["x"]

    def test_memory_is_not_asked_for_columns_that_nobody_needs(self) -> None:
        seen: list[int] = []

        def costly(values: pl.Series) -> pl.Series:
            seen.append(len(values))
            return values

        frame = pl.DataFrame({"user_id": [1], "item_id": [2], "text": ["x"]}).lazy()
        read_interactions(frame.with_columns(pl.col("text").map_batches(costly, return_dtype=pl.String)))
        assert seen == []


class TestLists:
    def test_reads_pairs(self, tmp_path: Path) -> None:
        path = write(tmp_path, "0 5 6\n1 \n2\t6 7 6\n\n", "train.txt")
        found = read_interactions(path, format="lists")
        assert list(found.users) == ["0", "2"]
        assert list(found.items) == ["5", "6", "7"]
        assert found.interactions.users.tolist() == [0, 0, 1, 1, 1]
        assert found.interactions.items.tolist() == [0, 1, 1, 2, 1]
        assert found.report["duplicates"] == 1
        test = read_interactions(
            write(tmp_path, gzip.compress(b"0 7 9\n9 5\n"), "test.txt.gz"),
            format="lists", users=found.users, items=found.items,
        )  # fmt: skip
        assert test.interactions.items.tolist() == [2]
        assert test.report["unknown"] == 2

    def test_faults(self, tmp_path: Path) -> None:
        path = write(tmp_path, "1\n2\n", "train.txt")
        expected = f"{path} holds no pairs; each line is a user and the items of that user"
        assert sentence(path, format="lists") == expected
        write(tmp_path, b"1 2\n3 \xe9\n", "train.txt")
        assert "line 2: byte 0xe9 is not utf-8" in sentence(path, format="lists")
        assert read_interactions(path, format="lists", encoding="latin-1").items[1] == "é"
        assert "does not exist" in sentence(tmp_path / "no.txt", format="lists")

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_blanks_and_tabs_alone_divide_a_line(self, tmp_path: Path, mark: bytes, end: str) -> None:
        lines = ["u1 i1\u00a0a  i2 ", " u2\ti3\u2003b", "u1x i2"]
        found = read_interactions(write(tmp_path, mark + end.join(lines).encode(), "train.txt"), format="lists")
        assert list(found.users) == ["u1", "u2", "u1x"]
        assert list(found.items) == ["i1\u00a0a", "i2", "i3\u2003b"]

    def test_gowalla_has_its_published_counts(self) -> None:
        folder = os.environ.get("GRAPHREC_DATA")
        if not folder or not (Path(folder) / "gowalla" / "test.txt").is_file():
            pytest.skip("GRAPHREC_DATA names no folder with gowalla")
        found = read_interactions(Path(folder) / "gowalla" / "test.txt", format="lists")
        assert len(found.interactions) == 217_242
        assert found.report["users"] == 29_858


class TestFingerprint:
    def test_names_and_contents_count_the_order_does_not(self, tmp_path: Path) -> None:
        a, b = write(tmp_path, "1", "a.csv"), write(tmp_path, "2", "b.csv")
        assert data_fingerprint([a, b]) == data_fingerprint([b, a])
        before = data_fingerprint([a, b])
        write(tmp_path, "3", "b.csv")
        assert data_fingerprint([a, b]) != before
        with pytest.raises(DataError, match="does not exist"):
            data_fingerprint([tmp_path / "c.csv"])


def test_many_batches_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textfiles, "_BLOCK_BYTES", 64)
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"user_id": rng.integers(0, 30, 500), "item_id": rng.integers(0, 40, 500)})
    frame.write_csv(tmp_path / "e.csv")
    whole, pieces = read_interactions(frame), read_interactions(tmp_path / "e.csv")
    assert whole.users == pieces.users
    assert whole.items == pieces.items
    assert np.array_equal(whole.interactions.users, pieces.interactions.users)
    assert np.array_equal(whole.interactions.items, pieces.interactions.items)


def test_one_column_may_stand_for_two(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"], "timestamp": [3, 4]})
    path = tmp_path / "events.csv"
    frame.write_csv(path)
    for source in (path, frame, frame.to_arrow()):
        read = read_interactions(source, columns={"weight": "timestamp"})
        assert read.interactions.weights.tolist() == [3, 4]
        assert read.report["time_range"] == [3, 4]
