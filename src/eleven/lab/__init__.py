"""The concept lab: a small world of synthetic people, its base model and its eye, in which everything runs offline."""
