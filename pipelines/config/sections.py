"""The sections of the training configuration: their keys, what each may be, and what it is without one."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from graphrec.data.limits import Limits
from graphrec.errors import nearest_names

from ..readers.cells import LATEST_S
from ..readers.moments import moment
from ..readers.table_source import (
    ExposuresSource,
    InteractionsSource,
    ItemsSource,
    TableSource,
    UsersSource,
    UserTagsSource,
)

METRICS = ("recall", "ndcg", "hit_rate")
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A table of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class InteractionsSection(InteractionsSource):
    """Where the events come from: a table, or RDF.

    ``rdf`` maps the terms of an RDF file (the fields of ``graphrec.kg.interactions.InteractionMapping``); without it
    they are those of ``docs/rdf-interactions.md``. ``test_path`` is a second file, read alike.
    """

    rdf: dict[str, Any] = Field(default_factory=dict)
    test_path: Path | None = None


class Link(Section):
    """How items find their entities: by IRI template, by a table of item id and IRI, or by a literal.

    A literal (``predicate``) is compared with the item id, or with the titles of the table ``values``, whose
    ``columns`` are named as in ``data.items``.
    """

    template: str | None = None
    table: Path | None = None
    item_column: str = "item_id"
    iri_column: str = "iri"
    predicate: str | None = None
    normalise: Literal["exact", "label", "isbn"] = "exact"
    values: Path | None = None
    columns: dict[str, str] = {}

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Link:
        ways = [name for name in ("template", "table", "predicate") if getattr(self, name) is not None]
        if len(ways) != 1:
            given = " and ".join(ways) or "none of them"
            raise ValueError(f"give exactly one of template, table, predicate; found {given}")
        self.titles()
        return self

    def titles(self) -> ItemsSource | None:
        """Return the table of titles, if there is one."""
        return None if self.values is None else ItemsSource.of(self.values, {"columns": self.columns})


class KnowledgeSource(Section):
    """The knowledge graph: RDF files, how items are linked, which predicates become relations and tags.

    Predicates are whole IRIs or their last part; empty ``relations`` keeps all but ``exclude``. Where the files hold
    users (``user_template``, or ids that are IRIs), no edge may lead from a user to what is held out for him.
    """

    paths: list[Path]
    link: Link
    relations: list[str] = []
    exclude: list[str] = []
    user_template: str | None = None
    literal_nodes: list[str] = []
    tags: list[str] = []
    languages: list[str] = ["en", ""]
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05


class DataSection(Section):
    """All inputs. Relative paths start at the configuration file's directory; ``limits`` hold for each file."""

    interactions: InteractionsSection
    knowledge: KnowledgeSource | None = None
    items: ItemsSource | None = None
    users: UsersSource | None = None
    exposures: ExposuresSource | None = None
    user_tags: UserTagsSource | None = None
    limits: Limits = Limits()

    @pydantic.model_validator(mode="after")
    def _only_files(self) -> DataSection:
        for name in type(self).model_fields:
            table = getattr(self, name)
            if isinstance(table, TableSource) and not isinstance(table.path, Path):
                raise ValueError(f"{name}.path is a {type(table.path).__name__}; a configuration names files")
        return self


class SplitSection(Section):
    """How events are held out; ``graphrec.data.splits`` explains each kind."""

    kind: Literal["time", "leave-last", "ratio", "given"] = "time"
    test_share: Share = 0.2
    cut: str | None = None
    n: Annotated[int, Field(ge=1)] = 1


class FusionSection(Section):
    """How the channels' lists become one: a ``kind``, and the settings of that kind (``graphrec.fusion.settings``).

    ``weights = "fit"`` (rrf) stands for the kind fitted-rrf: weights chosen on a validation part of train.
    """

    model_config = ConfigDict(extra="allow")

    kind: str = "rrf"


def _seconds(value: object) -> object:
    """Return a moment (ISO text, or a date or time of TOML) as seconds UTC; numbers stay as they are."""
    return moment(value) if isinstance(value, str | date) else value


class PoolSection(Section):
    """Which items may be recalled: rules (``graphrec.pool.rules``), and ids that they cannot touch or that never pass.

    Each table of ``rules`` has a ``kind`` and the fields of that rule. Files hold one id a line. ``now`` is the moment
    that days are counted back from; without it the time of the newest event.
    """

    rules: list[dict[str, Any]] = []
    allow: list[str] = []
    allow_file: Path | None = None
    deny: list[str] = []
    deny_file: Path | None = None
    now: Annotated[Annotated[int, Field(ge=0, le=LATEST_S)] | None, BeforeValidator(_seconds)] = None


class EvaluateSection(Section):
    """Cut-offs, how sure the intervals are, and the budget for which the report recommends channels."""

    k: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [20, 50, 100, 200]
    bootstrap_rounds: Annotated[int, Field(ge=100)] = 1000
    max_users: Annotated[int, Field(ge=1)] | None = None
    budget_us: Annotated[float, Field(gt=0)] | None = None
    budget_bytes: Annotated[float, Field(gt=0)] | None = None
    max_channels: Annotated[int, Field(ge=1)] | None = None

    @property
    def limits(self) -> dict[str, float]:
        """What channels may use up together, by the name of the cost in the report."""
        named = {"query_us": self.budget_us, "size_bytes": self.budget_bytes, "channels": self.max_channels}
        return {name: limit for name, limit in named.items() if limit is not None}


class PublishSection(Section):
    """What goes into the bundle: channels fitted on ``all`` events, or on the ``train`` part that was measured."""

    data: Literal["all", "train"] = "all"
    keep: Annotated[int, Field(ge=1)] = 3


class TuneSection(Section):
    """How ``graphrec tune`` searches: by which metric, how long, on which validation part of train.

    ``channels`` holds a table a channel: its keys are fields of the recipe, its values what they may be
    (``graphrec.pipelines.tuning.domains``). ``trials`` are counted by channel; ``timeout_s`` is for the whole run.
    """

    metric: str = "recall@50"
    trials: Annotated[int, Field(ge=1)] = 60
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    validation: SplitSection | None = None
    max_users: Annotated[int, Field(ge=1)] = 5000
    channels: dict[str, dict[str, Any]] = {}

    @pydantic.field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        name, _, k = metric.partition("@")
        if name not in METRICS or not k.isascii() or not k.isdigit() or int(k) == 0:
            near = "" if name in METRICS else nearest_names(name, METRICS)
            legal = ", ".join(f"{known}@K" for known in METRICS)
            raise ValueError(f"{metric!r} is no metric{near}; legal are {legal}, with K of 1 or more")
        return metric

    @pydantic.field_validator("validation")
    @classmethod
    def _inside_train(cls, section: SplitSection | None) -> SplitSection | None:
        if section is not None and section.kind == "given":
            raise ValueError("there is no given validation file; legal kinds are time, leave-last, ratio")
        return section


class TrainConfig(Section):
    """The whole file. ``channels`` holds a table a channel; its keys are the fields of the channel's recipe."""

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    wording: dict[str, str] = {}
    data: DataSection
    split: SplitSection = SplitSection()
    pool: PoolSection = PoolSection()
    channels: dict[str, dict[str, Any]]
    fusion: FusionSection = FusionSection()
    evaluate: EvaluateSection = EvaluateSection()
    publish: PublishSection = PublishSection()
    tune: TuneSection = TuneSection()
