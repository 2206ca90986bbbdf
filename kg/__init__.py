"""RDF knowledge graphs in and out: reading, linking items to entities, HeteroData."""
