"""Sparse products of which only the best entries are kept, and the user-item matrices that go into them."""
