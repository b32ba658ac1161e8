"""Eleven: mix several fine-tunes of one concept exactly, and find the strengths that give the best likeness."""

__version__ = "0.1.0"
