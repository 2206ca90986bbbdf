"""Serving: a bundle in memory that answers recall requests."""

from .answer import Answer, Neighbour, Neighbours, Place, Recalled, Shared, TakeDown
from .engine import Engine

__all__ = ["Answer", "Engine", "Neighbour", "Neighbours", "Place", "Recalled", "Shared", "TakeDown"]
