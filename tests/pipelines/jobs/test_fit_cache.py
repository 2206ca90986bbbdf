"""Fits are taken from the cache where nothing changed, and never where anything did."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.swing import Swing
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.exposures import take_exposures
from graphrec.data.interactions import Interactions, histories, take
from graphrec.data.lists import ItemLists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.fit_cache import FOLDER, FitCache, data_fingerprint
from graphrec.pipelines.jobs.fitting import fit_channels
from graphrec.pipelines.jobs.train import train
from graphrec.pipelines.progress import Silent
from tests.pipelines.shelf import CONFIG, write_shelf
from tests.worlds import described, skewed

CHANNELS = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]


def events_of(data: RecallData) -> Interactions:
    """Return the events with one weight changed."""
    events, weights = data.interactions, data.interactions.weights.copy()
    weights[3] += 1
    return Interactions(
        events.users, events.items, weights, events.times, n_users=events.n_users, n_items=events.n_items
    )


def without_one_pool_item(data: RecallData) -> RecallData:
    pool = data.pool.copy()
    pool[np.flatnonzero(pool)[0]] = False
    return dataclasses.replace(data, pool=pool)


def with_other_exposures(data: RecallData) -> RecallData:
    shown = data.exposures
    assert shown is not None
    return dataclasses.replace(data, exposures=take_exposures(shown, np.arange(len(shown)) > 0))


CHANGES: dict[str, Callable[[RecallData], RecallData]] = {
    "a weight": lambda data: dataclasses.replace(data, interactions=events_of(data)),
    "an event": lambda data: dataclasses.replace(
        data, interactions=take(data.interactions, np.arange(len(data.interactions) - 1))
    ),
    "the pool": without_one_pool_item,
    "the graph": lambda data: dataclasses.replace(data, catalogue=items_only(data.items)),
    "a label of the graph": lambda data: dataclasses.replace(
        data, catalogue=items_only(data.items, [None, "changed", *[None] * (len(data.items) - 2)])
    ),
    "an id": lambda data: dataclasses.replace(data, users=Vocabulary([*data.users.ids.to_pylist()[:-1], "stranger"])),
    "the tags": lambda data: dataclasses.replace(data, item_tags=None),
    "the exposures": with_other_exposures,
    "the attributes": lambda data: dataclasses.replace(data, item_features=None),
}


def test_the_same_data_has_the_same_fingerprint() -> None:
    assert data_fingerprint(described(skewed())) == data_fingerprint(described(skewed()))


def test_every_change_of_the_data_changes_the_fingerprint() -> None:
    data = described(skewed())
    prints = {name: data_fingerprint(change(data)) for name, change in CHANGES.items()}
    assert len({data_fingerprint(data), *prints.values()}) == len(prints) + 1, prints


def test_the_fingerprint_of_a_panel_is_of_its_histories_too() -> None:
    pool, truth = np.ones(9, dtype=np.bool_), item_lists([[3]])
    panels = [Panel([2], history, truth, pool) for history in (item_lists([[1]]), item_lists([[4]]), item_lists([[]]))]
    assert len({data_fingerprint(panel) for panel in panels}) == 3
    assert data_fingerprint(panels[0]) == data_fingerprint(Panel([2], item_lists([[1]]), truth, pool))


def test_a_key_is_of_recipe_settings_data_and_seed(tmp_path: Path) -> None:
    cache = FitCache(tmp_path)
    first = cache.key(ItemCF(), "data", 0)
    assert first == FitCache(tmp_path / "other").key(ItemCF(), "data", 0)
    others = [
        cache.key(ItemCF(k=7), "data", 0),
        cache.key(Swing(), "data", 0),
        cache.key(ItemCF(), "other data", 0),
        cache.key(ItemCF(), "data", 1),
    ]
    assert len({first, *others}) == 5


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = write_shelf(tmp_path)
    text = path.read_text(encoding="utf-8").replace(CHANNELS, "[channels.hot]\n[channels.item-cf]\n[channels.als]\n")
    path.write_text(text, encoding="utf-8")
    return load_config(path)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the recipes that are fitted from now on."""
    fitted: list[str] = []
    for recipe in (ItemCF, Swing):
        fit = recipe.fit

        def counted(self: Any, *given: Any, fit: Any = fit) -> Any:
            fitted.append(type(self).__name__)
            return fit(self, *given)

        monkeypatch.setattr(recipe, "fit", counted)
    return fitted


