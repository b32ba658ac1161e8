"""Pipelines that have every parameter of a family by name and shape, and no numbers."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from eleven.layers.family import Component, Family


def skeleton(component: Component) -> nn.Module:
    """A model with the component's parameters."""
    root = nn.Module()
    for row in component.rows:
        *path, last = row.name.split(".")
        at = root
        for part in path:
            if part not in dict(at.named_children()):
                at.add_module(part, nn.Module())
            at = at.get_submodule(part)
        at.register_parameter(last, nn.Parameter(torch.empty(row.shape, device="meta")))
    return root


def skeleton_pipeline(family: Family) -> SimpleNamespace:
    """The family's models as a pipeline keeps them."""
    models = {part.folder: skeleton(part) for part in family.components}
    return SimpleNamespace(components=models, **models)
