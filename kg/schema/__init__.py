"""What a graph holds: classes, predicates, and how it may be used for recall."""
