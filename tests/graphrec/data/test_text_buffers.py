from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.text_buffers import arrow_rows, arrow_texts, row_values, text_buffers, texts_of


@given(st.lists(st.integers(-1, 2**31 - 1), max_size=40), st.integers(0, 5))
def test_rows_are_those_of_arrow_and_come_back(rows: list[int], skipped: int) -> None:
    array = arrow_rows(np.array(rows, dtype=np.int32))
    array.validate(full=True)
    assert array.equals(pa.array([None if row < 0 else row for row in rows], pa.int32()))
    rest = array[skipped:]  # a slice shares the buffers, and begins inside a byte of what is null
    assert row_values(rest, null=-7).tolist() == [-7 if row < 0 else row for row in rows[skipped:]]


@given(st.lists(st.text(max_size=5), max_size=20))
def test_texts_are_those_of_arrow(texts: list[str]) -> None:
    array = arrow_texts(texts)
    array.validate(full=True)
    assert array.equals(pa.array(texts, pa.string()))
    large = array.cast(pa.large_string())
    assert texts_of(*text_buffers(large)).equals(large)


def test_reading_rdf_imports_no_pandas() -> None:
    script = (
        "import sys, pathlib, tempfile\n"
        "from graphrec.kg.reading.rdf import read_rdf\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    path = pathlib.Path(folder, 'a.nt')\n"
        "    path.write_text('<http://a> <http://b> <http://c> .\\n<http://a> <http://b> \"c\"@en .\\n')\n"
        "    read_rdf(path)\n"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False"]
