"""The catalogue as a typed graph, and walks over it."""
