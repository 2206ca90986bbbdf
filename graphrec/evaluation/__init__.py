"""Metrics of ranked lists, intervals, and what each channel brings to a set."""
