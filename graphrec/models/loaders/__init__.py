"""PyG's neighbour loaders on our own sampling."""
