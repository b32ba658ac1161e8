"""Methods that only weigh the parts: their result is a `Sum` of the deltas as they came, nothing is materialised."""

from __future__ import annotations

from collections.abc import Sequence

from eleven.algebra import gram
from eleven.delta import Delta, Sum
from eleven.methods.method import Setting
from eleven.methods.parts import active


def weighted_sum(deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:  # noqa: ARG001
    """Σ strength·delta: task arithmetic, Ilharco et al. 2022, arXiv 2212.04089, section 2."""
    return Sum(tuple(zip(strengths, deltas, strict=True)))


def model_stock(deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:
    """The weighted sum times N·cosθ / (1 + (N − 1)·cosθ), cosθ the mean cosine between the parts of this layer.

    Jang et al. 2024, arXiv 2403.19522, section 4, whose mean of N models is the sum at strengths 1/N. The paper takes
    one angle for all; for parts at different angles their mean cosine, at least 0. A part that leaves this layer alone
    has no angle and does not count; the angle is between strength·delta, so a negative strength turns it.
    """
    terms = active(deltas, strengths)
    ratio = _ratio([delta for _, delta in terms], [strength for strength, _ in terms])
    return weighted_sum(deltas, [strength * ratio for strength in strengths], setting)


def _ratio(deltas: Sequence[Delta], strengths: Sequence[float]) -> float:
    products = gram(deltas)
    moved = [index for index in range(len(deltas)) if products[index, index] > 0]
    count = len(moved)
    if count < 2:
        return 1.0
    signs = products.new_tensor([1.0 if strengths[index] > 0 else -1.0 for index in moved])
    scale = signs / products.diagonal()[moved].sqrt()
    cosines = products[moved][:, moved] * scale[:, None] * scale
    mean = (float(cosines.sum()) - count) / (count * (count - 1))
    mean = min(max(mean, 0.0), 1.0)
    return count * mean / (1 + (count - 1) * mean)
