"""Embeddings of a knowledge graph: TransE, DistMult, ComplEx and RotatE."""
