from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.reading.xml_literals import canonical_xml
from tests.kg.reading.documents import write

DOCUMENT = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/" xmlns:unused="http://u/">
  <rdf:Description rdf:about="http://e/a">
    <e:note rdf:parseType="Literal">a &lt; <e:b z="1" a='2'/><!-- c --></e:note>
    <e:name>plain</e:name>
  </rdf:Description>
</rdf:RDF>
"""


def test_literals_of_a_document_are_canonical(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "a.rdf", DOCUMENT))
    assert kg.report.n_statements == 2
    texts = sorted(kg.literals.texts.to_pylist())
    assert texts == ['a &lt; <e:b xmlns:e="http://e/" a="2" z="1"></e:b>', "plain"]  # the parser drops the comment


@pytest.mark.parametrize(
    "text", ["<b>", "a & b", "</x><x>", "<p:b/>", '<!DOCTYPE x [<!ENTITY a "b">]>&a;', "\x01", "<a b='1' b='2'/>"]
)
def test_what_is_no_xml_stays(text: str) -> None:
    assert canonical_xml(text) == text


def test_deep_elements_take_no_time_and_stay() -> None:
    for depth in (300, 100_000):
        text = "<b>" * depth + "<c/>" + "</b>" * depth
        assert canonical_xml(text) == (text.replace("<c/>", "<c></c>") if depth == 300 else text)


def test_canonical_form_is_kept() -> None:
    assert canonical_xml("<!-- c -->") == "<!-- c -->"
    once = canonical_xml("<b xmlns='http://e/' a='&#10;'>é&#13;</b>")
    assert canonical_xml(once) == once == '<b xmlns="http://e/" a="&#xA;">é&#xD;</b>'
