"""The stages that candidates of a request go through, and how they are shown at the end."""
