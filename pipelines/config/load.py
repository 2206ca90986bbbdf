"""The training configuration: one TOML file, checked whole before anything runs."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from graphrec.channels.registry import recipe_class
from graphrec.contracts.recall import Recipe
from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.rrf import Rrf
from graphrec.fusion.settings import Fusion, FusionRecipe, fusion_class
from graphrec.pool.rules import RULES, Rule

from ..readers.cells import LATEST_S
from ..readers.columns import Columns
from ..tuning.domains import Space
from ..tuning.search_spaces import search_spaces

T = TypeVar("T")
METRICS = ("recall", "ndcg", "hit_rate")
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A table of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class InteractionsSource(Section):
    """Where the events come from: a table, or RDF.

    ``columns`` maps ours (user_id, item_id, weight, timestamp, event) to the file's names. ``rdf`` maps the terms of
    an RDF file (the fields of ``graphrec.kg.interactions.InteractionMapping``); without it they are those of
    ``docs/rdf-interactions.md``. ``format = "lists"`` is one user a line: ``user item item …``.
    """

    path: Path
    columns: dict[str, str] = {}
    event_weights: dict[str, float] = {}
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    format: Literal["table", "lists"] = "table"
    rdf: dict[str, Any] = {}
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
            found = " and ".join(ways) or "none of them"
            raise ValueError(f"give exactly one of template, table, predicate; found {found}")
        return self


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


class Described(Section):
    """Columns of a table that become attributes, each under its own name; times become numbers, in seconds UTC."""

    numbers: list[str] = []
    labels: list[str] = []
    times: list[str] = []
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05

    @pydantic.model_validator(mode="after")
    def _once(self) -> Described:
        self.attributes()
        return self

    def attributes(self) -> Columns:
        """Return the columns as the readers take them."""
        return Columns(self.numbers, self.labels, self.times, self.time_unit, self.max_reject_share)


class ItemsSource(Described):
    """A table of items: titles, tags divided by ``separator``, and attributes."""

    path: Path
    columns: dict[str, str] = {}
    separator: str = "|"


class UsersSource(Described):
    """A table of users and their attributes; ``columns`` maps our user_id to the file's name."""

    path: Path
    columns: dict[str, str] = {}


class ExposuresSource(Section):
    """A table of what was shown: item, whether it converted, and where known the user, the value and the time.

    ``columns`` maps ours (user_id, item_id, converted, value, timestamp) to the file's names.
    """

    path: Path
    columns: dict[str, str] = {}
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05


class UserTagsSource(Section):
    """A table of tags that users gave items: item, tag, and where known the user and the time.

    ``columns`` maps ours (user_id, item_id, tag, timestamp) to the file's names. A tag counts for an item where
    ``min_users`` gave it: what one person alone wrote is often a note to himself, and would be shown to others as a
    reason.
    """

    path: Path
    columns: dict[str, str] = {}
    min_users: Annotated[int, Field(ge=1)] = 2
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05


class DataSection(Section):
    """All inputs. Relative paths start at the configuration file's directory."""

    interactions: InteractionsSource
    knowledge: KnowledgeSource | None = None
    items: ItemsSource | None = None
    users: UsersSource | None = None
    exposures: ExposuresSource | None = None
    user_tags: UserTagsSource | None = None


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
    """Return a moment (ISO text, a date or time of TOML, or seconds) as seconds UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no ISO date; write it like 2024-05-01 or 2024-05-01T12:00:00Z") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return value


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


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration with its recipes and rules made, and the directory that relative paths start from."""

    settings: TrainConfig
    recipes: Mapping[str, Recipe]
    directory: Path
    rules: tuple[Rule, ...] = ()

    def resolve(self, path: Path) -> Path:
        """Return ``path`` seen from the configuration file."""
        return path if path.is_absolute() else self.directory / path


def load_config(path: str | Path) -> Config:
    """Read and check a TOML configuration.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML, a key is unknown (with the nearest known one), or a value is illegal.
    """
    source = Path(path)
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {str(source)!r}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read as UTF-8 text ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: is no TOML: {error}") from error
    return check_config(raw, directory=source.parent, name=str(source))


