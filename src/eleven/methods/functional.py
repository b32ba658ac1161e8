"""Functional consensus: a Wiener filter on the layer's outputs that tells what is shared from what is not."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eleven.delta import Delta, Dense, LowRank, Sum
from eleven.errors import TensorError, UsageError
from eleven.methods.linear import weighted_sum
from eleven.methods.method import Setting
from eleven.methods.parts import Terms, active
from eleven.tensors import Float, Tensor


def functional(deltas: Sequence[Delta], strengths: Sequence[float], setting: Setting) -> Delta:
    """[I + β(F − I) + a·F]·Σ strength·delta; factors stay factors, as only what maps to the outputs changes.

    F = C_s(C_s + C_e/N + λ·tr(C_t)/out·I)⁻¹ is Wiener's filter of the mean output, from the outputs Yᵢ = X·Δᵢᵀ of N
    parts on the activations X, each scaled to norm 1: C_t = mean YᵢᵀYᵢ, C_m = ȲᵀȲ, C_e = C_t − C_s, and C_s, what two
    parts share on average, is (N·C_m − C_t)/(N − 1) without its negative eigenvalues. A bias has the constant input 1.
    With fewer than two parts that answer to X there is nothing to compare, and the result is the sum.
    UsageError without activations; TensorError for those of another width, NaN or infinity.
    """
    inputs = _inputs(setting.activations, deltas[0].shape[1])
    terms = active(deltas, strengths)
    outputs = _outputs(terms, inputs)
    if len(outputs) < 2:
        return weighted_sum(deltas, strengths, setting)
    basis = _basis([delta for _, delta in terms], outputs)
    ridge = setting.number("ridge") / deltas[0].shape[0]
    share = _filter([output @ basis for output in outputs], ridge)
    beta, gain = setting.number("beta"), setting.number("gain")
    return _apply(terms, (1 - beta, basis.float(), ((beta + gain) * share @ basis.T).float()))


def _inputs(activations: Tensor | None, columns: int) -> Float[Tensor, "samples in"]:
    if columns == 1:
        return torch.ones(1, 1)
    if activations is None:
        raise UsageError(
            "functional needs activations, and this layer has none.",
            hint="Give calibration inputs of the layers, or choose a method that needs none, such as sum.",
        )
    shape = list(activations.shape)
    if len(shape) != 2 or shape[0] == 0 or shape[1] != columns:
        raise TensorError(f"activations are {shape}, the layer takes {columns} inputs.", hint="One input in each row.")
    if not bool(activations.isfinite().all()):
        raise TensorError("activations hold NaN or infinity.", hint="Collect them again in float32.")
    return activations.float()


def _outputs(terms: Terms, inputs: Float[Tensor, "samples in"]) -> list[Float[Tensor, "samples out"]]:
    """What each part adds to the outputs, at norm 1 and with the sign of its strength, where it adds anything."""
    found: list[Tensor] = []
    for strength, delta in terms:
        output = (delta @ inputs.T).T.double()
        size = float(output.norm())
        if size > 0:
            found.append(output * (1.0 if strength > 0 else -1.0) / size)
    return found


def _basis(deltas: Sequence[Delta], outputs: Sequence[Float[Tensor, "samples out"]]) -> Float[Tensor, "out k"]:
    """Orthonormal columns that span every output: from the factors where all parts have some, else from the outputs."""
    both = [delta.factors() for delta in deltas]
    ups = [factors[0].double() for factors in both if factors is not None]
    known = ups if len(ups) == len(both) else [output.T for output in outputs]
    return torch.linalg.qr(torch.cat(known, dim=1)).Q


def _filter(outputs: Sequence[Float[Tensor, "samples k"]], ridge: float) -> Float[Tensor, "k k"]:
    """F in the basis; `ridge` is λ over the number of outputs of the layer."""
    count = len(outputs)
    total = sum((output.T @ output for output in outputs[1:]), outputs[0].T @ outputs[0]) / count
    mean = torch.stack(tuple(outputs)).mean(0)
    values, vectors = torch.linalg.eigh((count * mean.T @ mean - total) / (count - 1))
    shared = (vectors * values.clamp(min=0)) @ vectors.T
    noise = (total - shared) / count + ridge * total.trace() * torch.eye(len(total), dtype=total.dtype)
    return torch.linalg.solve(shared + noise, shared).T


def _apply(terms: Terms, operator: tuple[float, Tensor, Tensor]) -> Delta:
    """The operator keep·I + up·down on each part's output side; parts without factors become one matrix."""
    keep, up, down = operator
    done: list[tuple[float, Delta]] = []
    rest: list[tuple[float, Delta]] = []
    for strength, delta in terms:
        both = delta.factors()
        if both is None:
            rest.append((strength, delta))
        else:
            done.append((strength, LowRank(both[0] * keep + up @ (down @ both[0]), both[1])))
    if rest:
        matrix = Sum(tuple(rest)).dense()
        done.append((1.0, Dense(matrix * keep + up @ (down @ matrix))))
    return Sum(tuple(done))
