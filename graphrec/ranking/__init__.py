"""Stages after fusion."""