def check_config(raw: Mapping[str, Any], *, directory: Path, name: str = "config") -> Config:
    """Check a configuration given as a mapping; see :func:`load_config`."""
    try:
        settings = TrainConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_sentence(error, TrainConfig)}") from error
    if not settings.channels:
        raise ConfigError(f"{name}: [channels] is empty; name at least one, such as [channels.item-cf]")
    recipes = {channel: _recipe(channel, table, name=name) for channel, table in settings.channels.items()}
    make_fusion(settings.fusion, list(recipes), name=name)
    rules = tuple(_rule(table, f"{name}: pool.rules.{place}") for place, table in enumerate(settings.pool.rules))
    config = Config(settings, recipes, directory, rules)
    spaces_of(config, name=name)
    return config


def make_fusion(section: FusionSection, channels: Sequence[str], *, name: str = "config") -> Fusion | FusionRecipe:
    """Return the fusion that the section describes, or the recipe of one that is to be fitted.

    Raises
    ------
    ConfigError
        If the kind or a key is unknown, a value is illegal, or a channel is named that is not among ``channels``.
    """
    place, kind, values = f"{name}: fusion", section.kind, dict(section.model_extra or {})
    if kind == "rrf" and values.get("weights") == "fit":
        kind = "fitted-rrf"
        del values["weights"]
    if (kind == "calibrated" and "curves" not in values) or (kind == "boosted" and "base" not in values):
        kind = f"fitted-{kind}"
    try:
        made_by = fusion_class(kind)
    except ConfigError as error:
        raise ConfigError(f"{place}.kind: {error}") from error
    # Every table among the settings is by channel, every list of names is of channels.
    for key, value in values.items():
        for channel in value if isinstance(value, dict | list) else ():
            if isinstance(channel, str) and channel not in channels:
                raise ConfigError(
                    f"{place}.{key} names {channel!r}, which is not among the channels "
                    f"{', '.join(channels)}{nearest_names(str(channel), channels)}"
                )
    fusion: Fusion | FusionRecipe = from_table(made_by, values, place=place)
    if isinstance(fusion, Rrf) and not any(fusion.weights.get(channel, 1.0) for channel in channels):
        raise ConfigError(f"{place}.weights are all 0; at least one must be above")
    return fusion


def spaces_of(config: Config, *, name: str = "config") -> dict[str, Space]:
    """Return what ``graphrec tune`` searches of each channel."""
    kinds = {channel: table.get("recipe", channel) for channel, table in config.settings.channels.items()}
    return search_spaces(config.settings.tune.channels, config.recipes, kinds, place=f"{name}: tune.channels")


def _recipe(channel: str, table: Mapping[str, Any], *, name: str) -> Recipe:
    """Make the recipe of one channel; ``recipe = "item-cf"`` in the table lets a channel have a name of its own."""
    values = dict(table)
    place = f"{name}: channels.{channel}"
    kind = values.pop("recipe", channel)
    try:
        made_by = recipe_class(kind)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    recipe: Recipe = from_table(made_by, values, place=place)
    return recipe


def _rule(table: Mapping[str, Any], place: str) -> Rule:
    """Make one rule of the pool."""
    values = dict(table)
    kind = values.pop("kind", None)
    if kind not in RULES:
        near = nearest_names(str(kind), RULES)
        raise ConfigError(f"{place}.kind is {kind!r}, which is no rule{near}; legal: {', '.join(RULES)}")
    return from_table(RULES[kind], values, place=place)


def from_table(made: type[T], values: Mapping[str, Any], *, place: str) -> T:
    """Make the dataclass ``made`` of a TOML table; ``place`` names the table in errors.

    Raises
    ------
    ConfigError
        If a key is none of its fields, or a value is illegal.
    """
    names = [field.name for field in dataclasses.fields(made)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise ConfigError(f"{place}.{key} is not a known key{nearest_names(key, names)}; legal: {', '.join(names)}")
    try:
        return TypeAdapter(made).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_complaint(error, place)) from error


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Turn pydantic's first complaint into one sentence with the place, the value and the remedy."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, [str(part) for part in first["loc"][:-1]])
        return f"{where} is not a known key{nearest_names(str(first['loc'][-1]), known)}; legal: {', '.join(known)}"
    return _complaint(error)


def _complaint(error: ValidationError, place: str = "") -> str:
    """Return the place below ``place``, the value found and what is legal."""
    first = error.errors()[0]
    where = ".".join([place, *(str(part) for part in first["loc"])]).strip(".")
    if first["type"] == "value_error":
        # Raised by a check of ours, whose sentence says it all.
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return f"{where} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the field names of the section at ``path`` below ``model``."""
    for part in path:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)
