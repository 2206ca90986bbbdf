"""Channels that learn from who took what."""
