"""Holding out events as the configuration says: the test part, and a validation part of train."""

from __future__ import annotations

from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.training_part import training_part
from graphrec.data.encoding.encoder import column_kinds
from graphrec.data.feature_leaks import ColumnCheck, check_columns, refuse_derived_columns
from graphrec.data.interactions import Interactions
from graphrec.data.splits import Split, split_by_ratio, split_by_time, split_given, split_leave_last
from graphrec.errors import ConfigError
from graphrec.graph.derived import RelationCheck, check_relations, refuse_derived
from graphrec.graph.leaks import find_leaks, refuse_leaks, user_nodes

from ..config.build import Config
from ..config.sections import SplitSection
from .pool import with_pool


def make_split(section: SplitSection, interactions: Interactions, test: Interactions | None, *, seed: int) -> Split:
    """Hold events out as the configuration says."""
    if section.kind == "given":
        if test is None:
            raise ConfigError("split.kind = 'given' needs data.interactions.test_path")
        return split_given(interactions, test)
    if section.kind == "leave-last":
        return split_leave_last(interactions, n=section.n)
    if section.kind == "ratio":
        return split_by_ratio(interactions, test_share=section.test_share, seed=seed)
    if section.cut is not None:
        return split_by_time(interactions, cut=section.cut)
    return split_by_time(interactions, test_share=section.test_share)


def inner_section(split: SplitSection) -> SplitSection:
    """Return how train is divided again where nothing else is said: as the whole was.

    A given test file, or a cut in time, says nothing of how to divide train again: the first is followed by a random
    ratio, the second by a cut that leaves ``test_share`` of the events.
    """
    return SplitSection(kind="ratio") if split.kind == "given" else split.model_copy(update={"cut": None})


def divide(config: Config, train: RecallData, section: SplitSection, *, seed: int) -> tuple[Split, RecallData]:
    """Return the training part divided once more, and what may be learned from its inner part, with its pool.

    Raises
    ------
    LeakError
        If the knowledge graph holds edges from users to what is held out for them.
    """
    split = make_split(section, train.interactions, None, seed=seed)
    refuse_user_leaks(config, train, held=split.test)
    return split, with_pool(config, training_part(train, split), events="train").data


def refuse_user_leaks(config: Config, data: RecallData, *, held: Interactions) -> None:
    """Raise LeakError where the knowledge graph joins users to what is held out for them."""
    knowledge = config.settings.data.knowledge
    if knowledge is None:
        return
    template = knowledge.user_template or "{id}"
    nodes = user_nodes(data.catalogue, data.users, lambda user: template.replace("{id}", user))
    refuse_leaks(find_leaks(data.catalogue, nodes, held))


def refuse_derived_relations(config: Config, data: RecallData, split: Split) -> list[RelationCheck]:
    """Return what the relations of the graph have to do with the events.

    Raises
    ------
    LeakError
        If a relation seems to be made of interactions and ``catalogue.derived`` does not name it.
    ConfigError
        If ``catalogue.derived`` names what is neither a relation nor a column.
    """
    checks = check_relations(data.catalogue, split.train, split.test, seed=config.settings.seed)
    columns = {name for part in (data.item_features, data.user_features) if part for name in column_kinds(part)}
    allowed = [name for name in config.settings.catalogue.derived if name not in columns]
    refuse_derived(checks, allowed=allowed)
    return checks


def refuse_leaking_columns(config: Config, data: RecallData, split: Split) -> list[ColumnCheck]:
    """Return what the columns of items and users have to do with the held-out events.

    Raises
    ------
    LeakError
        If a column seems to be made of held-out events and ``catalogue.derived`` does not name it.
    """
    checks = []
    if data.item_features is not None:
        checks += check_columns(data.item_features, split.train, split.test, space="item")
    if data.user_features is not None:
        checks += check_columns(data.user_features, split.train, split.test, space="user")
    refuse_derived_columns(checks, allowed=config.settings.catalogue.derived)
    return checks
