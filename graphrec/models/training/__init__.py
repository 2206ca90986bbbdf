"""The training loop that every model learned in torch runs through."""
