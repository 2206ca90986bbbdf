"""Channels and their fusion measured on held-out events."""
