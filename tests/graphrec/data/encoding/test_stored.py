from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.data.encoding import EncoderSettings, FeatureEncoder
from graphrec.errors import BundleError
from tests.graphrec.data.encoding.columns import mixed
from tests.graphrec.data.encoding.test_encoder import assert_same

CROSSES = (("country", "genre"), ("released:month", "country"))


@pytest.mark.parametrize("hashed", [(), ("genre", "country*genre")])
def test_an_encoder_is_read_as_it_was_written(tmp_path: Path, hashed: tuple[str, ...]) -> None:
    encoder = FeatureEncoder.fit(mixed(60, 1), settings=EncoderSettings(crosses=CROSSES, hashed=hashed))
    encoder.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crosses.npy", "encoder.json"]
    read = FeatureEncoder.load(tmp_path)
    assert read.fields == encoder.fields
    assert (read.kinds, read.left_out, read.moment) == (encoder.kinds, encoder.left_out, encoder.moment)
    features = mixed(40, 2)
    assert_same(read.encode(features), encoder.encode(features))


def _first(document: dict[str, Any], kind: str) -> Any:
    return next(entry for entry in document["columns"] if entry["kind"] == kind)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: d.update(format=2), "it has format 2; this release reads format 1"),
        (lambda d: d.pop("columns"), "cannot be read as an encoder"),
        (lambda d: _first(d, "number").update(kind="picture"), "cannot be read as an encoder.*picture"),
        (lambda d: _first(d, "number")["scale"]["knots"].reverse(), "knots of a scale ascend strictly"),
        (lambda d: _first(d, "number")["scale"].update(grades=[]), "two knots and more"),
        (lambda d: _first(d, "label").update(names=5), "cannot be read as an encoder"),
        (lambda d: _first(d, "text").update(buckets=-5), "size is -3"),
        (lambda d: _first(d, "vector").update(name="price"), "two of its fields have the same name"),
        (lambda d: d["crosses"][0].update(keys=1), r"its crosses have \d+ keys, the array \d+"),
        (lambda d: d["crosses"][0].update(of=["town", "genre"]), "a cross is of 'town', which is none of its fields"),
        (lambda d: d["crosses"][0].update(keys=None, buckets=0), "keys, the array"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[Any], object], words: str) -> None:
    FeatureEncoder.fit(mixed(60, 1), settings=EncoderSettings(crosses=CROSSES)).save(tmp_path)
    document = json.loads((tmp_path / "encoder.json").read_text(encoding="utf-8"))
    damage(document)
    (tmp_path / "encoder.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(BundleError, match=words):
        FeatureEncoder.load(tmp_path)


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"encoder\.json cannot be read as an encoder of features: No such file"):
        FeatureEncoder.load(tmp_path)
    FeatureEncoder.fit(mixed(60, 1), settings=EncoderSettings(crosses=CROSSES)).save(tmp_path)
    np.save(tmp_path / "crosses.npy", np.zeros(3))
    with pytest.raises(BundleError, match=r"crosses\.npy holds float64"):
        FeatureEncoder.load(tmp_path)
    (tmp_path / "encoder.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BundleError, match="cannot be read as an encoder"):
        FeatureEncoder.load(tmp_path)
