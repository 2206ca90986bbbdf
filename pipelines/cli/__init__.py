"""The ``graphrec`` command."""
