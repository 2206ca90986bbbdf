"""Serving: a bundle in memory that answers recall requests."""

from serve.answer import Answer, Neighbour, Neighbours, Place, Recalled, Shared, TakeDown
from serve.engine import Engine

__all__ = ["Answer", "Engine", "Neighbour", "Neighbours", "Place", "Recalled", "Shared", "TakeDown"]
