"""Jobs: configuration, sources, training, evaluation, publishing, and the graphrec command."""
