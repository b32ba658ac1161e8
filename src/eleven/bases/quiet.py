"""Silence while diffusers and transformers load: Eleven checks what they would only have remarked on."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager

LIBRARIES = r"(diffusers|transformers|huggingface_hub|accelerate|peft)(\.|$)"
"""Where warnings about old settings, and about what numpy and torch will do otherwise, are none of the user's."""
GIVEN_TO_NUMPY = "__array_wrap__ must accept"
"""What numpy says of itself when a sampler of diffusers hands it a tensor."""


@contextmanager
def quiet() -> Generator[None]:
    """No progress bars, no remarks below an error, no notes on those libraries' old ways; all as before afterwards."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    both = (of_diffusers, of_transformers)
    before = [(one, one.get_verbosity(), one.is_progress_bar_enabled()) for one in both]
    for one in both:
        one.set_verbosity_error()
        one.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning):
                warnings.filterwarnings("ignore", category=kind, module=LIBRARIES)
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=GIVEN_TO_NUMPY)
            yield
    finally:
        for one, verbosity, bars in before:
            one.set_verbosity(verbosity)
            if bars:
                one.enable_progress_bar()
