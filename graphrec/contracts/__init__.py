"""What channels are asked, what they answer, what they learn from."""
