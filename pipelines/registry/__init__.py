"""Public data sets: what they are, and how they are fetched."""
