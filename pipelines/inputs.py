"""From a configuration to the data that recipes learn from."""
