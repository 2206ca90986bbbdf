"""What a run measured, for programs and for people."""
