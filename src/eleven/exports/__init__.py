"""A mix, written down: as one adapter, into a checkpoint; each export reads its file back and proves it."""
