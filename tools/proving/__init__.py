"""What mixing does in the concept lab, measured; `tools/evidence.py` is the door."""
