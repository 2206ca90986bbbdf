"""Channels: each file is one recipe that ends in one recaller."""