def answers(channel: Any, data: RecallData) -> ItemLists:
    history = histories(data.interactions)
    lists: ItemLists = channel.recall(known_queries(history, np.arange(len(data.users))), 10)
    return lists


def test_a_channel_out_of_the_cache_answers_like_the_one_that_was_fitted(tmp_path: Path, config: Config) -> None:
    data = skewed()
    first = fit_channels(config, data, Silent(), cache=FitCache(tmp_path / "out"))
    again = fit_channels(config, data, Silent(), cache=FitCache(tmp_path / "out"))
    assert (again.fit_s, again.size_bytes) == (first.fit_s, first.size_bytes)
    assert fit_channels(config, data, Silent()).size_bytes == first.size_bytes
    for name, channel in first.channels.items():
        ours, theirs = answers(channel, data), answers(again.channels[name], data)
        assert ours.items.tolist() == theirs.items.tolist(), name
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-5)


def test_what_did_not_change_is_not_fitted_again(tmp_path: Path, config: Config, fits: list[str]) -> None:
    out = tmp_path / "out"
    first = train(config, out)
    assert fits == ["ItemCF", "ItemCF"]
    again = train(config, out)
    assert fits == ["ItemCF", "ItemCF"]
    assert again.report.channels["item-cf"].fit_s == first.report.channels["item-cf"].fit_s
    assert again.report.fused.recall[5] == pytest.approx(first.report.fused.recall[5], abs=1e-9)
    train(config, out, cached=False)
    assert len(fits) == 4


def test_only_the_channel_that_changed_is_fitted_and_the_old_one_goes(
    tmp_path: Path, config: Config, fits: list[str]
) -> None:
    out = tmp_path / "out"
    train(config, out)
    fits.clear()
    entries = {path.name for path in (out / FOLDER).iterdir()}
    assert len(entries) == 6
    other = dataclasses.replace(config, recipes={**config.recipes, "item-cf": ItemCF(k=3)})
    train(other, out)
    assert fits == ["ItemCF", "ItemCF"]
    kept = {path.name for path in (out / FOLDER).iterdir()}
    assert (len(kept), len(kept & entries)) == (6, 4)


