"""Which items may be recalled at all, by rules."""
