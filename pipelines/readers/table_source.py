"""Where a table is and how it is read: one value, shared by the configuration, the registry and every reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import polars as pl
import pyarrow as pa
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from graphrec.data.limits import Limits
from graphrec.errors import ConfigError, nearest_names

from ..config.sentences import sentence

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _ModelMeta
else:  # it has no public name
    _ModelMeta = type(BaseModel)

TimeUnit = Literal["s", "ms", "us", "ns"]


def _path_or_frame(value: object) -> object:
    if isinstance(value, str):
        return Path(value)
    pandas = type(value).__module__.partition(".")[0] == "pandas" and type(value).__name__ == "DataFrame"
    if pandas or isinstance(value, Path | pa.Table | pa.RecordBatch | pl.DataFrame | pl.LazyFrame):
        return value
    raise ValueError(
        f"a table cannot be read from a {type(value).__name__}; legal are a path, an Arrow table, "
        "a polars DataFrame or LazyFrame, a pandas DataFrame"
    )


class _OneSentence(_ModelMeta):
    """What a table may not have is a sentence of ours where somebody makes one, as it is in a configuration."""

    def __call__(cls, *args: Any, **settings: Any) -> Any:  # noqa: N805 - of a metaclass
        try:
            return super().__call__(*args, **settings)
        except ValidationError as error:
            raise ConfigError(sentence(error, cls)) from error  # type: ignore[arg-type]  # a model is its instance


class TableSource(BaseModel, metaclass=_OneSentence):
    """A table and how to read it. Frozen; each kind of table adds the settings that it alone has.

    Parameters
    ----------
    path : path, Arrow table, polars DataFrame or LazyFrame, pandas DataFrame
        CSV and TSV (also .gz, .zst), Parquet, Arrow. Files are read in batches: memory grows with what is kept, not
        with the text.
    columns : mapping
        graphrec's column names to the table's. Those not named are looked for under graphrec's names.
    separator, encoding : str
        Of text files. Without a separator it is the tab in .tsv and .tab, the comma elsewhere. A cell may stand in
        quotes, and a quote within it is then doubled; where the separator is the tab, a quote is a letter.
    header : sequence of str
        Column names of a text file that has no header line.
    time_unit : {"s", "ms", "us", "ns"}
        Unit of numeric times. ISO 8601 text and date and time columns are read in any case; without a zone they are
        UTC.
    limits : Limits
        What the file may cost; in a configuration those of ``data.limits`` hold for tables without their own.
    max_reject_share : float, default 0.05
        The run stops when a larger share of the rows (in a table of attributes: of the cells of one column) cannot be
        used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    ROWS: ClassVar[str] = "rows"
    """What the rows are, for sentences."""
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    """graphrec's names of the columns that are read."""
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    """Those that must be there."""

    path: Annotated[Any, BeforeValidator(_path_or_frame)]
    columns: dict[str, str] = {}
    separator: Annotated[str, Field(min_length=1)] | None = None
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    time_unit: TimeUnit = "s"
    limits: Limits = Limits()
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05

    @classmethod
    def of(cls, source: object, settings: Mapping[str, Any]) -> Self:
        """Return ``source`` itself where it is of this class, else a path or frame with ``settings``.

        Raises
        ------
        ConfigError
            If a setting is unknown or illegal, ``source`` is no table, or is of another kind or has its settings.
        """
        if isinstance(source, TableSource):
            if not isinstance(source, cls):
                raise ConfigError(f"a {type(source).__name__} was given; {cls.ROWS} are read from a {cls.__name__}")
            if settings:
                raise ConfigError(f"{', '.join(settings)} must stand in the {cls.__name__}, not beside it")
            return source
        try:
            return cls.model_validate({"path": source, **settings})
        except ValidationError as error:
            raise ConfigError(sentence(error, cls)) from error

    @field_validator("separator")
    @classmethod
    def _legal_separator(cls, separator: str | None) -> str | None:
        if separator is not None and not set('"\r\n').isdisjoint(separator):
            raise ValueError(f"{separator!r} divides no cells; it must hold neither a quote nor a line end")
        return separator

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for name, theirs in columns.items():
            if name in cls.COLUMNS:
                continue
            if theirs in cls.COLUMNS:
                raise ValueError(
                    f"{name} = {theirs!r} is the wrong way round: graphrec's name comes first, {theirs} = {name!r}"
                )
            legal = ", ".join(map(repr, cls.COLUMNS))
            raise ValueError(
                f"{name!r} is not a column of {cls.ROWS}{nearest_names(name, cls.COLUMNS)}; legal: {legal}"
            )
        return columns

    @property
    def required(self) -> tuple[str, ...]:
        """Graphrec's names of the columns that must be there."""
        return self.REQUIRED


