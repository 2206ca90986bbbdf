"""Slow, obvious versions of what the package computes fast: dense matrices and Python loops, for small worlds only."""
