"""Fine-tunes: files × layers × techniques, brought together."""
