"""An item taken down vanishes from everything that is answered, at once, and across versions and processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from graphrec.bundle import publish
from graphrec.contracts.recall_data import RecallData
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError
from graphrec.graph.catalogue import items_only
from graphrec.serve import Engine
from graphrec.serve.taken_down import FILE, edit_taken_down, read_taken_down, taken_down_file
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import library, skewed

CHANNELS = tuple(RECIPES)


@pytest.fixture
def root(tmp_path: Path, library_bundle: Path) -> Path:
    """Return an output directory with one version of the library."""
    data = library()
    publish(tmp_path, lambda directory: write(directory, data, fit(data)))
    return tmp_path


@pytest.fixture
def own(library_bundle: Path) -> Engine:
    """Return an engine that a test may change."""
    return Engine.open(library_bundle, warm=False, verify=False)


def everything(engine: Engine, user: str | None = "r0", k: int = 12) -> set[str]:
    """Return all ids that the engine answers for somebody, from all channels and from each."""
    found: set[str] = set()
    for channels in (None, *([name] for name in CHANNELS)):
        found |= set(engine.recall(user, k=k, channels=channels, explain=True).ids)
    for item in ("b0", "b4", "b6"):
        found |= set(engine.neighbours(item, k=12).ids)
        found |= set(engine.similar(item, channel="item-cf", k=12).ids)
    return found


def test_every_channel_loses_the_item(own: Engine) -> None:
    for item in ("b5", "b3", "b7"):
        assert item in everything(own, None)
    told = own.take_down(["b5", "b3", "b7"])
    assert told == (("b5", "b3", "b7"), (), ())
    assert own.taken_down == {"b5", "b3", "b7"}
    for user in ("r0", "r3", "r6", "r7", "nobody", None):
        assert not {"b5", "b3", "b7"} & everything(own, user)
    assert own.recall("r0", k=12, only=["b5", "b2"]).ids == ["b2"]


def test_the_list_is_filled_up(own: Engine) -> None:
    for channels in (None, ["hot"], ["item-cf"]):
        before = own.recall("r0", k=3, channels=channels).ids
        own.take_down(before[:2])
        after = own.recall("r0", k=3, channels=channels).ids
        assert len(after) == 3
        assert after[0] == before[2]
        own.put_back(before)
    popular = own.recall(k=3).ids
    own.take_down(popular[:1])
    assert own.recall(k=3).ids[:2] == popular[1:]


def test_the_fallback_loses_it_too(own: Engine) -> None:
    bundle = replace(own.bundle, channels={"kg-neighbours": own.bundle.channels["kg-neighbours"]})
    few = Engine(bundle.path, replace(own._state, bundle=bundle))
    assert few.recall("nobody", k=3).ids == ["b0", "b6", "b4"]
    few.take_down(["b6"])
    answer = few.recall("nobody", k=11)
    assert answer.fallback == "hot"
    assert answer.ids[:2] == ["b0", "b4"]
    assert set(answer.ids) == set(own.bundle.items) - {"b6"}


def test_a_taken_down_item_of_the_history_still_counts_and_may_be_named(own: Engine) -> None:
    before = own.recall(history=["b0"], k=1, explain=True)
    own.take_down(["b0"])
    after = own.recall(history=["b0"], k=1, explain=True)
    assert after.items == before.items
    assert after.items[0].explanation is not None
    assert "Dune" in after.items[0].explanation
    assert own.neighbours("b0", k=3).ids
    assert "b0" not in own.neighbours("b1", k=12).ids


def test_put_back(own: Engine) -> None:
    before = everything(own)
    own.take_down(["b5", "b3"])
    assert own.put_back(["b5", "b9"]) == (("b5",), (), ())
    assert own.taken_down == {"b3"}
    assert everything(own) == before - {"b3"}
    assert own.take_down(["b3"]) == ((), (), ())


def test_nothing_left_is_said(own: Engine) -> None:
    own.take_down(own.bundle.items)
    answer = own.recall("r0")
    assert answer.items == ()
    assert answer.empty_because == "every item of the pool is taken down"


def test_what_is_no_id_takes_nothing_down(own: Engine) -> None:
    with pytest.raises(ConfigError, match=r"ids holds 5 \(int\); ids are strings: '5'"):
        own.take_down(["b5", 5])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="ids is 'b5'; it must be a sequence of ids"):
        own.put_back("b5")
    assert own.taken_down == frozenset()


def test_ids_survive_a_reload_in_which_rows_move(tmp_path: Path) -> None:
    small, grown = skewed(40, 30), skewed(60, 45)
    publish(tmp_path, lambda directory: write(directory, small, fit(small, {"hot": RECIPES["hot"]})))
    engine = Engine.open(tmp_path, warm=False)
    assert engine.take_down(["i3", "i38", "i0"]) == (("i3", "i38", "i0"), ("i38",), ())
    assert not {"i3", "i0"} & set(engine.recall(k=30).ids)
    ids = Vocabulary(list(grown.items)[::-1])
    turned = RecallData(grown.users, ids, grown.interactions, items_only(ids))
    publish(tmp_path, lambda directory: write(directory, turned, fit(turned, {"hot": RECIPES["hot"]})))
    assert engine.reload()
    answer = engine.recall(k=45)
    assert not {"i3", "i38", "i0"} & set(answer.ids)
    assert "i41" in answer.ids
    assert engine.put_back(["i38"]) == (("i38",), (), ())
    assert "i38" in engine.recall(k=45).ids


def test_while_others_ask(own: Engine) -> None:
    stop = threading.Event()
    wrong: list[str] = []

    def ask() -> None:
        while not stop.is_set():
            for one in ("b5", "b3"):
                if one in own.taken_down and one in own.recall("r0", k=12).ids and one in own.taken_down:
                    wrong.append(one)

    def change(one: str) -> None:
        for _ in range(50):
            own.take_down([one])
            assert one in own.taken_down
            assert one not in own.recall("r0", k=12).ids
        own.put_back([one])

    asking = threading.Thread(target=ask)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, ["b2", "b8", "b9", "b11"]))
    own.take_down(["b5", "b3"])
    asking.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, ["b2", "b8", "b9", "b11"]))
    stop.set()
    asking.join()
    assert not wrong
    assert own.taken_down == {"b5", "b3"}


def test_a_slow_reload_holds_no_take_down_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine.open(root)
    data = library()
    publish(root, lambda directory: write(directory, data, fit(data), config={"name": "two"}))
    loading, go_on = threading.Event(), threading.Event()
    warm = engine._warm

    def slowly(state: object) -> None:
        loading.set()
        assert go_on.wait(30)
        warm(state)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_warm", slowly)
    reloading = threading.Thread(target=engine.reload)
    reloading.start()
    assert loading.wait(30)
    before = engine.version
    engine.take_down(["b5"])
    found = engine.recall("r0", k=12).ids
    go_on.set()
    reloading.join()
    assert "b5" not in found
    assert engine.version != before
    assert engine.taken_down == {"b5"}
    assert "b5" not in engine.recall("r0", k=12).ids


# --- the file


def test_the_file_is_read_at_open_and_at_reload(root: Path) -> None:
    (root / FILE).write_text("# by order of the shop\nb5\n\n  not-yet-an-item \n", encoding="utf-8")
    version = (root / "current").resolve()
    for path in (root, root / "current", version):
        engine = Engine.open(path, verify=False)
        assert engine.taken_down == {"b5", "not-yet-an-item"}
        assert "b5" not in everything(engine)
    engine.take_down(["b3"])
    (root / FILE).write_text("b2\n", encoding="utf-8")
    assert "b5" in engine.taken_down
    assert not engine.reload()
    assert engine.taken_down == {"b2", "b3"}
    assert engine.put_back(["b2", "b3"]) == (("b3",), (), ("b2",))
    (root / FILE).unlink()
    engine.reload()
    assert engine.taken_down == frozenset()


def test_a_bad_new_version_does_not_keep_the_file_from_counting(root: Path) -> None:
    engine = Engine.open(root)
    data = library()
    bad = publish(root, lambda directory: write(directory, data, fit(data), config={"name": "two"}))
    (bad / "pool.npy").write_bytes(b"broken")
    edit_taken_down(root, add=["b5"])
    with pytest.raises(BundleError, match=r"pool\.npy is damaged"):
        engine.reload()
    assert "b5" not in everything(engine)


def test_a_file_that_cannot_be_read_stops_an_engine_before_it_serves(root: Path) -> None:
    (root / FILE).mkdir()
    with pytest.raises(BundleError, match=r"taken-down\.txt cannot be read: .*which items are taken down is not known"):
        Engine.open(root)


def test_edits_keep_what_people_wrote(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_bytes(b"\xef\xbb\xbfb1\r\n# recalled on Monday\nb2\n\xff\xfe\n")
    edited = edit_taken_down(tmp_path, add=["b3", "b1", "#7", " x", "b3"])
    assert edited.changed == ("b3", "#7", " x")
    assert edited.ids == ("b1", "b2", "\ufffd\ufffd", "b3", "#7", " x")
    assert read_taken_down(tmp_path) == set(edited.ids)
    gone = edit_taken_down(tmp_path, remove=["b2", "#7", "never"])
    assert gone.changed == ("b2", "#7")
    assert file.read_bytes() == b'b1\n# recalled on Monday\n\xff\xfe\nb3\n" x"\n'
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_many_who_edit_at_once_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: edit_taken_down(tmp_path, add=[f"b{n}"]), range(40)))
    assert read_taken_down(tmp_path) == {f"b{n}" for n in range(40)}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FILE).symlink_to(tmp_path / "shared" / "down.txt")
    edit_taken_down(tmp_path / "out", add=["b1"])
    assert (tmp_path / "out" / FILE).is_symlink()
    assert (tmp_path / "shared" / "down.txt").read_text(encoding="utf-8") == "b1\n"


def test_where_the_file_stands(root: Path, tmp_path: Path) -> None:
    version = (root / "current").resolve()
    assert taken_down_file(root) == root / FILE
    assert taken_down_file(version) == taken_down_file(root / "current") == root.resolve() / FILE
    with pytest.raises(BundleError, match=r"there is no directory '.*nowhere' to note taken-down items in"):
        edit_taken_down(tmp_path / "nowhere", add=["b1"])
