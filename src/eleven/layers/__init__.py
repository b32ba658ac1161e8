"""Axis 2, names: which layers a family has, and how each dialect spells them."""
