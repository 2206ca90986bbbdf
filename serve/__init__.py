"""Serving: a bundle in memory that answers recall requests."""

from .answer import Answer, Explanation, Neighbour, Neighbours, PathNode, Place, Reason, Recalled, Shared, TakeDown
from .engine import Engine

__all__ = [
    "Answer",
    "Engine",
    "Explanation",
    "Neighbour",
    "Neighbours",
    "PathNode",
    "Place",
    "Reason",
    "Recalled",
    "Shared",
    "TakeDown",
]
