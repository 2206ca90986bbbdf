"""The main job: read, split, fit, measure, fit again on everything, publish."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from graphrec.bundle import publish, write_bundle
from graphrec.errors import ConfigError
from graphrec.filtering import recall_allowed
from graphrec.fusion.fit import fit_weights
from graphrec.fusion.settings import Fusion, Quota, Rrf
from graphrec.interactions import Interactions, histories
from graphrec.leaks import find_leaks, refuse_leaks, user_nodes
from graphrec.lists import take_lists
from graphrec.recall import RecallData, Recaller, known_queries
from graphrec.recallers.vector import VectorRecaller
from graphrec.splits import Split, held_out, split_by_ratio, split_by_time, split_given, split_leave_last
from graphrec.training import last_moment, training_part
from pipelines.config import Config, SplitSection
from pipelines.evaluate import evaluate
from pipelines.inputs import Inputs, load_inputs
from pipelines.operations import with_rules
from pipelines.progress import Silent, Steps
from pipelines.report import write_report


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves: the bundle's directory and the report (``report.json`` as a mapping)."""

    bundle: Path
    report: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
    """Channels ready to answer, with the seconds that each fit took."""

    channels: Mapping[str, Recaller]
    fit_s: Mapping[str, float]


def train(config: Config, out: str | Path, *, steps: Steps | None = None) -> Trained:
    """Run the configuration and leave ``out/report.json``, ``out/report.html`` and a bundle behind ``out/current``.

    Channels are measured when fitted on the training part alone. What is published is fitted on all events, unless
    ``publish.data = "train"``.

    Parameters
    ----------
    config : Config
        From :func:`pipelines.config.load_config`.
    out : path
        Directory of the results; made where it is missing. A bundle that is there stays until the new one is whole.
    steps : Steps or None
        Where progress is shown.

    Raises
    ------
    GraphRecError
        On input, settings or output that cannot be used.
    """
    shown = steps or Silent()
    root = Path(out)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the output directory {str(root)!r} cannot be made: {error.strerror}") from error
    inputs, split, measured = prepare(config, rejects=root / "rejects", steps=shown)
    fusion = choose_fusion(config, measured, shown)
    fitted = fit_channels(config, measured, shown)
    report = measure(config, inputs, split, fitted, fusion, shown)
    whole = config.settings.publish.data == "all"
    published = fit_channels(config, inputs.data, shown, note=" on all events") if whole else fitted
    bundle = publish_bundle(config, inputs.data if whole else measured, inputs, published, fusion, report, root, shown)
    write_report(report, root)
    return Trained(bundle, report)


def evaluate_only(config: Config, *, rejects: Path | None = None, steps: Steps | None = None) -> dict[str, Any]:
    """Fit on the training part, measure, and return the report; nothing is published."""
    shown = steps or Silent()
    inputs, split, measured = prepare(config, rejects=rejects, steps=shown)
    fusion = choose_fusion(config, measured, shown)
    return measure(config, inputs, split, fit_channels(config, measured, shown), fusion, shown)


def prepare(config: Config, *, rejects: Path | None, steps: Steps) -> tuple[Inputs, Split, RecallData]:
    """Return the inputs, the split, and what channels may learn from while they are measured.

    Raises
    ------
    LeakError
        If the knowledge graph holds edges from users to what is held out for them.
    """
    inputs = with_rules(config, load_inputs(config, rejects=rejects, steps=steps))
    split = make_split(config.settings.split, inputs.data.interactions, inputs.test, seed=config.settings.seed)
    knowledge, data = config.settings.data.knowledge, inputs.data
    if knowledge is not None:
        template = knowledge.user_template or "{id}"
        users = user_nodes(data.catalogue, data.users, lambda user: template.replace("{id}", user))
        refuse_leaks(find_leaks(data.catalogue, users, split.test))
    return inputs, split, training_part(data, split)


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


