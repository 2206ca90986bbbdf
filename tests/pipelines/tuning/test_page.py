"""Page, plots and table of a search, drawn from a report written down by hand."""

from __future__ import annotations

import io
from typing import Any

from graphrec.pipelines.terminal import Terminal
from graphrec.pipelines.tuning.page import page
from graphrec.pipelines.tuning.report import plain, setting_text, tune_table

MEAN = "<b>&"


def trial(number: int, value: float | None, k: int, half_life: float) -> dict[str, Any]:
    return {"number": number, "value": value, "settings": {"k": k, "half_life": half_life}, "message": ""}


def report(**changes: Any) -> dict[str, Any]:
    row = {
        "space": {"k": {"int": [1, 1000], "log": True}, "half_life": [0.0, 100.0]},
        "present": {"value": 0.25, "message": "", "settings": {"k": 100, "half_life": 50.0}},
        "best": {"trial": 2, "value": 0.3125, "settings": {"k": 312, "half_life": 0.0}},
        "gain": [0.0625, 0.01, 0.1],
        "changed": {"k": [100, 312], "half_life": [50.0, 0.0]},
        "importances": {"k": 0.75, "half_life": 0.125},
        "seconds": 12.5,
        "failed": 1,
        "trials": [trial(0, 0.25, 100, 50.0), trial(1, None, 1, 0.0), trial(2, 0.3125, 312, 0.0)],
    }
    return {
        "dataset": MEAN,
        "metric": "recall@20",
        "seed": 3,
        "stopped": False,
        "note": "partly luck",
        "validation": {"kind": "ratio", "users_measured": 1234},
        "channels": {"item-cf": row | changes},
        "left": {"tag": "no space"},
    }


def text_of(found: dict[str, Any]) -> str:
    console = Terminal(file=io.StringIO(), width=80, color_system=None)
    console.print(tune_table(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_page_tells_everything_and_escapes() -> None:
    html = page(report())
    assert html.count("<svg") == 3
    assert MEAN not in html
    for told in (
        "25.00",
        "31.25",
        "+6.25 [+1.00, +10.00]",
        "k 100 → 312, half_life 50 → 0",
        "tag (no space)",
        "1,234 users",
    ):
        assert told in html, told
    assert page(report()) == html


def test_page_without_gain_change_or_importances() -> None:
    failed = {"value": None, "message": "k is 0", "settings": {"k": 100, "half_life": 50.0}}
    html = page(report(present=failed, gain=None, importances={}))
    assert html.count("<svg") == 2
    same = {"trial": 0, "value": 0.25, "settings": {"k": 100, "half_life": 50.0}}
    assert "No trial was better than the present settings, 25.00 %" in page(report(best=same, changed={}))


def test_table_fits_80_columns() -> None:
    lines = text_of(report()).splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if line.startswith(" item-cf"))
    assert row.split() == ["item-cf", "25.00", "31.25", "+6.25", "[+1.00,", "+10.00]", "k", "100", "→", "312"]
    assert "half_life 50 → 0" in text_of(report())


def test_values_as_people_and_json_read_them() -> None:
    assert [setting_text(value) for value in (True, 3, 0.48371, 1e-6, "bm25")] == [
        "true",
        "3",
        "0.4837",
        "1e-06",
        "bm25",
    ]
    assert plain({"a": float("inf"), "b": (1, None)}) == {"a": "inf", "b": [1, None]}
