"""The transformation of features into fields: fitted on train once, then the same offline and for a request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from graphrec.checks import typed
from graphrec.data.encoding.columns import (
    Column,
    LabelColumn,
    MomentColumn,
    NumberColumn,
    Output,
    TagColumn,
    TextColumn,
    VectorColumn,
)
from graphrec.data.encoding.crosses import Cross, fit_cross
from graphrec.data.encoding.encoded import FIRST, RARE, EncodedFeatures, EncodedField, trusted
from graphrec.data.encoding.settings import EncoderSettings
from graphrec.data.encoding.stored import Learnt, load_learnt, save_learnt
from graphrec.data.features import Features
from graphrec.errors import ConfigError, DataError, nearest_names


@dataclass(frozen=True, slots=True, eq=False)
class FeatureEncoder:
    """A fitted transformation: :meth:`fit` on the features of train, :meth:`encode` for any rows.

    What each kind of column becomes:

    ======= ===========================================================================================================
    number  a number in [-1, 1] by its quantile in train, 0 where missing; and ``name:missing`` where train has gaps
    label   a category
    tag     a category of several codes
    text    a category of several codes: hashed words
    moment  ``name:hour``, ``name:weekday``, ``name:month`` (categories), ``name:age`` (a number)
    vector  a vector of length 1, zeros where missing; and ``name:missing`` where train has gaps
    crosses ``a*b``: a category of the pairs of two category fields
    ======= ===========================================================================================================

    A column of which nothing can be learnt (nothing known, all rows equal, no category of ``min_count`` rows) has no
    field; :attr:`left_out` says why.

    Parameters
    ----------
    columns : tuple of Column
        What was learnt, by column.
    crosses : tuple of Cross
        Likewise, by cross.
    kinds : mapping of str to str
        The kind of every column of the features of train, those without a field among them.
    left_out : mapping of str to str
        Why a column or cross has no field.
    moment : float
        Seconds UTC: the moment of the fit, for ages.
    """

    columns: tuple[Column, ...]
    crosses: tuple[Cross, ...]
    kinds: Mapping[str, str]
    left_out: Mapping[str, str]
    moment: float

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The fields, in order."""
        own = [field for column in self.columns for field in column.fields]
        return (*own, *(cross.field for cross in self.crosses))

    @classmethod
    @typed
    def fit(
        cls, features: Features, *, settings: EncoderSettings | None = None, moment: float | None = None
    ) -> FeatureEncoder:
        """Return the encoder of the features of train.

        Parameters
        ----------
        features : Features
            Rows that training may see: ``take_features`` leaves the others.
        settings : EncoderSettings, optional
            None for the defaults.
        moment : float, optional
            Seconds UTC that ages are counted to; None is the newest moment among the columns (0 where there is none).

        Raises
        ------
        ConfigError
            If a setting names a column or field that is not there, or a cross one that is no category.
        DataError
            If there are no rows, or no column has anything to learn from.
        """
        chosen = settings or EncoderSettings()
        kinds = column_kinds(features)
        for name in (*chosen.columns, *(name for name in chosen.hashed if "*" not in name)):
            if name not in kinds:
                raise ConfigError(f"there is no column {name!r} among the features{_known(name, kinds)}")
        if not features.n:
            raise DataError("an encoder cannot be fitted on features of no rows")
        now = _moment(features) if moment is None else _checked_moment(moment)
        left_out: dict[str, str] = {}
        columns = []
        for name in chosen.columns or kinds:
            column, reason = _fitted(name, kinds[name], features, chosen, now)
            if reason:
                left_out[name] = reason
            else:
                columns.append(column)
        crosses = _crosses(features, columns, chosen, now, left_out)
        if not columns:
            reasons = "; ".join(f"{name!r}: {reason}" for name, reason in left_out.items())
            raise DataError(f"there is nothing to learn from the features ({reasons or 'they have no columns'})")
        encoder = cls(tuple(columns), crosses, MappingProxyType(kinds), MappingProxyType(left_out), now)
        names = [field.name for field in encoder.fields]
        if len(set(names)) < len(names):
            twice = max(names, key=names.count)
            raise DataError(f"two columns become a field {twice!r}; rename one of them")
        return encoder

    def encode(self, features: Features, *, now: float | None = None) -> EncodedFeatures:
        """Return the fields of n rows; row i depends on row i alone.

        A column that ``features`` do not have is missing in every row; a category that train did not have has code 1.

        Parameters
        ----------
        features : Features
            Of items, users or requests; columns may be left out.
        now : float, optional
            The moment that ages are counted to, seconds UTC; None is that of the fit.

        Raises
        ------
        DataError
            If a column has a name or kind that the features of train did not have, or a vector another width.
        """
        self._check(features)
        moment = self.moment if now is None else _checked_moment(now)
        out = _output(self.columns, features, moment)
        for cross in self.crosses:
            out.categories[cross.name] = cross.encode(out.n, out.categories)
        numbers = np.empty((out.n, len(out.numbers)), dtype=np.float32)
        for place, values in enumerate(out.numbers.values()):
            numbers[:, place] = values
        return trusted(out.n, self.fields, out.categories, numbers, out.vectors)

    def save(self, directory: Path) -> None:
        """Write ``encoder.json`` and ``crosses.npy`` into a directory that is there."""
        save_learnt(Learnt(self.columns, self.crosses, self.kinds, self.left_out, self.moment), directory)

    @classmethod
    def load(cls, directory: Path) -> FeatureEncoder:
        """Return the encoder that :meth:`save` wrote; raise BundleError where a file is missing or damaged."""
        return cls(*load_learnt(directory))

    def _check(self, features: Features) -> None:
        """Raise DataError where the features have a column that train did not have, or of another kind.

        A moment may come as a number: who makes features of a request by hand need not say which numbers are moments.
        """
        for name, kind in column_kinds(features).items():
            known = self.kinds.get(name)
            if known is None:
                raise DataError(f"the encoder was fitted on no column {name!r}{_known(name, self.kinds)}")
            if kind != known and {kind, known} != {"number", "moment"}:
                raise DataError(f"the column {name!r} is given as a {kind}; the encoder was fitted on a {known}")


