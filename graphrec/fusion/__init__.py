"""Merging the lists of several channels into one, with provenance."""
