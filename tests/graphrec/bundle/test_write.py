"""A bundle is whole under its name, or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from graphrec.bundle import open_bundle
from graphrec.bundle.manifest import MANIFEST, read_manifest
from graphrec.bundle.staging import PREFIX, staging, sweep
from graphrec.data.lists import empty_lists
from graphrec.data.sequences import sequences, without_repeats
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError
from graphrec.recallers.ranked import RankedRecaller
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import library, skewed, without_knowledge


class Exploding(RankedRecaller):
    """A channel whose disk breaks after its first file."""

    def save(self, directory: Path) -> None:
        super().save(directory)
        raise OSError(28, "No space left on device")


def files_of(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_what_was_written_is_read_back(pristine: Path) -> None:
    data, bundle = library(), open_bundle(pristine)
    assert bundle.users == data.users
    assert bundle.items == data.items
    assert bundle.catalogue.items is bundle.items
    assert bundle.catalogue.entities == data.catalogue.entities
    assert bundle.catalogue.label(0) == "Dune"
    assert bundle.catalogue.adjacency.relation_names == data.catalogue.adjacency.relation_names
    for name in ("indptr", "indices", "relations", "type_offsets"):
        np.testing.assert_array_equal(
            getattr(bundle.catalogue.adjacency, name), getattr(data.catalogue.adjacency, name)
        )
    events = sequences(data.interactions)
    for name in ("indptr", "items", "weights", "times", "kinds"):
        np.testing.assert_array_equal(getattr(bundle.history, name), getattr(events, name))
    np.testing.assert_array_equal(bundle.pool, data.pool)
    assert list(bundle.channels) == list(RECIPES)
    assert bundle.report == {"dataset": "test", "k": [5]}
    assert bundle.wording == {"verb": "read"}
    manifest = bundle.manifest
    assert manifest.data_fingerprint == "abc"
    assert manifest.config == {"name": "test", "seed": 0}
    assert manifest.libraries["numpy"] == np.__version__
    assert manifest.vocabularies["items"] == {"sha256": data.items.fingerprint, "size": 12}
    assert manifest.files["pool.npy"].dtype == "|b1"
    assert manifest.files["pool.npy"].shape == (12,)
    assert manifest.channels["item-cf"]["kind"] == "neighbours"
    assert 0 < manifest.channels["item-cf"]["size_bytes"] < manifest.size_bytes


def test_arrays_are_mapped_and_cannot_be_written(pristine: Path) -> None:
    history = open_bundle(pristine).history
    assert not history.items.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        history.items[0] = 3


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        files_of(write(tmp_path / name, data, fit(data))) for name, data in (("a", library()), ("b", library()))
    )
    a, b = first.pop(MANIFEST).decode(), second.pop(MANIFEST).decode()
    assert first == second
    different = [x for x, y in zip(a.splitlines(), b.splitlines(), strict=True) if x != y]
    assert [line.split('"')[1] for line in different] == ["created", "checksum"]


def test_a_world_without_knowledge_weights_or_report(tmp_path: Path) -> None:
    data = without_knowledge(skewed())
    channels = fit(data, {"hot": RECIPES["hot"]})
    bundle = open_bundle(
        write(tmp_path / "bundle", data, channels, report=None, wording={}, history=without_repeats(empty_lists(60)))
    )
    assert bundle.catalogue.adjacency.n_edges == 0
    assert bundle.report is None
    assert bundle.catalogue.label(3) == "i3"


def test_a_report_without_numbers_is_still_json(tmp_path: Path) -> None:
    data = library()
    channels = fit(data, {"hot": RECIPES["hot"]})
    report = {"recall": float("nan"), "interval": (0.5, float("inf"))}
    bundle = open_bundle(write(tmp_path / "bundle", data, channels, report=report))
    assert bundle.report == {"recall": None, "interval": [0.5, None]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"history": without_repeats(empty_lists(7))}, "the history speaks of 7 users, the vocabulary has 8"),
        ({"pool": np.ones(11, dtype=np.bool_)}, "the pool speaks of 11 items, the vocabulary has 12"),
        ({"items": Vocabulary(["a"])}, "the pool speaks of 12 items, the vocabulary has 1"),
        ({"config": {"path": object()}}, "the manifest cannot be written as JSON"),
        ({"report": {1: object()}}, "report.json cannot be written as JSON"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    data = library()
    with pytest.raises(BundleError, match=sentence):
        write(tmp_path / "bundle", data, fit(data, {"hot": RECIPES["hot"]}), **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden"])
def test_channel_names_stay_inside(tmp_path: Path, name: str) -> None:
    data = library()
    channel = fit(data, {"hot": RECIPES["hot"]})["hot"]
    with pytest.raises(ConfigError, match=r"channel name .* is illegal"):
        write(tmp_path / "bundle", data, {name: channel})
    with pytest.raises(ConfigError, match="at least one channel"):
        write(tmp_path / "bundle", data, {})


def test_a_taken_name_is_refused(bundle: Path) -> None:
    data = library()
    before = files_of(bundle)
    with pytest.raises(BundleError, match="exists already; name a new directory, or publish a new version"):
        write(bundle, data, fit(data, {"hot": RECIPES["hot"]}))
    assert files_of(bundle) == before


def test_a_parent_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    data = library()
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "file" / "bundle", data, fit(data, {"hot": RECIPES["hot"]}))


def test_a_failing_save_leaves_nothing(tmp_path: Path) -> None:
    data = library()
    channels = fit(data, {"hot": RECIPES["hot"]}) | {"broken": Exploding([0], [1.0])}
    with pytest.raises(BundleError, match="cannot be written: No space left on device"):
        write(tmp_path / "bundle", data, channels)
    assert list(tmp_path.iterdir()) == []


ROOT = Path(__file__).parents[3]

KILLED = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from graphrec.recallers.ranked import RankedRecaller
    from tests.graphrec.bundle.make import RECIPES, fit, write
    from tests.worlds import library

    class Slow(RankedRecaller):
        def save(self, directory):
            super().save(directory)
            print("midway", flush=True)
            time.sleep(60)

    data = library()
    channels = fit(data, {"hot": RECIPES["hot"]}) | {"slow": Slow([0], [1.0])}
    write(Path(sys.argv[1]), data, channels)
""")


def test_a_killed_writer_leaves_nothing_under_the_name_and_the_next_one_sweeps(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "midway\n"
        # A second writer beside a living one leaves its work alone.
        assert sweep(tmp_path) == []
        os.kill(process.pid, signal.SIGKILL)
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(PREFIX)
    data = library()
    write(target, data, fit(data, {"hot": RECIPES["hot"]}))
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert list(open_bundle(target).channels) == ["hot"]


def test_two_stagings_do_not_see_each_other(tmp_path: Path) -> None:
    with staging(tmp_path) as first:
        with staging(tmp_path) as second:
            assert first != second
            assert first.is_dir()
        assert first.is_dir()
        assert not second.exists()
    assert list(tmp_path.iterdir()) == []


def test_created_is_utc_now(pristine: Path) -> None:
    created = datetime.fromisoformat(read_manifest(pristine).created)
    assert created.utcoffset() == timedelta(0)
    assert created <= datetime.now(UTC)
