from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import take
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.models.node_embeddings.node_vectors import NodeVectors
from tests.worlds import checkerboard, library, skewed, without_knowledge

SMALL = Node2Vec(dim=12, walks_per_node=20, length=12, window=3, lr=0.1)
CONTEXT = FitContext(seed=1)


def before(data: RecallData, *, without: int) -> RecallData:
    """Return the data as they were before anybody took the item of row ``without``."""
    return replace(data, interactions=take(data.interactions, data.interactions.items != without))


def test_tables_are_by_id_and_leave_out_what_learnt_nothing() -> None:
    data = without_knowledge(skewed())
    learnt = SMALL.learn(data, CONTEXT)
    events = np.bincount(data.interactions.items, minlength=len(data.items))
    table = learnt.table("items", "out")
    assert list(table.vocabulary) == data.items.take(np.flatnonzero(events))
    last = int(np.flatnonzero(events)[-1])
    np.testing.assert_array_equal(table[data.items[last]], learnt.vectors.outputs[len(data.users) + last])
    np.testing.assert_array_equal(SMALL.embed(data, CONTEXT, of="items").matrix, learnt.table("items", "in").matrix)
    with pytest.raises(ConfigError, match="side is 'center'"):
        learnt.table("items", "center")  # type: ignore[arg-type]


def test_the_channel_of_what_was_learnt_is_that_of_a_fit() -> None:
    data = library()
    learnt = SMALL.learn(data, CONTEXT)
    fitted, served = SMALL.fit(data, CONTEXT), SMALL.channel(learnt, data, CONTEXT)
    assert fitted.sources.tobytes() == served.sources.tobytes()
    with pytest.raises(DataError, match="learnt of other users, items or entities"):
        SMALL.channel(learnt, skewed())


@pytest.mark.parametrize("keep", [False, True])
def test_a_new_item_is_placed_among_those_of_its_colour(keep: bool) -> None:
    data, new = without_knowledge(checkerboard()), 4
    old = SMALL.learn(before(data, without=new), CONTEXT)
    assert data.items[new] not in old.table("items")
    vectors = SMALL.extend(old, data, CONTEXT, keep=keep).table("items").matrix
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    others = np.arange(len(unit)) != new
    nearest = np.argsort(-np.where(others, unit @ unit[new], -1))[:5]
    assert (nearest % 2 == new % 2).mean() > 0.7


def test_old_vectors_are_kept_to_the_byte_or_move() -> None:
    data, new = without_knowledge(checkerboard()), 4
    old = SMALL.learn(before(data, without=new), CONTEXT)
    kept, free = (SMALL.extend(old, data, CONTEXT, keep=keep).vectors for keep in (True, False))
    row = len(data.users) + new
    rest = np.arange(len(kept.inputs)) != row
    for was, same, moved in zip(old.vectors, kept, free, strict=True):
        assert same[rest].tobytes() == was[rest].tobytes()
        assert (same[row] != was[row]).any()
        assert (moved[rest] != was[rest]).any()


def test_nodes_are_known_again_by_their_ids() -> None:
    data = without_knowledge(library())
    old = SMALL.learn(data, CONTEXT)
    order = np.arange(len(data.items))[::-1]
    turned = Vocabulary([*data.items.take(order), "new"])
    places = old.places_in({"users": data.users, "items": turned, "entities": Vocabulary([])})
    start = len(data.users)
    assert places.tolist() == [*range(start), *(start + order).tolist(), -1]


def test_data_that_are_the_same_change_nothing() -> None:
    data = skewed()
    old = SMALL.learn(data, CONTEXT)
    again = SMALL.extend(old, data, CONTEXT)
    assert again.vectors.inputs.tobytes() == old.vectors.inputs.tobytes()


def test_vectors_are_written_and_read(tmp_path: Path) -> None:
    old = SMALL.learn(skewed(), CONTEXT)
    old.save(tmp_path / "vectors")
    read = NodeVectors.load(tmp_path / "vectors")
    assert read.ids == dict(old.ids)
    assert read.vectors.outputs.tobytes() == old.vectors.outputs.tobytes()
    np.testing.assert_array_equal(read.degrees, old.degrees)
    (tmp_path / "vectors/users.arrow").unlink()
    with pytest.raises(DataError, match="holds no vectors of nodes"):
        NodeVectors.load(tmp_path / "vectors")


def test_vectors_of_another_width_and_trainer_are_refused() -> None:
    data = skewed()
    old = SMALL.learn(data, CONTEXT)
    with pytest.raises(ConfigError, match="the old vectors have dim 12, the recipe 16; give it dim=12"):
        replace(SMALL, dim=16).extend(old, data)
    with pytest.raises(ConfigError, match="trainer is 'gensim', which starts anew"):
        replace(SMALL, trainer="gensim").extend(old, data)
    with pytest.raises(ConfigError, match="loss is 'hierarchical', whose tree is of the old nodes"):
        replace(SMALL, loss="hierarchical").extend(old, data)
    with pytest.raises(DataError, match="give as many of each"):
        NodeVectors(old.ids, old.vectors, old.degrees[:-1])
