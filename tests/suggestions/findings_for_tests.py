"""Small models, made-up probes, and what is found of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from adapters_for_tests import factors, write_lora

from eleven.amplification.grams import Grams
from eleven.suggestions.anatomy import Anatomy
from eleven.suggestions.models import Case, Model
from eleven.suggestions.origins import Origin
from eleven.suggestions.probe import Band, Probe, as_table
from eleven.suggestions.suggesting import conclude, examine


def kinds(*paths, base=None, probe=None):
    """Each finding by its kind and the models that it is about."""
    case = examine(list(paths), base)
    return {(one.kind, one.files): one for one in conclude(case, probe).findings}


def probed(cosines, target=()):
    """A probe of one band with these cosines, and with these helps where there are photos."""
    return Probe((Band("all", 0.0, 1.0, tuple(map(tuple, cosines)), tuple(target), 1.0 if target else 0.0),))


def apart(tmp_path, count, **metadata):
    """Models of other random numbers."""
    return [write_lora(tmp_path / f"model-{seed}.safetensors", factors(seed), **metadata) for seed in range(count)]


def only_probed(probe, names):
    """A case of models of these names of which only a probe is known."""
    count = len(names)
    models = tuple(Model(Path(f"{name}"), "lora", "lab", True, Origin()) for name in names)
    none = (0,) * count
    anatomy = Anatomy(as_table(np.eye(count)), {}, {}, (), (1,) * count, none, none, Grams(count, ()))
    return Case(models, anatomy, None, probe)
