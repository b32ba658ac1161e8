"""Axis 1, containers: bytes and named tensors, read lazily and never changed."""
