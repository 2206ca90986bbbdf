"""Models that learn from ids and features and end in vectors: one file a model, one training loop."""
