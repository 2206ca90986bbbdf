"""``graphrec demo``, ``train``, ``evaluate``, ``pool`` and ``tune``: what reads a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphrec.escapes import one_line

from ..terminal import out_console, print_json, print_lines
from .root import AsJson, NoCache, app, steps

if TYPE_CHECKING:
    from ..report.report import Report


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where report and bundle go.")] = Path("demo-out"),
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Train on the bundled goodbooks: report.json, report.html and a bundle, then a few look-ups."""
    from ..registry.datasets import datasets_directory

    trained = _train(datasets_directory() / "goodbooks" / "demo.toml", out, cached=not no_cache, as_json=as_json)
    if not as_json:
        _show_look_ups(out)
        print_lines(
            "",
            f"Try: graphrec recall {out} --user 58 --explain   graphrec neighbours {out} --item 2 --relation isPartOf",
            f"Report: {out / 'report.html'}   Bundle: {trained}",
        )


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="The TOML configuration.")],
    out: Annotated[Path, typer.Option(help="Where report and bundle go.")],
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Fit every channel, measure it, and publish a bundle."""
    bundle = _train(config, out, cached=not no_cache, as_json=as_json)
    if not as_json:
        print_lines(f"Report: {out / 'report.html'}   Bundle: {bundle}")


@app.command()
def evaluate(
    config: Annotated[Path, typer.Argument(help="The TOML configuration.")],
    out: Annotated[Path | None, typer.Option(help="Also write report.json and report.html here.")] = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Fit on the training part and measure every channel; publish nothing."""
    from ..jobs.evaluate import evaluate as run

    _print_report(run(config, out, steps=steps(as_json), cached=not no_cache), as_json=as_json)


@app.command()
def pool(
    config: Annotated[Path, typer.Argument(help="The TOML configuration.")],
    out: Annotated[Path | None, typer.Option(help="Write the ids of the pool to this file, one a line.")] = None,
    train: Annotated[bool, typer.Option("--train", help="Look at the training part alone, as when measuring.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which items may be recalled, and what each rule of the pool removed."""
    from ..config.load import load_config
    from ..jobs.pool import write_pool
    from ..jobs.train import pool_only
    from ..report.sentences import pool_lines
    from ..report.tables import pool_table

    pooled = pool_only(load_config(config), events="train" if train else "all", steps=steps(as_json))
    if out is not None:
        write_pool(pooled.data, out)
    if as_json:
        print_json(pooled.report)
    elif pooled.report["removals"]:
        out_console.print(pool_table(pooled.report))
    else:
        print_lines(*pool_lines(pooled.report))


@app.command()
def tune(
    config: Annotated[Path, typer.Argument(help="The TOML configuration; its [tune] says what is searched.")],
    out: Annotated[Path, typer.Option(help="Where tuned.toml, tune.json, tune.html and the trials go.")],
    channel: Annotated[list[str] | None, typer.Option(help="Search this channel alone; may be given again.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials a channel, in place of tune.trials.", min=1)] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial begins, in place of tune.timeout_s.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget earlier trials and begin again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search better settings of each channel on a validation part of train; the test part is never seen.

    Stopped by Ctrl-C, by the timeout or by anything else, the same command goes on where it was. The first trial has
    the present settings, so tuned.toml is never worse on validation.
    """
    from ..tuning.tune import tune as run

    tuned = run(
        config,
        out,
        channels=channel or (),
        trials=trials,
        timeout_s=timeout,
        restart=restart,
        steps=steps(as_json),
    )
    _print_tuned(tuned.report, tuned.config, as_json=as_json)
    if tuned.stopped:
        raise KeyboardInterrupt


def _train(config: Path, out: Path, *, cached: bool, as_json: bool) -> Path:
    from ..jobs.train import train as run

    trained = run(config, out, steps=steps(as_json), cached=cached)
    _print_report(trained.report, as_json=as_json)
    return trained.bundle


def _print_report(report: Report, *, as_json: bool) -> None:
    from ..report.numbers import verdict
    from ..report.tables import report_lines, report_tables
    from .answers import inputs_lines

    if as_json:
        print_json(report.to_dict())
        return
    print_lines(*inputs_lines(report.inputs))
    for table in report_tables(report):
        out_console.print(table)
    for line in report_lines(report):
        out_console.print(one_line(line))
    if verdict(report.fused_vs_best[report.k[-1]].difference) == "worse":
        print_lines('Hint: fusion.weights = "fit" chooses the weights on a validation part of train.')


def _print_tuned(report: dict[str, Any], config: Path, *, as_json: bool) -> None:
    from ..tuning.report import tune_table

    if as_json:
        print_json(report)
        return
    out_console.print(tune_table(report))
    if report["left"]:
        left = ", ".join(f"{name} ({why})" for name, why in report["left"].items())
        print_lines(f"Left as they are: {left}.")
    out_console.print(report["note"])
    page = config.parent / "tune.html"
    print_lines(f"Configuration: {config}   Plots: {page}")


def _show_look_ups(out: Path) -> None:
    """Print what the fresh bundle answers for its first user and for an unknown user."""
    from graphrec.serve.engine import Engine

    from .answers import answer_table

    engine = Engine.open(out)
    user = engine.bundle.users[0]
    known = engine.recall(user=user, k=5, explain=True)
    out_console.print(answer_table(known, title=f"5 items for user {user}", explain=True))
    out_console.print(
        answer_table(
            engine.recall(user="unknown-reader", k=5, explain=True), title="5 items for an unknown user", explain=True
        )
    )
