"""What is installed, and which optional parts that switches on."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts import extensions
from graphrec.contracts.recipe import libraries_of
from graphrec.threads import default_threads
from graphrec.version import __version__

# What each part gives; what it needs is read from the metadata of the installed distribution.
GIVES = {
    "base": "recall, indexes, bundles, serving",
    "train": "models that learn with torch, fusions that are fitted",
    "kg": "RDF in, linking, HeteroData",
    "tune": "graphrec tune (with report)",
    "report": "HTML reports",
    "map": "maps of embeddings by UMAP",
    "towers": "queries answered by the tower of a learned channel, with ONNX Runtime",
    "text": "channels text, text-ease and semantic-ids, and bundles searched by sentences",
    "image": "channel image: pictures as vectors (the network is exported with train)",
    "video": "channel video: frames of videos as vectors",
    "tensorboard": "event logs of trainings for TensorBoard",
}
BASE = "base"

# Of a line of metadata, such as: optuna>=5.0; extra == "tune"
_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)""")


@dataclass(frozen=True, slots=True)
class Package:
    """One dependency; ``version`` is None where it is missing."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """An optional part (an extra of ours, or a distribution of somebody else's) and the packages it needs."""

    name: str
    gives: str
    packages: tuple[Package, ...]
    remedy: str

    @property
    def active(self) -> bool:
        """Whether every package is there."""
        return all(package.version is not None for package in self.packages)


def parts() -> list[Part]:
    """Return each extra with the versions that are there, then each distribution that brings channels.

    What a channel needs is declared by its recipe, which is imported; the libraries it learns with are not.
    """
    ours, needed = [], requirements()
    for name, gives in GIVES.items():
        packages = needed.get(name, ())
        if name == "train" and (channels := _channels_of(packages)):
            gives = f"{gives}; channels {', '.join(channels)}"
        remedy = "pip install graphrec" if name == BASE else f"pip install 'graphrec[{name}]'"
        ours.append(Part(name, gives, tuple(Package(of, _installed(of)) for of in packages), remedy))
    return [*ours, *_extensions()]


def _channels_of(packages: Sequence[str]) -> list[str]:
    """Return the channels that learn with these packages and with no others."""
    libraries = {channel: set(libraries_of(recipe_class(channel))) for channel in RECIPES}
    return [channel for channel, own in libraries.items() if own and own <= set(packages)]


def requirements() -> dict[str, tuple[str, ...]]:
    """Return the distributions that graphrec needs by extra, those without one under ``BASE``, as it was installed.

    Empty where graphrec runs from a folder that is not installed.
    """
    try:
        lines = metadata.requires("graphrec") or []
    except metadata.PackageNotFoundError:
        lines = []
    needed: dict[str, list[str]] = {}
    for line in lines:
        extra = _EXTRA.search(line)
        needed.setdefault(extra[1] if extra else BASE, []).append(_NAME.match(line)[0])  # type: ignore[index]
    return {name: tuple(distributions) for name, distributions in needed.items()}


def _extensions() -> list[Part]:
    """Return a part for each distribution that declares recipes: its channels, and what they learn with."""
    channels: dict[str, list[str]] = {}
    needed: dict[str, dict[str, Package]] = {}
    for channel, entry in extensions.declared(extensions.RECIPES).items():
        name = extensions.distribution_of(entry)
        channels.setdefault(name, []).append(channel)
        for library in libraries_of(recipe_class(channel)):
            needed.setdefault(name, {})[library] = Package(library, _installed(library))
    return [
        Part(name, f"channels {', '.join(own)}", tuple(packages.values()), f"pip install {' '.join(packages)}")
        for name, own in channels.items()
        for packages in [needed.get(name, {})]
    ]


def environment() -> dict[str, Any]:
    """Return what graphrec runs on."""
    return {
        "graphrec": __version__,
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": default_threads(),
        "variables": {name: value for name, value in sorted(os.environ.items()) if name.startswith("GRAPHREC_")},
    }


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of graphrec and of distributions by name; those that are not installed are left out."""
    found = {name: _installed(name) for name in names}
    return {"graphrec": __version__, **{name: version for name, version in found.items() if version is not None}}


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
