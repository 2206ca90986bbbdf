"""What is installed, and which optional parts that switches on."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

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
    ),
    "kg": (
        ("rdflib", "rdflib"),
        ("oxrdflib", "oxrdflib"),
        ("pyoxigraph", "pyoxigraph"),
        ("networkx", "networkx"),
        ("torch_geometric", "torch-geometric"),
    ),
    "tune": (("optuna", "optuna"), ("tomlkit", "tomlkit"), ("sklearn", "scikit-learn")),
    "report": (("matplotlib", "matplotlib"), ("jinja2", "jinja2")),
}

GIVES = {
    "base": "recall, indexes, bundles, serving",
    "train": "node2vec and every model that learns with torch or gensim",
    "kg": "RDF in, linking, HeteroData",
    "tune": "graphrec tune (with report)",
    "report": "HTML reports",
}


@dataclass(frozen=True, slots=True)
class Package:
    """One dependency; ``version`` is None where it is missing."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One optional part (an extra) and the packages it needs."""

    name: str
    gives: str
    packages: tuple[Package, ...]

    @property
    def active(self) -> bool:
        """Whether every package is there."""
        return all(package.version is not None for package in self.packages)


def parts() -> list[Part]:
    """Return each part with the versions found. Nothing heavy is imported."""
    return [
        Part(name, GIVES[name], tuple(Package(dist, _version(module, dist)) for module, dist in packages))
        for name, packages in PARTS.items()
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


def _version(module: str, distribution: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
