"""Tables, lists and frames into events, attributes, tags, exposures and rules."""
