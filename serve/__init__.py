"""Serving: a bundle in memory that answers recall requests."""