class InteractionsSource(TableSource):
    """A table of events: who took what, with what weight, when.

    Parameters
    ----------
    event_weights : mapping
        Weight of each kind of event (column ``event``); multiplied with the weight column where there is one.
    format : {"table", "lists"}
        ``"lists"``: one user a line, ``user item item …``; such a file has no columns and no times.
    """

    ROWS = "interactions"
    COLUMNS = ("user_id", "item_id", "weight", "timestamp", "event")
    REQUIRED = ("user_id", "item_id")

    event_weights: dict[str, float] = {}
    format: Literal["table", "lists"] = "table"

    @field_validator("format")
    @classmethod
    def _lists_are_files(cls, form: str, info: ValidationInfo) -> str:
        path = info.data.get("path")
        if form == "lists" and path is not None and not isinstance(path, Path):
            raise ValueError(f"'lists' are read from a file, not from a {type(path).__name__}")
        return form

    @property
    def required(self) -> tuple[str, ...]:
        """As of every table; and ``event`` where events have weights."""
        return (*self.REQUIRED, "event") if self.event_weights else self.REQUIRED


class AttributesSource(TableSource):
    """A table of which further columns become attributes, each under its own name.

    Parameters
    ----------
    numbers, labels, times, texts : sequence of str
        Columns of numbers, of labels, of moments (ISO 8601 text, dates and times, or numbers in ``time_unit``), and of
        running text, such as descriptions and the paths of pictures. Moments become numbers: seconds UTC.
    """

    numbers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in self.attributes:
            if self.attributes.count(name) > 1:
                raise ValueError(
                    f"the column {name!r} stands twice among numbers, labels, times and texts; name it once"
                )
        return self

    @property
    def attributes(self) -> Sequence[str]:
        """Every column that becomes an attribute."""
        return (*self.numbers, *self.labels, *self.times, *self.texts)

    @property
    def columns_read(self) -> Sequence[str]:
        """Every column that is read beside those of ``COLUMNS``."""
        return self.attributes


class ItemsSource(AttributesSource):
    """A table of items: titles, tags, and attributes.

    Parameters
    ----------
    tag_separator : str
        What stands between the tags of an item.
    relations : sequence of str
        Columns whose values are entities that the item is joined to: category, brand, author. The column gives its name
        to the relation and to the type of the entities.
    relation_separator : str
        What stands between the values of such a cell.
    """

    ROWS = "items"
    COLUMNS = ("item_id", "label", "tags")
    REQUIRED = ("item_id",)

    tag_separator: Annotated[str, Field(min_length=1)] = "|"
    relations: tuple[str, ...] = ()
    relation_separator: Annotated[str, Field(min_length=1)] = "|"

    @property
    def columns_read(self) -> Sequence[str]:
        """Columns of attributes and of relations; one may be both."""
        return tuple(dict.fromkeys([*self.attributes, *self.relations]))


class TriplesSource(TableSource):
    """A table of edges: head, relation and tail, or child and parent with one name for the relation.

    Parameters
    ----------
    relation : str
        Name of the relation of all rows, where no column has it: ``columns = { head = "child", tail = "parent" }`` and
        ``relation = "broader"`` make a hierarchy.
    head_type, tail_type : str
        What the ends are: ``"item"``, whose ids they then are, or a type of entities, such as a column of
        ``data.items.relations``. Without one an end is the item of that id, else the entity of that IRI, else a new
        entity, whose type is the relation that leads to it.
    """

    ROWS = "triples"
    COLUMNS = ("head", "relation", "tail")
    REQUIRED = ("head", "tail")

    relation: Annotated[str, Field(min_length=1)] | None = None
    head_type: Annotated[str, Field(min_length=1)] | None = None
    tail_type: Annotated[str, Field(min_length=1)] | None = None


class UsersSource(AttributesSource):
    """A table of users and their attributes."""

    ROWS = "users"
    COLUMNS = ("user_id",)
    REQUIRED = ("user_id",)


class ExposuresSource(TableSource):
    """A table of what was shown: item, whether it converted (1 or 0, true or false), and where known user, value, time.

    An empty ``value`` is 0. A ``propensity`` is the probability, above 0 and at most 1, that the policy of that time
    showed the item there.
    """

    ROWS = "exposures"
    COLUMNS = ("user_id", "item_id", "converted", "value", "timestamp", "propensity")
    REQUIRED = ("item_id", "converted")


class UserTagsSource(TableSource):
    """A table of tags that users gave items: item, tag, and where known the user and the time.

    Parameters
    ----------
    min_users : int, default 2
        A tag counts for an item where so many people gave it: what one person alone wrote is often a note to himself,
        and would be shown to others as a reason.
    """

    ROWS = "user tags"
    COLUMNS = ("user_id", "item_id", "tag", "timestamp")
    REQUIRED = ("item_id", "tag")

    min_users: Annotated[int, Field(ge=1)] = 2
