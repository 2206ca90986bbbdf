"""A rejects file that somebody opens in a spreadsheet runs nothing, whatever the rows held."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from graphrec.pipelines.readers.sources import read_interactions

FORMULAS = (
    "=cmd|' /c calc'!A0",
    "+1+cmd|' /c calc'!A0",
    "-2+3+cmd|' /c calc'!A0",
    '@SUM(1+1)*cmd|"a"!A0',
    "=HYPERLINK(1)",
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_formulas_of_rejected_rows_are_text(tmp_path: Path, suffix: str) -> None:
    mark = "," if suffix == ".csv" else "\t"
    lines = [mark.join(("user_id", "item_id", "weight")), *(mark.join(("u", f"i{n}", "1")) for n in range(100))]
    # No weight is a number, and the id before it is a formula too.
    lines += [mark.join((formula.replace('"', ""), "i1", formula.replace('"', ""))) for formula in FORMULAS]
    table, rejects = tmp_path / f"events{suffix}", tmp_path / "rejects.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    read = read_interactions(table, rejects=rejects)
    assert read.report["rejects"] != {}
    with rejects.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + len(FORMULAS)
    for place, reason, *cells in rows[1:]:
        assert place.isdigit()
        assert reason
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    shown = {cell.removeprefix("'") for row in rows[1:] for cell in row[2:]}
    assert any(formula.replace('"', "") in text for formula in FORMULAS for text in shown)
