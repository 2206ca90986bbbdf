"""IRIs of the vocabularies that this package knows by name."""

from __future__ import annotations

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
FOAF = "http://xmlns.com/foaf/0.1/"
DCT = "http://purl.org/dc/terms/"
DC = "http://purl.org/dc/elements/1.1/"
SCHEMA = ("http://schema.org/", "https://schema.org/")  # both are in wide use for one vocabulary
GRAPHREC = "https://graphrec.org/ns#"

TYPE = RDF + "type"
LANG_STRING = RDF + "langString"
DIR_LANG_STRING = RDF + "dirLangString"
STRING = XSD + "string"
SUBCLASS_OF = RDFS + "subClassOf"

# Where names for people are looked for, the most trusted first.
LABELS = (
    RDFS + "label",
    SCHEMA[0] + "name",
    SCHEMA[1] + "name",
    SKOS + "prefLabel",
    FOAF + "name",
    DCT + "title",
    DC + "title",
)

# Types that say nothing of what a thing is.
UNSPECIFIC_TYPES = (
    OWL + "Thing",
    OWL + "NamedIndividual",
    RDFS + "Resource",
    SCHEMA[0] + "Thing",
    SCHEMA[1] + "Thing",
    SKOS + "Concept",
)

# Our own vocabulary of interactions: docs/rdf-interactions.md.
USER = GRAPHREC + "user"
ITEM = GRAPHREC + "item"
WEIGHT = GRAPHREC + "weight"
TIME = GRAPHREC + "time"
EVENT = GRAPHREC + "event"
INTERACTED = GRAPHREC + "interacted"

# Terms of the interactions: they are joined per split, and never come in through the catalogue.
INTERACTION_TERMS = (INTERACTED, USER, ITEM, WEIGHT, TIME, EVENT)

# Predicates that make no edge of a catalogue graph.
EDGELESS = (TYPE, SUBCLASS_OF, *INTERACTION_TERMS)

# Blank nodes become IRIs under this root (RDF 1.1 Concepts, section 3.5).
GENID = "https://graphrec.org/.well-known/genid/"
