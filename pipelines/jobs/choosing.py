"""What a run chooses on a validation part of train: settings of its channels, and how their lists are merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.choosing import choices_of, chooses
from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.progress import TrainingPoint
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import is_of_graph
from graphrec.contracts.training_part import last_moment
from graphrec.data.lists import ItemLists
from graphrec.data.sequences import sequences, take_sequences
from graphrec.errors import ConfigError
from graphrec.evaluation.held_out import sample_users
from graphrec.evaluation.value import item_values
from graphrec.fusion.graph_levels import NO_LEVELS, graph_levels
from graphrec.fusion.heads import Answers
from graphrec.fusion.settings import Fusion, FusionRecipe, LooksAtScores

from ..config.build import Config, make_fusion
from ..evaluation.panel_lists import PanelLists, ask_all, ask_queries, take_answers
from ..evaluation.validation import hold_out
from ..progress import Steps
from .fit_cache import FitCache
from .fitting import Fitted, check_recipes, fit_channels
from .splitting import inner_section

# Users of the validation panel that a fusion is fitted on: enough for fractions of a point, 1 GB at 16 channels of 400.
VALIDATION_USERS = 20_000
# Of these, users that channels choose by: every check measures all of them.
CHOOSING_USERS = 5_000
# And users whose lists say how large scores are: means of logarithms are known to a few hundredths.
SCALING_USERS = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """What a run measures and publishes, after what had to be chosen was.

    ``config`` has the channels' recipes as chosen; ``settings`` says by channel what that changed, and ``training``
    what was recorded meanwhile. ``fusion_fit`` is what fitting the fusion chose (JSON values), None where it was not
    fitted; ``validation`` are the lists that it was fitted on, where something else is still to be chosen on them;
    ``learnt`` those of some users, where it looks at how large scores are (:func:`scaled_to`).
    ``fitted`` are the channels to be measured, where those that were fitted for validation are.
    """

    config: Config
    fusion: Fusion
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Sequence[TrainingPoint]] = dataclasses.field(default_factory=dict)
    fusion_fit: Mapping[str, Any] | None = None
    validation: PanelLists | None = None
    learnt: PanelLists | None = None
    fitted: Fitted | None = None


def choose(config: Config, data: RecallData, steps: Steps, *, cache: FitCache | None = None) -> Chosen:
    """Return what a run measures and publishes.

    Where a recipe chooses settings (:mod:`graphrec.contracts.choosing`) or the fusion has to be fitted, a validation
    part is held out of ``data``, once for all of them; else nothing is held out and nothing is fitted. Channels
    choose by Recall at the largest cut-off, as the fusion does. With ``split.validation = "history"`` it is held out in
    any case, and the channels fitted without it are those to be measured.
    """
    check_recipes(config.recipes, data)
    fusion = make_fusion(config.settings.fusion, list(config.recipes))
    if _by_value(fusion) and config.settings.evaluate.value is None:
        raise ConfigError("fusion.objective = 'value' needs evaluate.value: the column that says what items are worth")
    choosers = {name: recipe for name, recipe in config.recipes.items() if chooses(recipe)}
    unlearned = config.settings.split.validation == "history"
    if not choosers and not isinstance(fusion, FusionRecipe) and not unlearned:
        return Chosen(config, fusion)
    seed = config.settings.seed
    part = hold_out(config, data, inner_section(config.settings.split), max_users=VALIDATION_USERS, seed=seed)
    panel = take_panel(part.panel, _some(part.panel, CHOOSING_USERS, seed))
    # A fusion is fitted on the lists of all channels.
    every = unlearned or isinstance(fusion, FusionRecipe)
    fits = config if every else dataclasses.replace(config, recipes=choosers)
    fitted = fit_channels(fits, part.data, steps, note=" for validation", cache=cache, validation=panel)
    chosen = dataclasses.replace(config, recipes={**config.recipes, **fitted.recipes})
    settings = {name: choices_of(recipe, chosen.recipes[name]) for name, recipe in choosers.items()}
    measured = fitted if unlearned else None
    if not isinstance(fusion, FusionRecipe):
        return Chosen(chosen, fusion, settings, fitted.training, fitted=measured)
    k = max(config.settings.evaluate.k)
    with steps.step("ask every channel on validation"):
        answers = ask_all(fitted.channels, part.panel, fusion.channel_depth(k))
    with steps.step("fit the fusion on validation"):
        counts = np.bincount(part.data.interactions.items, minlength=len(data.items))
        truth = _valued(config, part.data, part.panel.truth) if _by_value(fusion) else part.panel.truth
        told_by = [name for name, recipe in config.recipes.items() if is_of_graph(recipe)]
        graph = graph_levels(part.data.catalogue, counts, told_by) if told_by else NO_LEVELS
        history = part.panel.history
        result = fusion.fit(answers.lists, truth, k=k, counts=counts, seed=seed, graph=graph, histories=history)
    fusion_fit = {**result.report, "k": k, "users": len(part.panel)}
    # The lists are large: they stay only where something else is chosen on them.
    lists = answers if config.settings.evaluate.limits else None
    scales = isinstance(result.fusion, LooksAtScores)
    learnt = take_answers(answers, _some(part.panel, SCALING_USERS, seed)) if scales else None
    return Chosen(chosen, result.fusion, settings, fitted.training, fusion_fit, lists, learnt, measured)


def scaled_to(chosen: Chosen, channels: Mapping[str, Recaller], data: RecallData, steps: Steps) -> Chosen:
    """Return what was chosen with the fusion for ``channels``, which were fitted on ``data``.

    A channel that is fitted on more events than those of the validation part has other scores. A fusion that looks at
    how large they are is told by the new lists of some users that it was fitted on, who have all of ``data`` as
    history; no truth is looked at.
    """
    if chosen.learnt is None or not isinstance(chosen.fusion, LooksAtScores):
        return chosen
    # As deep as lists are merged, not as heads: an approximate index may answer another depth otherwise.
    users, depth = chosen.learnt.panel.users, chosen.fusion.channel_depth(max(chosen.config.settings.evaluate.k))
    queries = Queries(users, take_sequences(sequences(data.interactions), users), now=last_moment(data))
    with steps.step("tell the fusion how large scores are"):
        served = {name: ask_queries(name, channel, queries, data.pool, depth) for name, channel in channels.items()}
        learnt = Answers(chosen.learnt.lists, chosen.learnt.panel.history)
        fusion = chosen.fusion.on_scores(learnt, Answers(served, queries.history))
    return dataclasses.replace(chosen, fusion=fusion)


def _some(panel: Panel, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the places of at most so many users of a panel."""
    return sample_users(np.arange(len(panel), dtype=np.int32), most, seed=seed).astype(np.int64)


def _by_value(fusion: Fusion | FusionRecipe) -> bool:
    return getattr(fusion, "objective", "recall") == "value"


def _valued(config: Config, data: RecallData, truth: ItemLists) -> ItemLists:
    """Return the truth with what each item is worth as its score; items outside the catalogue are worth nothing."""
    values = item_values(data.item_features, str(config.settings.evaluate.value))
    known = np.append(values, 0.0)[np.minimum(truth.items, len(values))]
    return ItemLists(truth.indptr, truth.items, np.where(truth.scores > 0, known, 0.0))
