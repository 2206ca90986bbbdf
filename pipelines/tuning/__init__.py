"""Searching the settings of channels."""
