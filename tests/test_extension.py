"""A channel of another distribution: the package of docs/adding-a-channel.md, built, installed, trained and served."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from graphrec.bundle import open_bundle
from graphrec.channels.registry import recipe_class, recipe_names
from graphrec.contracts import extensions
from graphrec.contracts.domains import ints
from graphrec.contracts.settings import space_of
from graphrec.errors import BundleError, ConfigError
from graphrec.pipelines.config.load import check_config, load_config
from graphrec.pipelines.environment import parts
from graphrec.pipelines.jobs.train import train
from graphrec.serve.engine import Engine
from tests.contracts.recaller import RecallerContract
from tests.pipelines.shelf import write_shelf
from tests.worlds import skewed

GUIDE = Path(__file__).parents[1] / "docs" / "adding-a-channel.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory that the package of the guide was installed into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site-packages")
    files = re.findall(r"```\w+ package=(\S+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name, text in [*files, ("acme_channels/__init__.py", "")]:
        path = source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, capture_output=True)
    return target


@contextmanager
def _on_path(installed: Path) -> Iterator[None]:
    """Put the package on the path, and take it off again."""
    sys.path.insert(0, str(installed))
    try:
        yield
    finally:
        _forget(installed)


@pytest.fixture
def acme(installed: Path) -> Iterator[None]:
    with _on_path(installed):
        yield


def _forget(installed: Path) -> None:
    """Take the package off the path, as if it were not installed."""
    if str(installed) in sys.path:
        sys.path.remove(str(installed))
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_channels"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _shelf(directory: Path, channels: str) -> Path:
    """Return a configuration of the shelf with these channels beside hot."""
    path = write_shelf(directory)
    text = path.read_text(encoding="utf-8")
    start, end = text.index("[channels.user-cf]"), text.index("[evaluate]")
    path.write_text(text[:start] + channels + text[end:], encoding="utf-8")
    return path


@pytest.mark.usefixtures("acme")
def test_a_declared_recipe_is_a_channel_like_any_other() -> None:
    assert "explore" in recipe_names()
    recipe = recipe_class("explore")
    assert recipe is recipe_class("acme_channels.explore:Explore")
    assert space_of(recipe) == {"max_users": ints(1, 100, log=True)}
    with pytest.raises(ConfigError, match="max_users is -1; it must be a whole number of 0 or more"):
        recipe(max_users=-1)
    with pytest.raises(ConfigError, match=r"channel 'explor' is not among .*nearest: 'explore'"):
        recipe_class("explor")
    part = {part.name: part for part in parts()}["acme-channels 1.0"]
    assert part.active
    assert "explore" in part.gives


class TestExplore(RecallerContract):
    recipe: ClassVar[Any] = None
    personalised = False  # it knows users, and nothing of their histories

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _made(cls, installed: Path) -> Iterator[None]:
        with _on_path(installed):
            cls.recipe = recipe_class("explore")(max_users=100)
            yield


@pytest.mark.usefixtures("acme")
def test_trained_through_toml_published_opened_and_refused_without_the_package(tmp_path: Path, installed: Path) -> None:
    channels = '[channels.explore]\n[channels.rare]\nrecipe = "acme_channels.explore:Explore"\nmax_users = 7\n'
    train(load_config(_shelf(tmp_path, channels)), tmp_path / "out")
    bundle = open_bundle(tmp_path / "out")
    assert list(bundle.channels) == ["hot", "explore", "rare"]
    assert bundle.manifest.channels["rare"]["package"] == "acme-channels 1.0"
    assert bundle.manifest.libraries["acme-channels"] == "1.0"
    assert "package" not in bundle.manifest.channels["hot"]
    answer = Engine.open(tmp_path / "out").recall(user="r1", k=5, channels=["rare"], explain=True)
    assert len(answer.items) == 5

    _forget(installed)
    with pytest.raises(BundleError) as refused:
        open_bundle(tmp_path / "out")
    sentence = str(refused.value)
    assert "channel explore: " in sentence
    assert "of kind 'acme-explore', which no installed package brings" in sentence
    assert "it was trained with acme-channels 1.0" in sentence
    assert "\n" not in sentence
    raw = {"name": "a", "data": {"interactions": {"path": "a.csv"}}}
    rare = {"recipe": "acme_channels.explore:Explore"}
    with pytest.raises(ConfigError, match=r"channels\.rare: 'acme_channels\.explore:Explore' cannot be imported"):
        check_config({**raw, "channels": {"rare": rare}}, directory=tmp_path)


@pytest.mark.usefixtures("acme")
def test_a_bundle_never_imports_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recaller = recipe_class("explore")().fit(skewed())
    recaller.save(tmp_path)
    settings = tmp_path / "recaller.json"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("acme-explore", "acme_channels.explore:ExploreRecaller"),
        encoding="utf-8",
    )
    imported: list[str] = []
    monkeypatch.setattr(extensions, "imported", imported.append)
    from graphrec.recallers import load_recaller

    with pytest.raises(BundleError, match="which no installed package brings"):
        load_recaller(tmp_path, None)  # type: ignore[arg-type]
    assert imported == []


@pytest.mark.usefixtures("acme")
def test_a_recaller_that_nobody_declares_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "acme-undeclared"
    monkeypatch.setattr(sys.modules[recipe_class("explore").__module__].ExploreRecaller, "kind", kind)
    with pytest.raises(ConfigError, match=f"channel 'explore': a recaller of kind '{kind}' could not be loaded again"):
        train(load_config(_shelf(tmp_path, "[channels.explore]\n")), tmp_path / "out")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("nowhere.at.all:Some", r"'nowhere\.at\.all:Some' cannot be imported \(No module named 'nowhere'\); install"),
        ("graphrec.channels.behaviour.swing:Swign", "the module has no 'Swign'; nearest: 'Swing'"),
        ("graphrec.errors:nearest_names", "'graphrec.errors:nearest_names' is no recipe: a frozen dataclass"),
        (":Swing", "':Swing' cannot be imported"),
        (3, "the recipe is 3; it must be the name of a channel, or package.module:Class"),
    ],
)
def test_recipes_that_are_none_get_a_sentence(recipe: Any, sentence: str, tmp_path: Path) -> None:
    raw = {"name": "a", "data": {"interactions": {"path": "a.csv"}}, "channels": {"mine": {"recipe": recipe}}}
    with pytest.raises(ConfigError, match=rf"channels\.mine: .*{sentence}"):
        check_config(raw, directory=tmp_path)


def test_two_distributions_that_declare_one_name_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("first", "second"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[graphrec.recipes]\nmine = {name}:Mine\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"'mine' of graphrec\.recipes is declared twice, by first 1\.0"):
        recipe_class("mine")
    assert recipe_class("swing").__name__ == "Swing"
