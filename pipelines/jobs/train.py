"""The main job: read, split, fit, measure, fit again on everything, publish."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from graphrec.bundle import publish, write_bundle
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Audited
from graphrec.contracts.recipe import libraries_of
from graphrec.contracts.training_part import training_part
from graphrec.data.outside import divided_split
from graphrec.data.sequences import sequences
from graphrec.data.splits import Split
from graphrec.fusion.settings import Fusion

from ..config.build import Config
from ..config.load import load_config
from ..evaluation.evaluate import EvaluationSettings, evaluate
from ..evaluation.item_maps import item_maps
from ..progress import Silent, Steps
from ..readers.catalogue import catalogue_notices
from ..readers.inputs import Inputs, load_inputs
from ..readers.rules import with_rules
from ..report.curves import CHOOSING, MEASURED, curves_of
from ..report.files import staged_report
from ..report.report import Report
from .choosing import Chosen, choose, scaled_to
from .features import features_report
from .fit_cache import FitCache
from .fitting import Fitted, fit_channels
from .output import check_output
from .pool import Pooled, with_pool
from .served import check_served
from .splitting import make_split, refuse_derived_relations, refuse_leaking_columns, refuse_user_leaks


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves: the bundle's directory, and the report that ``report.json`` and the page are views of."""

    bundle: Path
    report: Report


def train(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path,
    *,
    steps: Steps | None = None,
    cached: bool = True,
) -> Trained:
    """Run the configuration and leave ``out/report.json``, ``out/report.html`` and a bundle behind ``out/current``.

    Channels are measured when fitted on the training part alone, with ``split.validation = "history"`` without its
    validation part. What is published is fitted on all events, unless ``publish.data = "train"``: those that were
    measured.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`graphrec.pipelines.config.load.load_config`.
    out : path
        Directory of the results; made where it is missing. A bundle that is there stays until the new one is whole.
    steps : Steps or None
        Where progress is shown.
    cached : bool, default True
        Keep fitted channels in ``out/.fits``, and take from there those of an earlier run whose recipe, data, seed and
        code are the same: a run that was stopped goes on where it was.

    Raises
    ------
    GraphRecError
        On input, settings or output that cannot be used; the output directory is looked at before anything else.
    """
    config, shown = load_config(config), steps or Silent()
    root = check_output(out, publishes=True)
    cache = FitCache(root) if cached else None
    inputs, split, measured = prepare(config, rejects=root / "rejects", steps=shown)
    chosen = choose(config, measured, shown, cache=cache)
    fitted = chosen.fitted or fit_channels(chosen.config, measured, shown, cache=cache)
    chosen = scaled_to(chosen, fitted.channels, measured, shown)
    report = measure(config, inputs, split, measured, fitted, chosen, shown)
    data, published = measured, fitted
    if config.settings.publish.data == "all":
        whole = with_pool(config, inputs.data, events="all")
        data, report = whole.data, dataclasses.replace(report, pool_published=whole.report)
        published = fit_channels(chosen.config, data, shown, note=" on all events", cache=cache)
        chosen = scaled_to(chosen, published.channels, data, shown)
    with staged_report(root, report) as put_report:
        bundle = publish_bundle(config, data, inputs, published, chosen.fusion, report, root, shown, put_report)
    if cache is not None:
        cache.prune()
    return Trained(bundle, report)


def pool_only(config: Config, *, events: Literal["train", "all"] = "all", steps: Steps | None = None) -> Pooled:
    """Return the pool of the training part, or of all events, and its report; nothing is fitted."""
    shown = steps or Silent()
    if events == "train":
        inputs, _, measured = prepare(config, rejects=None, steps=shown)
        return Pooled(measured, dict(inputs.pool))
    return with_pool(config, load_inputs(config, rejects=None, steps=shown).data, events="all")


