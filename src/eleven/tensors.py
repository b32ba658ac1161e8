"""Tensor types for annotations; stand-ins until torch is loaded, so that no module loads it to describe itself."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "torch" in sys.modules:
    from jaxtyping import Float as Float
    from torch import Tensor as Tensor
else:
    Float = Tensor = None

Shape = tuple[int, ...]
