"""Speed, memory and quality, beside named peers in the same run; results are committed as JSON."""
