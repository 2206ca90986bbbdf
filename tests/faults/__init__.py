"""Faults injected for real: processes killed and forked, files cut short, limits of the system, hostile bytes.

A file a kind. Long tests are marked ``slow``: ``make test`` leaves them out, ``make test-slow`` runs them and shows
the figures that they print.
"""
