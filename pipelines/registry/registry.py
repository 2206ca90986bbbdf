"""``datasets/registry.toml``: what public data sets are, whose they are, and where they lie."""

from __future__ import annotations

import os
import sysconfig
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from graphrec.errors import ConfigError, FetchError, nearest_names

from ..readers.table_source import InteractionsSource
from .download import check_address

Sha256 = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Role = Literal["interactions", "train", "test", "knowledge", "items", "other"]


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Checked):
    """A file inside an archive. ``path`` is its place there; it is unpacked under ``name``."""

    name: Name
    path: str
    sha256: Sha256 = ""
    role: Role = "other"
    columns: tuple[str, ...] = ()

    @property
    def md5(self) -> str:
        """Return the empty string: members are vouched for by sha256 or by their archive."""
        return ""


class DataFile(_Checked):
    """A file of a data set; an archive lists its ``members``, which are unpacked.

    ``sha256`` is of a copy that we hold, ``md5`` one that somebody published: either vouches for the file; where both
    are empty it is unverified.
    """

    name: Name
    url: str = ""
    sha256: Sha256 = ""
    md5: Annotated[str, Field(pattern="^([0-9a-f]{32})?$")] = ""
    size_bytes: int | None = None
    role: Role = "other"
    columns: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        if url:
            try:
                check_address(url)
            except FetchError as error:
                raise ValueError(str(error)) from error
        return url


class Dataset(_Checked):
    """One data set of the registry; ``loader`` holds settings of :class:`InteractionsSource`."""

    name: Name
    title: str
    licence: str
    redistribution: str
    home: str
    bundled: bool = False
    users: int
    items: int
    interactions: int
    loader: dict[str, Any] = {}
    file: tuple[DataFile, ...]

    @property
    def outputs(self) -> tuple[DataFile | Member, ...]:
        """What lies in the folder once fetched: plain files, and the members of archives."""
        return tuple(part for file in self.file for part in (file.members or (file,)))

    @model_validator(mode="after")
    def _loads(self) -> Self:
        self.source(Path())
        return self

    def source(self, directory: Path) -> InteractionsSource:
        """Return the events (the train file, where there is a test file too) as a reader takes them."""
        named = [file.name for file in self.outputs if file.role in ("interactions", "train")]
        if not named:
            raise ValueError(f"no file of {self.name!r} has the role interactions or train")
        return InteractionsSource.of(directory / named[0], self.loader)


class _Registry(_Checked):
    dataset: tuple[Dataset, ...]


def datasets_directory() -> Path:
    """Return the folder of ``registry.toml``.

    The variable ``GRAPHREC_DATASETS``, else ``datasets/`` beside the packages (a clone, an editable install), else
    where a wheel puts its data files (``share/graphrec/datasets`` below the environment).

    Raises
    ------
    ConfigError
        If none of them holds a registry.
    """
    named = os.environ.get("GRAPHREC_DATASETS")
    beside = Path(__file__).resolve().parents[2] / "datasets"
    shared = Path(sysconfig.get_path("data")) / "share" / "graphrec" / "datasets"
    candidates = [Path(named)] if named else [beside, shared]
    for directory in candidates:
        if (directory / "registry.toml").is_file():
            return directory
    tried = " nor ".join(str(directory) for directory in candidates)
    raise ConfigError(f"no registry.toml in {tried}; set GRAPHREC_DATASETS to the folder that holds it")


def load_registry(path: Path | None = None) -> dict[str, Dataset]:
    """Read the registry (by default the one of :func:`datasets_directory`) and return it by name.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or an entry is not as it must be.
    """
    source = datasets_directory() / "registry.toml" if path is None else path
    try:
        entries = _Registry.model_validate(tomllib.loads(source.read_text(encoding="utf-8"))).dataset
    except OSError as error:
        raise ConfigError(f"registry {source} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"registry {source} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"registry {source}: {where}: {first['msg']}; found {first['input']!r}") from error
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"registry {source}: data set {name!r} stands {names.count(name)} times")
    return {entry.name: entry for entry in entries}


def find_dataset(name: str, registry: dict[str, Dataset] | None = None) -> Dataset:
    """Return the data set of that name.

    Raises
    ------
    ConfigError
        If there is none, with the nearest known names.
    """
    known = load_registry() if registry is None else registry
    if name not in known:
        raise ConfigError(f"there is no data set {name!r}{nearest_names(name, known)}; known: {', '.join(known)}")
    return known[name]
