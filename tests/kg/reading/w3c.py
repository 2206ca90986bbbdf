"""The W3C's test suites of RDF 1.1, RDF 1.2 and JSON-LD 1.1 as cases: what to read, and what must come of it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyoxigraph as ox

MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
FORMATS = {
    "rdf-n-triples": "n-triples",
    "rdf-n-quads": "n-quads",
    "rdf-turtle": "turtle",
    "rdf-trig": "trig",
    "rdf-xml": "rdf-xml",
}
JSON_LD_BASE = "https://w3c.github.io/json-ld-api/tests/"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the document ``action`` is legal or not, and ``result`` (N-Triples, N-Quads) says the same.

    ``canonical`` where ``result`` is what must be written, to the byte. ``options`` are those of JSON-LD's API.
    """

    suite: str
    name: str
    format: str
    action: Path
    base: str
    is_legal: bool
    result: Path | None = None
    canonical: bool = False
    options: tuple[str, ...] = ()


def unpacked(archive: Path, folder: Path) -> Path:
    """Return the folder of the suites, unpacked below ``folder``."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return next(path.parent for path in folder.rglob("rdf11"))


def all_cases(root: Path) -> list[Case]:
    """Return the cases of all suites."""
    manifests = sorted([*(root / "rdf11").rglob("manifest.ttl"), *(root / "rdf12").rglob("manifest.ttl")])
    rdf = [case for path in manifests for case in _rdf_cases(root, path)]
    return rdf + list(_json_ld_cases(root / "jsonld"))


def _rdf_cases(root: Path, manifest: Path) -> Iterator[Case]:
    version, kind = manifest.relative_to(root).parts[:2]
    if kind not in FORMATS:
        return
    graph: Any = ox.Store()
    graph.bulk_load(path=str(manifest), format=ox.RdfFormat.TURTLE, base_iri=manifest.as_uri())
    bases = [quad.object.value for quad in graph.quads_for_pattern(None, ox.NamedNode(MF + "assumedTestBase"), None)]
    base = bases[0] if bases else manifest.parent.as_uri() + "/"

    def local(iri: str) -> Path:
        return manifest.parent / iri.removeprefix(base).removeprefix(manifest.parent.as_uri() + "/").rsplit("#")[0]

    for entry in _entries(graph):
        about = {quad.predicate.value: quad.object.value for quad in graph.quads_for_pattern(entry, None, None)}
        test, action, result = about[RDF + "type"], local(about[MF + "action"]), about.get(MF + "result")
        yield Case(
            suite=f"RDF {version[3]}.{version[4]} {kind.removeprefix('rdf-')}",
            name=entry.value.rsplit("#", 1)[-1],
            format=FORMATS[kind],
            action=action,
            base=base + action.relative_to(manifest.parent).as_posix(),
            is_legal="Negative" not in test,
            result=local(result) if result else None,
            canonical=test.endswith("C14N"),
        )


def _entries(graph: Any) -> Iterator[ox.NamedNode]:
    """Yield the members of the manifest's list."""
    rest = [quad.object for quad in graph.quads_for_pattern(None, ox.NamedNode(MF + "entries"), None)]
    while rest and rest[0] != ox.NamedNode(RDF + "nil"):
        yield next(graph.quads_for_pattern(rest[0], ox.NamedNode(RDF + "first"), None)).object
        rest = [quad.object for quad in graph.quads_for_pattern(rest[0], ox.NamedNode(RDF + "rest"), None)]


def _json_ld_cases(folder: Path) -> Iterator[Case]:
    manifest = json.loads((folder / "toRdf-manifest.jsonld").read_text(encoding="utf-8"))
    for entry in manifest["sequence"]:
        options = entry.get("option", {})
        if options.get("specVersion") == "json-ld-1.0":
            continue  # replaced in 1.1 by a case that says otherwise
        case = Case(
            suite="JSON-LD 1.1 toRdf",
            name=entry["@id"].removeprefix("#"),
            format="json-ld",
            action=folder / entry["input"],
            base=options.get("base", JSON_LD_BASE + entry["input"]),
            is_legal="jld:NegativeEvaluationTest" not in entry["@type"],
            options=tuple(sorted(options)),
        )
        yield replace(case, result=folder / entry["expect"]) if "expect" in entry else case
