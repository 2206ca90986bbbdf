"""What an error says to write into the configuration may be written there, and helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphrec.errors import DataError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import Inputs, load_inputs

HEADS = {
    "interactions": "reader,book,stars",
    "items": "book,name,kind",
    "users": "reader,name,town",
}
COLUMNS = {
    "interactions": '{ user_id = "reader", item_id = "book" }',
    "items": '{ item_id = "book", label = "name" }',
    "users": '{ user_id = "reader" }',
}
ROWS = {
    "interactions": ["r1,b1,3", "r1,b2,4", "r2,b1,5", "ré,b2,1"],
    "items": ["b1,Düne,x", "b2,Emma,y"],
    "users": ["r1,Zoë,x", "r2,Max,y"],
}


def shelf(folder: Path, section: str, *, separator: str = ",", encoding: str = "utf-8") -> Path:
    """Write a small shelf of three tables, of which that of ``section`` is divided or encoded in another way."""
    text = 'name = "hints"\n[channels.hot]\n'
    for name, head in HEADS.items():
        lines = "\n".join([head, *ROWS[name]]) + "\n"
        own = name == section
        content = lines.replace(",", separator) if own else lines
        (folder / f"{name}.csv").write_bytes(content.encode(encoding if own else "utf-8"))
        text += f'[data.{name}]\npath = "{name}.csv"\ncolumns = {COLUMNS[name]}\n'
    config = folder / "config.toml"
    config.write_text(text, encoding="utf-8")
    return config


def read(config: Path) -> Inputs:
    return load_inputs(load_config(config), rejects=None, steps=Silent())


def follow(config: Path, section: str, hint: str) -> None:
    """Write the line of a hint into the section that the error is about."""
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(f"[data.{section}]\n", f"[data.{section}]\n{hint}\n"), encoding="utf-8")


@pytest.mark.parametrize("section", HEADS)
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_that_an_error_names_helps(tmp_path: Path, section: str, separator: str) -> None:
    config = shelf(tmp_path, section, separator=separator)
    with pytest.raises(DataError, match=r"has no column .* perhaps it needs separator = ") as caught:
        read(config)
    hint = re.search(r"separator = \S+$", str(caught.value))
    assert hint is not None
    follow(config, section, hint[0])
    assert len(read(config).data.users) == 3


@pytest.mark.parametrize("section", HEADS)
def test_the_encoding_that_an_error_names_helps(tmp_path: Path, section: str) -> None:
    config = shelf(tmp_path, section, encoding="latin-1")
    with pytest.raises(DataError, match="name its encoding, such as encoding = ") as caught:
        read(config)
    hint = re.search(r"encoding = '[^']+'", str(caught.value))
    assert hint is not None
    follow(config, section, hint[0])
    assert list(read(config).data.users) == ["r1", "r2", "ré"]
