"""RDF files into a knowledge graph."""
