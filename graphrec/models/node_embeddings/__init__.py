"""Skip-gram over walks: Node2Vec, its vectors of nodes, and entity2rec."""