def flip(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def replaced(name: str, before: str, after: str) -> Callable[[Path], None]:
    """Return a damage that leaves a file of an entry well formed, with another value in it."""

    def damage(entry: Path) -> None:
        text = (entry / name).read_text(encoding="utf-8")
        assert before in text
        (entry / name).write_text(text.replace(before, after, 1), encoding="utf-8")

    return damage


def of_another_fit(entry: Path) -> None:
    """Put the whole entry of another fit in the place of this one."""
    for other in entry.parent.iterdir():
        if other != entry:
            shutil.rmtree(entry)
            shutil.copytree(other, entry)
            return


def array_of(entry: Path) -> Path:
    return sorted((entry / "channel").rglob("*.npy"))[-1]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flip": lambda entry: flip(array_of(entry)),
    "truncate": lambda entry: array_of(entry).write_bytes(array_of(entry).read_bytes()[:-1]),
    "remove": lambda entry: array_of(entry).unlink(),
    "a file more": lambda entry: (entry / "channel" / "more.npy").write_bytes(b"x"),
    "no JSON": lambda entry: (entry / "fit.json").write_text("{", encoding="utf-8"),
    "another JSON": lambda entry: (entry / "fit.json").write_text("[]", encoding="utf-8"),
    "deep JSON": lambda entry: (entry / "fit.json").write_text("[" * 100_000, encoding="utf-8"),
    "other seconds": replaced("fit.json", '"fit_s": ', '"fit_s": 9'),
    "other bytes": replaced("fit.json", '"size_bytes": ', '"size_bytes": 1'),
    "other choices": replaced("fit.json", '"chosen": {', '"chosen": {"k": 1'),
    "a hash": lambda entry: flip(entry / "fit.sha256", 0),
    "no hash": lambda entry: (entry / "fit.sha256").unlink(),
    "no channel": lambda entry: shutil.rmtree(entry / "channel"),
    "of another fit": of_another_fit,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_fitted_anew_with_a_sentence(
    tmp_path: Path, config: Config, fits: list[str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, cache = skewed(), FitCache(tmp_path / "out")
    first = fit_channels(config, data, Silent(), cache=cache)
    key = cache.key(config.recipes["item-cf"], data_fingerprint([data, None, None]), config.settings.seed)
    DAMAGES[damage](tmp_path / "out" / FOLDER / key)
    fits.clear()
    again = fit_channels(config, data, Silent(), cache=FitCache(tmp_path / "out"))
    assert fits == ["ItemCF"]
    (sentence,) = (record.getMessage() for record in caplog.records)
    assert sentence.startswith(f"the fit kept in {tmp_path / 'out' / FOLDER / key} is damaged and is made anew: ")
    assert (
        answers(again.channels["item-cf"], data).items.tolist()
        == answers(first.channels["item-cf"], data).items.tolist()
    )
    assert again.size_bytes == first.size_bytes
    fit_channels(config, data, Silent(), cache=FitCache(tmp_path / "out"))
    assert fits == ["ItemCF"]


def test_every_byte_of_what_is_said_of_a_fit_counts(
    tmp_path: Path, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    data, cache = skewed(), FitCache(tmp_path)
    recipe = config.recipes["hot"]
    cache.save("ab", recipe.fit(data, FitContext()), fit_s=1.5, chosen={"k": 3})
    for name in ("fit.json", "fit.sha256"):
        path = tmp_path / FOLDER / "ab" / name
        for place in range(path.stat().st_size):
            flip(path, place)
            assert cache.load("ab", data) is None
            flip(path, place)
    n_damaged = len(caplog.records)
    assert n_damaged > 64
    fit = cache.load("ab", data)
    assert fit is not None
    assert (fit.fit_s, fit.chosen, len(caplog.records)) == (1.5, {"k": 3}, n_damaged)


def test_what_is_not_there_is_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert FitCache(tmp_path).load("ab", skewed()) is None
    assert not caplog.records


def test_a_run_that_fails_keeps_what_it_fitted(
    tmp_path: Path, config: Config, fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import graphrec.pipelines.jobs.train as job

    def stopped(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(job, "measure", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "out")
    assert fits == ["ItemCF"]
    train(config, tmp_path / "out")
    assert fits == ["ItemCF", "ItemCF"]


def test_what_is_held_out_is_handed_to_the_fit_and_is_part_of_the_key(
    tmp_path: Path, config: Config, fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[FitContext] = []
    fit = ItemCF.fit

    def watched(self: ItemCF, data: RecallData, context: FitContext) -> Any:
        contexts.append(context)
        return fit(self, data, context)

    monkeypatch.setattr(ItemCF, "fit", watched)
    data = skewed()
    history = histories(data.interactions)
    panels = [
        Panel(
            [row], known_queries(history, [row]).history, item_lists([[int(np.flatnonzero(data.pool)[0])]]), data.pool
        )
        for row in (0, 1)
    ]
    for panel in (None, *panels, None, *panels):
        fit_channels(config, data, Silent(), cache=FitCache(tmp_path / "out"), validation=panel)
    assert [context.validation for context in contexts] == [None, *panels]
    assert len(fits) == 3
