"""Negatives: what a trained channel learns not to return; one file a kind, one protocol."""
