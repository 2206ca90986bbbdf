"""Types of arguments: what each annotation lets through, and the sentence for what it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest

from graphrec.checks import as_path, check_at_least, check_choice, check_count, check_flag, typed
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError

NOTHING = object()


@typed
def function(
    items: Vocabulary,
    n: int = 1,
    *,
    share: float = 0.5,
    path: Path | None = None,
    name: str = "",
    names: str | Sequence[str] = (),
    rows: Sequence[int] | None = None,
    flag: bool = False,
    kind: Literal["a", "b"] = "a",
    anything: object = None,
    **settings: Any,
) -> list[Any]:
    """Return the arguments."""
    return [items, n, share, path, name, names, rows, flag, kind, anything, settings]


ITEMS = Vocabulary(["a"])


@pytest.mark.parametrize(
    "legal",
    [
        {},
        {"n": np.int32(3), "share": 1},
        {"share": np.float32(0.25), "path": "a.csv"},
        {"path": Path("a.csv"), "name": "x", "names": "x"},
        {"names": ["x"], "rows": (1, 2), "flag": True},
        {"rows": np.arange(3), "kind": "z", "anything": NOTHING, "other": NOTHING},
    ],
)
def test_legal_arguments_pass_unchanged(legal: dict[str, Any]) -> None:
    given = function(ITEMS, **legal)
    assert given[0] is ITEMS
    for name, value in legal.items():
        assert any(value is each for each in [*given, *given[-1].values()]), name


@pytest.mark.parametrize(
    ("illegal", "sentence"),
    [
        ({"items": ["a"]}, "items is of type list; legal: Vocabulary"),
        ({"items": None}, "items is of type NoneType; legal: Vocabulary"),
        ({"n": "2"}, "n is '2', of type str; legal: whole number"),
        ({"n": 2.0}, "n is 2.0, of type float; legal: whole number"),
        ({"share": "half"}, "share is 'half', of type str; legal: number"),
        ({"path": 5}, "path is 5, of type int; legal: path, text"),
        ({"name": b"x"}, "name is of type bytes; legal: text"),
        ({"names": 5}, "names is 5, of type int; legal: text, list"),
        ({"rows": "12"}, "rows is '12', of type str; legal: list"),
        ({"flag": 1}, "flag is 1, of type int; legal: bool"),
    ],
)
def test_another_type_is_refused_by_name(illegal: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        function(**({"items": ITEMS} | illegal))
    assert str(caught.value) == sentence


def test_positions_count_as_names() -> None:
    with pytest.raises(ConfigError, match=r"^n is of type Vocabulary; legal: whole number$"):
        function(ITEMS, ITEMS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'items'"):
        function()  # type: ignore[call-arg]


@pytest.mark.parametrize("path", ["a\udcff/b", b"a", "a\0b", "", None, 3, "\ud800"])
def test_a_path_that_libraries_cannot_open_is_refused(path: object) -> None:
    with pytest.raises(ConfigError, match=r"^out is .*; (it|a path) must be "):
        as_path(path, name="out")


def test_a_folder_above_that_is_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a\udcff"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match="a path must be UTF-8 text"):
        as_path("out", name="out")
    assert as_path("/out", name="out") == Path("/out")


@pytest.mark.parametrize(
    "value", [list(range(1000)), "a" * 1000, {"a": "b" * 500}, -(10**5000), 1 << 4000], ids=range(5)
)
def test_values_of_any_length_are_refused_in_a_short_sentence(value: Any) -> None:
    refusals: list[Callable[[], None]] = [
        lambda: check_count("k", value, 1, 9),
        lambda: check_flag("k", value),
        lambda: check_choice("k", value, ["user", "items"]),
        lambda: check_at_least("k", cast("float", [value]), 1),
    ]
    for refuse in refusals:
        with pytest.raises(ConfigError, match=r"^k is .*; it must be ") as caught:
            refuse()
        assert len(str(caught.value)) < 300
