"""Channels that learn from what is known of items."""
