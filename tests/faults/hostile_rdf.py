"""RDF files that a stranger could send, made by a seed: deep, long, many, packed, cut, and mutated."""

# ruff: noqa: E501 - a kind of file is a line

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from collections.abc import Callable, Iterator

import pyarrow as pa

from tests.kg.reading.documents import DOCUMENTS

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"'
START = "<http://s> <http://p> "
# Extension, and a document of n levels.
DEEP: dict[str, tuple[str, Callable[[int], str]]] = {
    "blank nodes": (".ttl", lambda n: START + "[ <http://p> " * n + "1" + "]" * n + " ."),
    "lists": (".ttl", lambda n: START + "(" * n + ")" * n + " ."),
    "reified triples": (".ttl", lambda n: START + "<< <http://a> <http://p> " * n + "1" + " >>" * n + " ."),
    "triple terms of turtle": (".ttl", lambda n: START + "<<( <http://a> <http://p> " * n + "1" + " )>>" * n + " ."),
    "annotations": (".ttl", lambda n: START + "<http://o> " + "{| <http://p> <http://o> " * n + "|}" * n + " ."),
    "blank nodes of trig": (".trig", lambda n: "<http://g> {" + START + "[ <http://p> " * n + "1" + "]" * n + " }"),
    "lists of trig": (".trig", lambda n: "{" + START + "(" * n + ")" * n + " }"),
    "braces": (".trig", lambda n: "{ " * n + "}" * n),
    "triple terms": (".nt", lambda n: START + "<<( <http://a> <http://p> " * n + "<http://o>" + " )>>" * n + " .\n"),
    "triple terms in a graph": (".nq", lambda n: START + "<<( <http://a> <http://p> " * n + "1" + " )>>" * n + " .\n"),
    "objects": (".jsonld", lambda n: '{"http://p":' * n + "1" + "}" * n),
    "arrays": (".jsonld", lambda n: '{"http://p":' + "[" * n + "]" * n + "}"),
    "lists of json": (".jsonld", lambda n: '{"http://p":' + '{"@list":[' * n + "]}" * n + "}"),
    "graphs": (".jsonld", lambda n: '{"@graph":[' * n + "]}" * n),
    "contexts": (".jsonld", lambda n: '{"@context":{"t":{"@id":"http://t",' * n + '"x":1' + "}}}" * n),
    "reversed": (".jsonld", lambda n: '{"@reverse":{"http://p":' * n + '{"@id":"http://a"}' + "}}" * n),
    "included": (".jsonld", lambda n: '{"@included":' * n + "{}" + "}" * n),
    "elements": (".rdf", lambda n: f"<rdf:RDF {RDF}>" + "<e:A><e:p>" * n + "</e:p></e:A>" * n + "</rdf:RDF>"),
    "xml literals": (
        ".rdf",
        lambda n: f"<rdf:RDF {RDF}><e:A><e:p rdf:parseType='Literal'>{'<b>' * n}{'</b>' * n}</e:p></e:A></rdf:RDF>",
    ),
    "collections": (
        ".owl",
        lambda n: f"<rdf:RDF {RDF}>" + "<e:A><e:p rdf:parseType='Collection'>" * n + "</e:p></e:A>" * n + "</rdf:RDF>",
    ),
}
MANY: dict[str, tuple[str, Callable[[int], str]]] = {
    "prefixes": (".ttl", lambda n: "".join(f"@prefix p{i}: <http://{i}/> .\n" for i in range(n)) + "p0:a p0:b 1 ."),
    "long prefix": (".ttl", lambda n: f"@prefix a: <http://{'x' * n}> .\n" + "".join(f"a:{i} a:p 1 .\n" for i in range(n))),
    "long base": (".trig", lambda n: f"@base <http://{'x' * n}/> .\n" + "".join(f"<{i}> <p> 1 .\n" for i in range(n))),
    "namespaces": (".rdf", lambda n: f"<rdf:RDF {RDF} {' '.join(f'xmlns:n{i}=^a:^' for i in range(n))}/>".replace("^", '"')),
    "attributes": (".rdf", lambda n: f"<rdf:RDF {RDF}><e:A {' '.join(f'e:n{i}=^1^' for i in range(n))}/></rdf:RDF>".replace("^", '"')),
    "terms": (".jsonld", lambda n: json.dumps({"@context": {f"t{i}": f"http://{i}" for i in range(n)}, "t0": 1})),
    "chain": (".jsonld", lambda n: json.dumps({"@context": {f"t{i}": f"t{i + 1}:x" for i in range(n)}, "t0": 1})),
    "circle": (".jsonld", lambda n: json.dumps({"@context": {f"t{i}": f"t{(i + 1) % n}:x" for i in range(n)}, "t0": 1})),
    "contexts in a row": (".jsonld", lambda n: json.dumps({"@context": [{f"t{i}": f"http://{i}"} for i in range(n)], "t0": 1})),
    "copies": (
        ".jsonld",
        lambda n: json.dumps(
            {
                "@context": {f"t{i}": f"http://{i}" for i in range(2_900)},
                "@graph": [{"@context": {"z": "http://z"}, "@id": "http://a", "z": 1}] * n,
            }
        ),
    ),
    "escaped context": (".json", lambda n: '{"\\u0040context":{' + ",".join(f'"t{i}":"t{i + 1}:x"' for i in range(n)) + "}}"),
    "keys": (".jsonld", lambda n: json.dumps({f"http://p/{i}": i for i in range(n)})),
    "bad lines": (".nt", lambda n: "nonsense\n" * n),
    "bad and good lines": (".nq", lambda n: (START + "<http://o> .\n") * 40 * (n // 40) + "<a b> .\n" * (n // 40)),
    "relative nodes": (".jsonld", lambda n: json.dumps([{"@id": f"x{i}", "http://p": 1} for i in range(n)])),
}  # fmt: skip
LONG: dict[str, tuple[str, Callable[[int], str]]] = {
    "literal": (".nt", lambda n: f'{START}"{"x" * n}" .\n'),
    "literal with escapes": (".nq", lambda n: f'{START}"{chr(92)}u00e9{"é" * (n // 2)}" .\n'),
    "long string": (".ttl", lambda n: f'{START}"""{"x " * (n // 2)}""" .'),
    "string of trig": (".trig", lambda n: f"{START}'{'x' * n}' ."),
    "comment": (".ttl", lambda n: f"# {'x' * n}\n{START}1 ."),
    "comment line": (".nt", lambda n: f"# {'x' * n}\n{START}<http://o> .\n"),
    "iri": (".ttl", lambda n: f"<http://{'x' * n}> <http://p> 1 ."),
    "number": (".ttl", lambda n: f"{START}{'1' * n} ."),
    "string of json": (".jsonld", lambda n: json.dumps({"http://p": "x" * n})),
    "number of json": (".jsonld", lambda n: '{"http://p":' + "1" * n + "}"),
    "text": (".rdf", lambda n: f"<rdf:RDF {RDF}><e:A><e:p>{'x' * n}</e:p></e:A></rdf:RDF>"),
    "tag": (".rdf", lambda n: f"<rdf:RDF {RDF}><e:A e:p='{'x' * n}'/></rdf:RDF>"),
    "xml comment": (".rdf", lambda n: f"<rdf:RDF {RDF}><!-- {'x' * n} --></rdf:RDF>"),
}
ODD: dict[str, tuple[str, bytes]] = {
    "entities": (".rdf", b'<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><r>&b;</r>'),
    "entity of a file": (".owl", b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>'),
    "a comment that never ends": (".rdf", b"<!-- <r/>"),
    "a comment that ends at once": (".rdf", f"<rdf:RDF {RDF}><!-->{'<e:A><e:p>' * 9_000}".encode()),
    "a comment that ends too soon": (".rdf", f"<rdf:RDF {RDF}><!--->{'<e:A><e:p>' * 9_000}".encode()),
    "an instruction that ends at once": (".rdf", f"<rdf:RDF {RDF}><?>{'<e:A><e:p>' * 9_000}".encode()),
    "CDATA": (".rdf", f"<rdf:RDF {RDF}><e:A><e:p><![CDATA[]]]]>{'<b>' * 9_000}".encode()),
    "a remote context": (".jsonld", b'{"@context":"http://127.0.0.1:9/x"}'),
    "a context of a file": (".jsonld", b'{"@context":"file:///etc/passwd"}'),
    "an import": (".jsonld", b'{"@context":{"@version":1.1,"@import":"http://127.0.0.1:9/"}}'),
    "a surrogate": (".jsonld", b'{"http://p":"\\ud800"}'),
    "a number too large": (".jsonld", b'{"@id":"http://a","http://p":1e999999}'),
    "an id that is a number": (".jsonld", b'{"@id":5,"http://p":1}'),
    "injected lines": (".jsonld", json.dumps({"@id": "http://a> <b> <c> .\n<x:y", "http://p": 1}).encode()),
    "utf-16": (".ttl", "<a:b> <a:c> 1 .".encode("utf-16")),
    "latin-1": (".nt", b'<http://a> <http://p> "\xe9" .\n'),
    "overlong utf-8": (".nt", b'<http://a> <http://p> "\xc0\xaf" .\n'),
    "zeros": (".nt", b"\0" * 10_000),
    "n3": (".n3", b"{ ?x a ?y } => { ?y a ?x } ."),
    "returns alone": (".nt", b"<http://a> <http://p> <http://o> .\r" * 1_000),
    "zip": (".nt", b"PK\x03\x04" + b"\0" * 100),
    "bzip2": (".nt.gz", bz2.compress(b"<http://a> <http://p> <http://o> .\n")),
    "gzip in gzip": (".nt.gz", gzip.compress(gzip.compress(b"x"))),
    "cut gzip": (".nt.gz", gzip.compress(b"<http://a> <http://p> <http://o> .\n" * 999)[:-9]),
    "half a gzip head": (".nt", b"\x1f\x8b\x08"),
    "nothing": (".ttl", b""),
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, 1),
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def hostile_files(seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield (kind, extension, content) of some hundred files; sizes and mutations follow from the seed."""
    rng = random.Random(seed)
    for name, (extension, make) in DEEP.items():
        deep = make(rng.randint(5_000, 200_000)).encode()
        yield f"deep {name}", extension, deep
        yield f"deep {name}, cut", extension, deep[: rng.randint(len(deep) // 2, len(deep))]
    for name, (extension, make) in MANY.items():
        yield f"many {name}", extension, make(rng.randint(20_000, 60_000)).encode()
    for name, (extension, make) in LONG.items():
        packed = rng.choice(list(PACKERS))
        yield f"long {name}", extension + packed, PACKERS[packed](make(rng.randint(17, 20) << 20).encode())
    for name, (extension, odd) in ODD.items():
        yield name, extension, odd
    for extension, text in DOCUMENTS.items():
        data = bytearray(text.encode())
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        yield f"mutated {extension}", extension, bytes(data)
        packed = rng.choice(list(PACKERS))
        bomb = text.encode() + (b" " * (1 << 20)) * rng.randint(70, 100)
        yield f"bomb {extension}", extension + packed, PACKERS[packed](bomb)
        damaged = bytearray(PACKERS[packed](text.encode() * 50))
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        yield f"damaged {extension}", extension + packed, bytes(damaged)
