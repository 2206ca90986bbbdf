"""Recallers: how online code answers from each artefact."""
