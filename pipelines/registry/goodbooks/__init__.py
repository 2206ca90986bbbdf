"""Makes the bundled goodbooks data: readers' ratings as CSV and the books' metadata as Turtle."""