def prepare(config: Config, *, rejects: Path | None, steps: Steps) -> tuple[Inputs, Split, RecallData]:
    """Return the inputs, the split, and what channels may learn from while they are measured, with its pool.

    Raises
    ------
    LeakError
        If the knowledge graph holds edges from users to what is held out for them, or relations made of interactions,
        or a column of items or users is made of held-out events.
    """
    inputs = with_rules(config, load_inputs(config, rejects=rejects, steps=steps))
    whole = make_split(config.settings.split, inputs.events, inputs.test, seed=config.settings.seed)
    split, outside = divided_split(whole, len(inputs.data.items))
    refuse_user_leaks(config, inputs.data, held=split.test)
    relations = [dataclasses.asdict(check) for check in refuse_derived_relations(config, inputs.data, split)]
    columns = [dataclasses.asdict(check) for check in refuse_leaking_columns(config, inputs.data, split)]
    with steps.step("choose the pool"):
        pooled = with_pool(config, training_part(inputs.data, split), events="train")
    report = {**inputs.report, **({"relations": relations} if relations else {})}
    if features := features_report(pooled.data, columns):
        report["features"] = features
    return dataclasses.replace(inputs, report=report, pool=pooled.report, outside=outside), split, pooled.data


def measure(
    config: Config, inputs: Inputs, split: Split, measured: RecallData, fitted: Fitted, chosen: Chosen, steps: Steps
) -> Report:
    """Return the report of the channels fitted on ``measured``, with what was read, linked and left out of the pool."""
    settings = config.settings
    evaluation = EvaluationSettings(
        k=settings.evaluate.k,
        seed=settings.seed,
        bootstrap_rounds=settings.evaluate.bootstrap_rounds,
        max_users=settings.evaluate.max_users,
        limits=settings.evaluate.limits,
        value=settings.evaluate.value,
    )
    with steps.step("measure every channel") as advance:
        report = evaluate(
            fitted,
            chosen.fusion,
            measured,
            split.test,
            evaluation,
            outside=inputs.outside if settings.catalogue.outside == "missed" else None,
            validation=chosen.validation,
            progress=advance,
        )
    # Channels that were fitted once have one training.
    measured_again = {} if chosen.fitted is fitted else fitted.training
    return dataclasses.replace(
        report,
        dataset=settings.name,
        split={**split.settings, "validation": settings.split.validation},
        channels={
            name: dataclasses.replace(
                row,
                chosen=chosen.settings.get(name),
                training=curves_of({CHOOSING: chosen.training.get(name, ()), MEASURED: measured_again.get(name, ())}),
            )
            for name, row in report.channels.items()
        },
        fusion_fit=chosen.fusion_fit,
        inputs=inputs.report,
        notices=(*report.notices, *catalogue_notices(settings, inputs.report, inputs.outside)),
        pool=inputs.pool,
        maps=item_maps(fitted.channels, measured, seed=settings.seed),
    )


def publish_bundle(
    config: Config,
    data: RecallData,
    inputs: Inputs,
    fitted: Fitted,
    fusion: Fusion,
    report: Report,
    root: Path,
    steps: Steps,
    put_report: Callable[[], None],
) -> Path:
    """Write the bundle, switch ``root/current`` to it with its report beside it; return the bundle's directory."""
    with steps.step("audit and publish the bundle"):
        audits = {
            name: channel.audit(seed=config.settings.seed)
            for name, channel in fitted.channels.items()
            if isinstance(channel, Audited)
        }
        return publish(
            root,
            lambda directory: write_bundle(
                directory,
                users=data.users,
                items=data.items,
                catalogue=data.catalogue,
                history=sequences(data.interactions),
                pool=data.pool,
                channels=fitted.channels,
                fusion=fusion.to_dict(),
                wording=config.settings.wording,
                config=config.settings.model_dump(mode="json"),
                data_fingerprint=inputs.fingerprint,
                report=report.to_dict(),
                audits=audits,
                libraries=[name for recipe in config.recipes.values() for name in libraries_of(type(recipe))],
            ),
            keep=config.settings.publish.keep,
            check=check_served,
            beside=put_report,
        )
