"""Tensor types for annotations; stand-ins until torch is loaded, so that no module loads it to describe itself."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "torch._C" in sys.modules:
    from jaxtyping import Float as Float
    from torch import Tensor as Tensor
else:

    class Tensor:
        """Stands for torch's tensor."""

        def __class_getitem__(cls, _: object) -> type:
            """Stands for a tensor of some shape."""
            return cls

    Float = Tensor

Shape = tuple[int, ...]
