"""Whole runs: training, publishing, checking."""
