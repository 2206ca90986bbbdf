"""The ``graphrec`` command. Heavy parts are imported inside the commands that use them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graphrec.errors import ConfigError, GraphRecError
from graphrec.version import __version__

from ..jobs.stopping import SENTENCE, Terminated, exit_code, stoppable

if TYPE_CHECKING:
    from graphrec.serve.taken_down import Edited

    from ..progress import Steps

app = typer.Typer(
    name="graphrec",
    help="Recall from a catalogue that is a graph: train, measure, publish, look up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="The registry of data sets: list, describe, fetch.", no_args_is_help=True)
app.add_typer(data_app, name="data")
operations_app = typer.Typer(help="The rules that people edit: check, see what is live.", no_args_is_help=True)
app.add_typer(operations_app, name="operations")

out_console = Console()
err_console = Console(stderr=True)

NoCache = Annotated[bool, typer.Option("--no-cache", help="Fit every channel anew, and keep no fits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
TakenDownArgument = Annotated[Path, typer.Argument(help="The output directory of train, or a bundle in it.")]
BundleArgument = Annotated[Path, typer.Argument(help="A bundle, or a directory with one behind 'current'.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Errors of ours become one sentence and exit code 2, never a traceback."""
    try:
        with stoppable():
            app(args=list(arguments) if arguments is not None else None, prog_name="graphrec")
    except GraphRecError as error:
        err_console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except SystemExit as end:
        # The framework turns KeyboardInterrupt into an exit code and says nothing.
        stop = getattr(end.__context__, "__cause__", None)
        if not isinstance(stop, KeyboardInterrupt):
            raise
        err_console.print(SENTENCE)
        sys.exit(exit_code(signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT))
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again while closing stdout.
        sys.stderr.close()
        sys.exit(141)


