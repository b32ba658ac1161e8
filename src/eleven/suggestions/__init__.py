"""What fine-tunes have in common, what of it is worth a warning, and the strengths to start from."""
