"""The configuration of a run: TOML in, checked settings out."""