def column_kinds(features: Features) -> dict[str, str]:
    """Return the kind of each column: number, moment, label, tag, text or vector."""
    kinds = {name: "moment" if name in features.moments else "number" for name in features.numbers}
    for kind in ("label", "tag", "text", "vector"):
        kinds |= dict.fromkeys(getattr(features, f"{kind}s"), kind)
    return kinds


def _output(columns: tuple[Column, ...] | list[Column], features: Features, now: float) -> Output:
    out = Output(features.n, now)
    for column in columns:
        column.encode(features, out)
    return out


def _fitted(name: str, kind: str, features: Features, settings: EncoderSettings, now: float) -> tuple[Column, str]:
    """Return a column as learnt from train, and why it has no field (empty where it has)."""
    column: Column
    if kind == "number":
        column = NumberColumn.fit(name, features.numbers[name], settings)
    elif kind == "moment":
        column = MomentColumn.fit(name, features.numbers[name], settings, now)
    elif kind == "label":
        column = LabelColumn.fit(name, features, settings)
    elif kind == "tag":
        column = TagColumn.fit(name, features, settings)
    elif kind == "text":
        column = TextColumn(name, settings.text_buckets, settings.max_values)
    else:
        column = VectorColumn.fit(name, features.vectors[name])
    if _nothing_known(name, kind, features):
        return column, "nothing is known of any row"
    if not column.fields:
        return column, "all rows are equal"
    if kind in ("label", "tag"):
        codes = _output([column], features, now).categories[name][1]
        if (codes < FIRST).all() and (codes == RARE).any():
            return column, f"no category has {settings.min_count} rows"
        if len(np.unique(codes)) < 2:
            return column, "all rows are equal"
    return column, ""


def _nothing_known(name: str, kind: str, features: Features) -> bool:
    if kind in ("number", "moment"):
        return bool(np.isnan(features.numbers[name]).all())
    if kind == "label":
        return bool((features.labels[name].codes < 0).all())
    if kind == "tag":
        return not len(features.tags[name].table.neighbours)
    if kind == "text":
        return not any(text and text.strip() for text in features.texts[name].to_pylist())
    return bool(np.isnan(features.vectors[name]).all())


def _crosses(
    features: Features, columns: list[Column], settings: EncoderSettings, now: float, left_out: dict[str, str]
) -> tuple[Cross, ...]:
    """Return the crosses that settings name; one of a column without a field is left out."""
    fields = [field for column in columns for field in column.fields]
    sizes = {field.name: field.size for field in fields if field.kind == "category"}
    categories = _output(columns, features, now).categories if settings.crosses else {}
    crosses = []
    for pair in settings.crosses:
        absent = next((name for name in pair if name not in sizes), None)
        if absent is None:
            crosses.append(fit_cross(pair, categories, sizes[pair[1]], settings))
        elif absent.partition(":")[0] in left_out:
            left_out["*".join(pair)] = f"{absent!r} has no field"
        else:
            raise ConfigError(f"a cross is of {absent!r}, which is no category field{_known(absent, sizes)}")
    return tuple(crosses)


def _moment(features: Features) -> float:
    """Return the newest of the moments, 0 where there are none."""
    newest = [float(np.nanmax(column)) for column in _moments(features) if not np.isnan(column).all()]
    return max(newest, default=0.0)


def _moments(features: Features) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return [features.numbers[name] for name in features.moments if features.n]


def _checked_moment(moment: float) -> float:
    if not math.isfinite(moment):
        raise ConfigError(f"the moment is {moment}; it must be seconds UTC, finite")
    return float(moment)


def _known(name: str, known: Mapping[str, object]) -> str:
    return f" ({', '.join(known) or 'none'}){nearest_names(name, known)}"
