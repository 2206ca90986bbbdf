"""Bad cases: what a model likes and a teacher finds irrelevant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.negatives.irrelevant import ContentTeacher, Irrelevant, item_terms
from graphrec.negatives.protocol import Model, positive_pairs
from graphrec.negatives.taken import Taken
from tests.worlds import skewed, without_knowledge

# Three users, eight items of two kinds: 0 to 3 are red, 4 to 7 are blue; user 2 has both.
TAKEN = Taken(Interactions([0, 0, 1, 1, 2, 2], [0, 1, 4, 5, 2, 6], n_users=3, n_items=8))
TERMS = sp.csr_array(np.repeat(np.eye(2), 4, axis=0) * 3.0)
TEACHER = ContentTeacher(TERMS, TAKEN)


def test_relevance_is_the_cosine_of_terms() -> None:
    terms = sp.csr_array(np.random.default_rng(0).poisson(0.7, (8, 5)).astype(float))
    teacher, users, items = ContentTeacher(terms, TAKEN), np.repeat(np.arange(3), 8), np.tile(np.arange(8), 3)
    unit = terms.toarray() / np.maximum(np.linalg.norm(terms.toarray(), axis=1), 1e-12)[:, None]
    for user, item, relevance in zip(users, items, teacher(users, items), strict=True):
        own = unit[TAKEN.items[TAKEN.indptr[user] : TAKEN.indptr[user + 1]]].sum(axis=0)
        assert relevance == pytest.approx(own @ unit[item] / max(float(np.linalg.norm(own)), 1e-12), abs=1e-9)


def test_bad_cases_are_irrelevant_free_and_of_the_highest_scores() -> None:
    model = Model(np.ones((3, 1), np.float32), np.arange(8, dtype=np.float32)[:, None])
    sampler = Irrelevant(TAKEN, np.ones(8, dtype=np.bool_), TEACHER, share=0.3, candidates=200, kept=1)
    assert (sampler.draw(positive_pairs([0, 1], [0, 4]), 3, np.random.default_rng(0)).own == -1).all()
    sampler.refresh(model, np.random.default_rng(0))
    drawn = sampler.draw(positive_pairs([0, 1, 2], [0, 4, 2]), 50, np.random.default_rng(0))
    # Of what others took, user 0 finds 4, 5 and 6 irrelevant, and 6 scores highest; nothing is to user 2.
    assert np.unique(drawn.own[0]).tolist() == [6]
    assert np.unique(drawn.own[1]).tolist() == [2]
    assert set(np.unique(drawn.own[2]).tolist()) <= {-1, 0, 1, 4, 5}
    again = Irrelevant(TAKEN, np.ones(8, dtype=np.bool_), TEACHER, kept=1)
    again.put(sampler.state())
    np.testing.assert_array_equal(
        again.draw(positive_pairs([0], [0]), 4, np.random.default_rng(1)).own,
        sampler.draw(positive_pairs([0], [0]), 4, np.random.default_rng(1)).own,
    )


def test_what_is_not_in_the_pool_is_no_bad_case() -> None:
    pool = np.ones(8, dtype=np.bool_)
    pool[6] = False
    sampler = Irrelevant(TAKEN, pool, TEACHER, candidates=200, kept=8)
    sampler.refresh(Model(np.ones((3, 1), np.float32), np.ones((8, 1), np.float32)), np.random.default_rng(0))
    drawn = sampler.draw(positive_pairs([0], [0]), 50, np.random.default_rng(0)).own
    assert np.unique(drawn).tolist() == [4, 5]


def test_terms_that_few_items_have_weigh_more() -> None:
    data = without_knowledge(skewed())
    n = len(data.items)
    codes = np.r_[np.zeros(n - 5, np.int64), np.ones(5, np.int64)]
    labelled = replace(data, item_features=Features(n, labels={"kind": Labels(Vocabulary(["often", "seldom"]), codes)}))
    terms = item_terms(labelled)
    weights = np.asarray(terms.max(axis=0).todense()).ravel()
    assert sorted(np.round(weights[weights > 0], 6)) == sorted(np.round(np.log1p([n / (n - 5), n / 5]), 6))
    with pytest.raises(DataError, match="no item has a label, a tag or a word"):
        item_terms(data)


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"kept": 0}, {"candidates": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Irrelevant(TAKEN, np.ones(8, dtype=np.bool_), TEACHER, **wrong)  # type: ignore[arg-type]