def fit_channels(config: Config, data: RecallData, steps: Steps, *, note: str = "") -> Fitted:
    """Fit every channel of the configuration on ``data``."""
    channels: dict[str, Recaller] = {}
    seconds: dict[str, float] = {}
    for name, recipe in config.recipes.items():
        with steps.step(f"fit {name}{note}"):
            started = time.perf_counter()
            channels[name] = recipe.fit(data, seed=config.settings.seed)
            seconds[name] = time.perf_counter() - started
    return Fitted(channels, seconds)


def choose_fusion(config: Config, data: RecallData, steps: Steps) -> Fusion:
    """Return the fusion that the configuration names; "fit" is settled on a validation part of ``data``."""
    section = config.settings.fusion
    if section.kind == "quota":
        return Quota(quotas=dict(section.quotas))
    given = {} if section.weights == "fit" else dict(section.weights)
    fusion = Rrf(weights=given, c=section.c, depth=section.depth)
    if section.weights != "fit":
        return fusion
    # A given test file, or a cut in time, says nothing of how to divide train again.
    inner = config.settings.split
    inner = SplitSection(kind="ratio") if inner.kind == "given" else inner.model_copy(update={"cut": None})
    split = make_split(inner, data.interactions, None, seed=config.settings.seed)
    fitted = fit_channels(config, training_part(data, split), steps, note=" for validation")
    with steps.step("choose fusion weights on validation"):
        k, truth = max(config.settings.evaluate.k), held_out(split.train, split.test)
        users = (truth.lengths > 0).nonzero()[0]
        queries = known_queries(histories(split.train), users, now=last_moment(data))
        lists = {
            name: recall_allowed(channel, queries, fusion.channel_depth(k), exclude=queries.history, allowed=data.pool)
            for name, channel in fitted.channels.items()
        }
        truth = take_lists(truth, users)
        weights = fit_weights(lists, truth, k=k, seed=config.settings.seed, c=fusion.c, depth=fusion.depth)
    return dataclasses.replace(fusion, weights=weights)


def measure(
    config: Config, inputs: Inputs, split: Split, fitted: Fitted, fusion: Fusion, steps: Steps
) -> dict[str, Any]:
    """Return the report of the channels fitted on the training part, with what was read and how it was linked."""
    settings = config.settings
    with steps.step("measure every channel") as advance:
        report = evaluate(
            fitted.channels,
            fusion,
            dataclasses.replace(inputs.data, interactions=split.train),
            split.test,
            k=settings.evaluate.k,
            fit_s=fitted.fit_s,
            size_bytes={name: saved_bytes(channel) for name, channel in fitted.channels.items()},
            seed=settings.seed,
            progress=advance,
            bootstrap_rounds=settings.evaluate.bootstrap_rounds,
            max_users=settings.evaluate.max_users,
        )
    return {**report, "dataset": settings.name, "split": split.settings, "seed": settings.seed, "inputs": inputs.report}


def saved_bytes(channel: Recaller) -> int:
    """Return how many bytes a channel takes on disk."""
    with TemporaryDirectory() as directory:
        channel.save(Path(directory))
        return sum(file.stat().st_size for file in Path(directory).rglob("*") if file.is_file())


def publish_bundle(
    config: Config,
    data: RecallData,
    inputs: Inputs,
    fitted: Fitted,
    fusion: Fusion,
    report: Mapping[str, Any],
    root: Path,
    steps: Steps,
) -> Path:
    """Write the bundle and switch ``root/current`` to it; return the bundle's directory."""
    with steps.step("audit and publish the bundle"):
        audits = {
            name: channel.audit(seed=config.settings.seed)
            for name, channel in fitted.channels.items()
            if isinstance(channel, VectorRecaller)
        }
        return publish(
            root,
            lambda directory: write_bundle(
                directory,
                users=data.users,
                items=data.items,
                catalogue=data.catalogue,
                history=histories(data.interactions),
                pool=data.pool,
                channels=fitted.channels,
                fusion=fusion.to_dict(),
                wording=config.settings.wording,
                config=config.settings.model_dump(mode="json"),
                data_fingerprint=inputs.fingerprint,
                report=report,
                audits=audits,
            ),
            keep=config.settings.publish.keep,
        )
