"""Graphs, links and recall results as RDF and as tables, for other programs."""
