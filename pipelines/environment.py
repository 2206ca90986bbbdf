"""What is installed, and which optional parts that switches on."""

from __future__ import annotations

import importlib.util
import os
import platform
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

# Part of graphrec -> (module, distribution) pairs it needs.
PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "base": (
        ("numpy", "numpy"),
        ("scipy", "scipy"),
        ("numba", "numba"),
        ("polars", "polars"),
        ("pyarrow", "pyarrow"),
        ("hnswlib", "hnswlib"),
        ("threadpoolctl", "threadpoolctl"),
        ("filelock", "filelock"),
        ("pydantic", "pydantic"),
        ("typer", "typer"),
        ("rich", "rich"),
    ),
    "train": (
        ("torch", "torch"),
        ("torch_geometric", "torch-geometric"),
        ("gensim", "gensim"),
        ("sklearn", "scikit-learn"),
        ("lightgbm", "lightgbm"),
        ("safetensors", "safetensors"),
        ("lightning_fabric", "lightning-fabric"),
    ),
    "kg": (
        ("rdflib", "rdflib"),
        ("oxrdflib", "oxrdflib"),
        ("pyoxigraph", "pyoxigraph"),
        ("networkx", "networkx"),
        ("torch", "torch"),
        ("torch_geometric", "torch-geometric"),
    ),
    "tune": (("optuna", "optuna"), ("tomlkit", "tomlkit"), ("sklearn", "scikit-learn")),
    "report": (("matplotlib", "matplotlib"), ("jinja2", "jinja2")),
    "map": (("umap", "umap-learn"),),
}

GIVES = {
    "base": "recall, indexes, bundles, serving",
    "train": "models that learn with torch, fusions that are fitted",
    "kg": "RDF in, linking, HeteroData",
    "tune": "graphrec tune (with report)",
    "report": "HTML reports",
    "map": "maps of embeddings by UMAP",
}


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
    ours = []
    for name, packages in PARTS.items():
        distributions = {distribution for _, distribution in packages}
        channels = [channel for channel in RECIPES if distributions.intersection(libraries_of(recipe_class(channel)))]
        gives = f"{GIVES[name]}; channels {', '.join(channels)}" if channels and name == "train" else GIVES[name]
        needed = tuple(Package(dist, _version(module, dist)) for module, dist in packages)
        ours.append(Part(name, gives, needed, f"pip install 'graphrec[{name}]'"))
    return [*ours, *_extensions()]


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


def _version(module: str, distribution: str) -> str | None:
    return None if importlib.util.find_spec(module) is None else _installed(distribution)


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
