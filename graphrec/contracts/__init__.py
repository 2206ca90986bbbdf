"""Queries, answers, and what recipes learn from and with."""
