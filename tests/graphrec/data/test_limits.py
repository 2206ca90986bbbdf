from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from graphrec.data.limits import FREE_BYTES, Expansion, Limits, beyond_limit
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.config.load import load_config


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, "7", True, None])
def test_a_limit_is_a_whole_number(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} is .*; it must be a whole number of 1 or more"):
        replace(Limits(), **{name: value})  # type: ignore[arg-type]


def test_a_small_file_may_expand_freely_and_a_large_one_by_its_ratio() -> None:
    few, many = Expansion("a.gz", 10, Limits()), Expansion(Path("a.gz"), 1 << 20, Limits(expansion=100))
    few.add(FREE_BYTES)
    with pytest.raises(DataError, match=r"a\.gz expands to more than 67,108,864 bytes \(200 for each .*limits\.expan"):
        few.add(1)
    many.add(100 << 20)
    with pytest.raises(DataError, match=r"limits\.expansion"):
        many.add(1)


def test_the_whole_is_bounded_where_the_ratio_is_not_known() -> None:
    piped = Expansion("/dev/stdin", None, Limits(expanded_bytes=1 << 30))
    piped.add(1 << 30)
    with pytest.raises(
        DataError, match=r"/dev/stdin expands to more than 1,073,741,824 bytes; .*limits\.expanded_bytes"
    ):
        piped.add(1)


def test_a_remedy_that_would_not_help_is_not_named() -> None:
    assert "raise limits.depth" in str(beyond_limit("a", "there are 200 levels", Limits(), "depth"))
    assert "raise" not in str(beyond_limit("a", "there are 200 levels", Limits(), "depth", most=100))


def test_the_configuration_sets_limits(tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    text = 'name = "a"\n[channels.hot]\n[data.interactions]\npath = "a.csv"\n[data.limits]\n'
    config.write_text(text + "depth = 7\n", encoding="utf-8")
    assert load_config(config).settings.data.limits == Limits(depth=7)
    for line, complaint in (
        ("depht = 7", r"data\.limits\.depht is not a known key; nearest: 'depth'"),
        ("depth = 0", "data.limits: depth is 0; it must be a whole number of 1 or more"),
    ):
        config.write_text(text + line, encoding="utf-8")
        with pytest.raises(ConfigError, match=complaint):
            load_config(config)