def _version(asked: bool) -> None:
    if asked:
        out_console.print(f"graphrec {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


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
        out_console.print(
            f"\nTry: [bold]graphrec recall {out} --user 58 --explain[/bold]   "
            f"[bold]graphrec neighbours {out} --item 2 --relation isPartOf[/bold]\n"
            f"Report: {out / 'report.html'}   Bundle: {trained}",
            highlight=False,
            soft_wrap=True,
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
        out_console.print(f"Report: {out / 'report.html'}   Bundle: {bundle}", highlight=False, soft_wrap=True)


@app.command()
def evaluate(
    config: Annotated[Path, typer.Argument(help="The TOML configuration.")],
    out: Annotated[Path | None, typer.Option(help="Also write report.json and report.html here.")] = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Fit on the training part and measure every channel; publish nothing."""
    from ..jobs.evaluate import evaluate as run

    _print_report(run(config, out, steps=_steps(as_json), cached=not no_cache), as_json=as_json)


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
    from ..report.report import pool_lines, pool_table

    pooled = pool_only(load_config(config), events="train" if train else "all", steps=_steps(as_json))
    if out is not None:
        write_pool(pooled.data, out)
    if as_json:
        _print_json(pooled.report)
    elif pooled.report["removals"]:
        out_console.print(pool_table(pooled.report))
    else:
        out_console.print(escape("\n".join(pool_lines(pooled.report))), highlight=False, soft_wrap=True)


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
        steps=_steps(as_json),
    )
    _print_tuned(tuned.report, tuned.config, as_json=as_json)
    if tuned.stopped:
        err_console.print("stopped; the same command goes on")
        raise typer.Exit(130)


@app.command()
def recall(
    bundle: BundleArgument,
    user: Annotated[str | None, typer.Option(help="User id; unknown ones are served too.")] = None,
    history: Annotated[
        list[str] | None, typer.Option("--history", "-i", help="An item of a live history, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items wanted.", min=1)] = 10,
    channel: Annotated[list[str] | None, typer.Option(help="Ask these channels alone.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="An item that must not come back.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each item is there.")] = False,
    context: Annotated[
        list[str] | None, typer.Option(help="What the request says of itself: LABEL=VALUE, such as country=DE.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Answer for this moment (ISO date) instead of now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recall items for a user, for a live history, or for nobody at all."""
    from graphrec.serve.engine import Engine

    from ..readers.moments import moment
    from .answers import answer_table

    answer = Engine.open(bundle).recall(
        user=user,
        history=history or None,
        k=k,
        channels=channel or None,
        exclude=exclude or (),
        explain=explain,
        context=_pairs(context or ()),
        now=None if at is None else moment(at),
    )
    if as_json:
        _print_json(answer.to_dict())
        return
    who = f"user {user}" if user is not None else "nobody in particular"
    out_console.print(answer_table(answer, title=f"{len(answer.items)} items for {who}", explain=explain))


@app.command()
def neighbours(
    bundle: BundleArgument,
    item: Annotated[str, typer.Option(help="Item id.")],
    relation: Annotated[str | None, typer.Option(help="Only along this relation.")] = None,
    k: Annotated[int, typer.Option("-k", help="Items wanted.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the items near an item in the knowledge graph, and what they share."""
    from graphrec.serve.engine import Engine

    from .answers import neighbours_table

    found = Engine.open(bundle).neighbours(item=item, relation=relation, k=k)
    if as_json:
        _print_json(found.to_dict())
    else:
        out_console.print(neighbours_table(found))


@app.command("take-down")
def take_down(
    directory: TakenDownArgument,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Items to take down; without any, show those that are.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take items down: no channel returns them, from this bundle or a later one."""
    from graphrec.serve.taken_down import edit_taken_down

    _show_taken_down(edit_taken_down(directory, add=ids or ()), directory, ids or [], as_json=as_json)


@app.command("put-back")
def put_back(
    directory: TakenDownArgument,
    ids: Annotated[list[str], typer.Argument(help="Items to put back.")],
    as_json: AsJson = False,
) -> None:
    """Put back items that were taken down."""
    from graphrec.serve.taken_down import edit_taken_down

    _show_taken_down(edit_taken_down(directory, remove=ids), directory, ids, as_json=as_json)


@app.command()
def inspect(bundle: BundleArgument, as_json: AsJson = False) -> None:
    """Show what a bundle holds."""
    from graphrec.bundle import open_bundle

    from .answers import bundle_json, bundle_table

    opened = open_bundle(bundle)
    if as_json:
        _print_json(bundle_json(opened))
    else:
        out_console.print(bundle_table(opened))


@app.command()
def verify(bundle: BundleArgument, as_json: AsJson = False) -> None:
    """Check every file of a bundle against its hash, and every part against the others."""
    from graphrec.bundle import open_bundle, verify_bundle

    checks = verify_bundle(bundle)
    bad = [check for check in checks if not check.ok]
    if as_json:
        _print_json({"ok": not bad, "files": [{"file": c.file, "ok": c.ok, "problem": c.problem} for c in checks]})
    else:
        for check in bad:
            err_console.print(f"[red]✗[/red] {escape(check.problem)}", soft_wrap=True, highlight=False)
    if bad:
        raise typer.Exit(2)
    opened = open_bundle(bundle)
    if not as_json:
        out_console.print(
            f"[green]✓[/green] {opened.path}: {len(checks)} files are whole and fit together", soft_wrap=True
        )


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what is installed and which optional parts are active."""
    from ..environment import environment, parts

    found = parts()
    if as_json:
        described = {p.name: {"active": p.active, "packages": {d.name: d.version for d in p.packages}} for p in found}
        _print_json({**environment(), "parts": described})
        return
    about = environment()
    out_console.print(
        f"graphrec {about['graphrec']} · Python {about['python']} · {about['platform']} · {about['threads']} threads",
        highlight=False,
    )
    table = Table("part", "active", "gives", "packages")
    for part in found:
        packages = ", ".join(f"{p.name} {p.version or '[red]missing[/red]'}" for p in part.packages)
        remedy = "" if part.active else f"\n[yellow]pip install 'graphrec\\[{part.name}]'[/yellow]"
        table.add_row(
            part.name, "[green]yes[/green]" if part.active else "[red]no[/red]", part.gives, packages + remedy
        )
    out_console.print(table)


@operations_app.command("check")
def operations_check(
    file: Annotated[Path, typer.Argument(help="The rules, TOML or CSV.")],
    bundle: Annotated[Path | None, typer.Option(help="Check ids and pool against this bundle.")] = None,
    config: Annotated[Path | None, typer.Option(help="Check ids, pool, labels and users against this data.")] = None,
    at: Annotated[str | None, typer.Option(help="Say what is live at this moment (ISO date) instead of now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of rules without training, and show what is live when."""
    import time

    from ..jobs.operations_check import calendar_table, check_rules
    from ..readers.moments import moment

    now = time.time() if at is None else moment(at)
    found = check_rules(file, bundle=bundle, config=config, now=now)
    if as_json:
        _print_json({"ok": not found.problems, **found.to_dict()})
    else:
        for problem in found.problems:
            err_console.print(f"[red]✗[/red] {escape(problem)}", soft_wrap=True, highlight=False)
        for note in found.notes:
            err_console.print(f"[yellow]note:[/yellow] {escape(note)}", soft_wrap=True, highlight=False)
        out_console.print(calendar_table(found.calendar, now=now))
    if found.problems:
        raise typer.Exit(2)


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the data sets of the registry."""
    from ..registry.datasets import load_registry

    registry = load_registry()
    if as_json:
        _print_json({name: entry.model_dump(mode="json") for name, entry in registry.items()})
        return
    table = Table("name", "what", "licence", "at hand")
    for name, entry in registry.items():
        table.add_row(name, escape(entry.title), escape(entry.licence), "bundled" if entry.bundled else "fetch")
    out_console.print(table)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Name in the registry.")],
    source: Annotated[Path | None, typer.Option("--from", help="Take files already at hand from here.")] = None,
    into: Annotated[Path | None, typer.Option(help="Cache directory [default: the platform's].")] = None,
) -> None:
    """Download a data set with resume, check its hashes, and print where it is."""
    from ..registry.datasets import fetch

    with _steps(False).step(f"fetch {name}") as advance:
        fetched = fetch(
            name, into=into, source_dir=source, progress=lambda _file, done, total: advance(done, total or done)
        )
    for file, digest in fetched.unverified.items():
        err_console.print(f"{file}: nobody published a hash; sha256 {digest} is now pinned", soft_wrap=True)
    out_console.print(str(fetched.directory), soft_wrap=True, highlight=False)


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return LABEL=VALUE texts as a mapping."""
    for text in texts:
        if "=" not in text:
            raise ConfigError(f"--context {text!r} is no LABEL=VALUE, such as country=DE")
    return dict(text.split("=", 1) for text in texts)


def _steps(quiet: bool) -> Steps:
    from ..progress import Shown, Silent

    return Silent() if quiet else Shown(err_console)


def _train(config: Path, out: Path, *, cached: bool, as_json: bool) -> Path:
    from ..jobs.train import train as run

    trained = run(config, out, steps=_steps(as_json), cached=cached)
    _print_report(trained.report, as_json=as_json)
    return trained.bundle


def _print_report(report: dict[str, Any], *, as_json: bool) -> None:
    from ..report.report import report_lines, report_tables
    from .answers import inputs_lines

    if as_json:
        _print_json(report)
        return
    for line in inputs_lines(report.get("inputs", {})):
        out_console.print(escape(line), highlight=False, soft_wrap=True)
    for table in report_tables(report):
        out_console.print(table)
    for line in report_lines(report):
        out_console.print(escape(line), highlight=False)
    if report[f"fused_vs_best@{report['k'][-1]}"]["difference"][2] < 0:
        out_console.print(
            'Hint: fusion.weights = "fit" chooses the weights on a validation part of train.', highlight=False
        )


def _show_taken_down(edited: Edited, directory: Path, asked: list[str], *, as_json: bool) -> None:
    """Print what is taken down now, what changed, and which ids no item of the bundle has."""
    from .answers import strange_ids, taken_down_lines

    strange = strange_ids(directory, asked)
    if as_json:
        _print_json(
            {"file": str(edited.file), "taken_down": edited.ids, "changed": edited.changed, "unknown": list(strange)}
        )
        return
    for line in taken_down_lines(edited, asked, strange):
        out_console.print(escape(line), highlight=False, soft_wrap=True)


def _print_tuned(report: dict[str, Any], config: Path, *, as_json: bool) -> None:
    from ..tuning.report import tune_table

    if as_json:
        _print_json(report)
        return
    out_console.print(tune_table(report))
    if report["left"]:
        left = ", ".join(f"{name} ({why})" for name, why in report["left"].items())
        out_console.print(f"Left as they are: {escape(left)}.", highlight=False, soft_wrap=True)
    out_console.print(report["note"], highlight=False)
    page = config.parent / "tune.html"
    out_console.print(f"Configuration: {config}   Plots: {page}", highlight=False, soft_wrap=True)


def _show_look_ups(out: Path) -> None:
    """Print what the fresh bundle answers for its first user and for somebody unknown."""
    from graphrec.serve.engine import Engine

    from .answers import answer_table

    engine = Engine.open(out)
    user = engine.bundle.users[0]
    known = engine.recall(user=user, k=5, explain=True)
    out_console.print(answer_table(known, title=f"5 items for user {user}", explain=True))
    out_console.print(
        answer_table(engine.recall(user="nobody", k=5, explain=True), title="5 items for an unknown user", explain=True)
    )


def _print_json(value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    except ValueError as error:
        raise ConfigError(f"the answer cannot be written as JSON: {error}") from error
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
