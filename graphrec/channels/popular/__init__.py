"""Channels that know nothing of persons."""
