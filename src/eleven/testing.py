"""Batteries that any delta, technique, engine and scorer must pass, and simulated worlds for searches; for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eleven.delta import Delta
from eleven.engines.engine import Engine, Picture, Shot
from eleven.errors import BaseNeeded, ElevenError
from eleven.mix import Mix
from eleven.scorers.checking import check_scorer as check_scorer
from eleven.studies.worlds import World as World
from eleven.studies.worlds import world as world
from eleven.techniques.technique import Original, Technique, shapes_of
from eleven.tensors import Float, Shape, Tensor

TOLERANCE = 1e-6
ABSURD: tuple[Shape, ...] = ((), (0,), (1,), (2,), (3, 1), (0, 4), (7, 5), (1 << 40, 1 << 40), (2, 2, 2, 2, 2, 2, 2))


@dataclass(frozen=True, eq=False)
class Given:
    """A layer of a base model with these parameters; without a weight, one whose base was not given."""

    given_weight: Tensor | None = None
    given_bias: Tensor | None = None

    def weight(self) -> Tensor:
        """The weight. BaseNeeded without one."""
        if self.given_weight is None:
            raise BaseNeeded("the change depends on the base weight.", hint="Give the base.")
        return self.given_weight

    def bias(self) -> Tensor | None:
        """The bias or None. BaseNeeded without a weight."""
        self.weight()
        return self.given_bias


@dataclass(frozen=True, eq=False)
class Case:
    """Tensors of one layer, its original, and the truth: the dense change of the weight and of the bias in float64."""

    tensors: dict[str, Tensor]
    weight: Float[Tensor, "out in"] | None = None
    bias: Float[Tensor, " out"] | None = None
    original: Original = Given()


def relative_error(got: Tensor, truth: Tensor) -> float:
    """Frobenius norm of the difference over that of the truth; over 1 where the truth is zero."""
    size = float(truth.double().norm())
    return float((got.double() - truth.double()).norm()) / (size or 1.0)


def check_delta(delta: Delta, dense: Float[Tensor, "out in"], tolerance: float = TOLERANCE) -> None:
    """Shape, dense, `@`, `T` and factors agree with the truth."""
    assert delta.shape == tuple(dense.shape), f"shape {delta.shape}, truth {tuple(dense.shape)}"
    whole = delta.dense()
    _close("dense", whole, dense, tolerance)
    _close("T.dense", delta.T.dense(), dense.T, tolerance)
    assert delta.T.shape == tuple(dense.T.shape)
    import torch

    for name, operator, truth in (("@", delta, dense), ("T @", delta.T, dense.T)):
        x = torch.randn(truth.shape[1], 3, dtype=whole.dtype, generator=torch.Generator().manual_seed(0))
        _close(name, operator @ x, truth.double() @ x.double(), tolerance)
    both = delta.factors()
    if both is not None:
        up, down = both
        assert up.shape[1] * sum(dense.shape) < dense.numel(), "factors hold more numbers than the matrix"
        _close("factors", up @ down, dense, tolerance)


def check_technique(technique: Technique, cases: Sequence[Case], tolerance: float = TOLERANCE) -> None:
    """Every case decodes to its truth, round-trips, and fails with an ElevenError when damaged; all names are used."""
    used = frozenset(suffix for case in cases for suffix in case.tensors)
    assert used == technique.SUFFIXES, f"no case has {sorted(technique.SUFFIXES - used)}, none may have {used}"
    assert not technique.matches(frozenset()), "matches no names at all"
    for case in cases:
        assert technique.matches(case.tensors.keys()), f"does not match {sorted(case.tensors)}"
        _check_case(technique, case, tolerance)
        _check_damage(technique, case)


def _check_case(technique: Technique, case: Case, tolerance: float) -> None:
    known = technique.measure(shapes_of(case.tensors)).matrix
    change = technique.decode(case.tensors, case.original)
    truths = {"weight": case.weight, "bias": None if case.bias is None else case.bias[:, None]}
    assert change.keys() == {name for name, truth in truths.items() if truth is not None}, f"changes {list(change)}"
    if case.weight is not None:
        pairs = zip(known, case.weight.shape, strict=True)
        assert all(size is None or size == true for size, true in pairs), f"measured {known}"
    again = technique.decode(technique.encode(change), case.original)
    for name, delta in change.items():
        truth = truths[name]
        assert truth is not None
        check_delta(delta, truth, tolerance)
        _close(f"{name} written and read", again[name].dense(), delta.dense(), tolerance)


def _check_damage(technique: Technique, case: Case) -> None:
    """Without one tensor, or with one of another shape, it is read or refused, and never fails otherwise."""
    shapes = shapes_of(case.tensors)
    for suffix, tensor in case.tensors.items():
        _try(technique, {name: other for name, other in case.tensors.items() if name != suffix}, case.original)
        for shape in ABSURD:
            _measure(technique, {**shapes, suffix: shape})
            if len(shape) < 6 and max(shape, default=1) < 100:
                _try(technique, {**case.tensors, suffix: tensor.new_ones(shape)}, case.original)


def _measure(technique: Technique, shapes: dict[str, Shape]) -> None:
    try:
        technique.measure(shapes)
    except ElevenError:
        return


def _try(technique: Technique, tensors: dict[str, Tensor], original: Original) -> None:
    try:
        for delta in technique.decode(tensors, original).values():
            assert delta.dense().shape == delta.shape, "the dense matrix has another shape"
    except ElevenError:
        return


def _close(what: str, got: Tensor, truth: Tensor, tolerance: float) -> None:
    assert got.shape == truth.shape, f"{what}: shape {tuple(got.shape)}, truth {tuple(truth.shape)}"
    error = relative_error(got, truth)
    assert error <= tolerance, f"{what}: relative error {error:.2e}, allowed {tolerance:.0e}"


def check_engine(engine: Engine, mixes: Sequence[Mix], shots: Sequence[Shot]) -> None:
    """Pictures depend on mix and shot alone, every mix changes them, and the base comes back bit for bit.

    Give at least two mixes of different strengths, and two shots that differ.
    """
    base = list(engine.take(None, shots))
    _check_pictures(base, None, shots)
    together = [list(engine.take(mix, shots)) for mix in mixes]
    for mix, made in zip(mixes, together, strict=True):
        _check_pictures(made, mix, shots)
        alone = [next(engine.take(mix, [shot])) for shot in reversed(shots)]
        for one, other in zip(made, reversed(alone), strict=True):
            assert _furthest(one, other) <= 1, f"seed {one.shot.seed} looks otherwise in other company"
    for number, made in enumerate(together):
        for other in (base, *together[:number]):
            pairs = zip(made, other, strict=True)
            assert any(_furthest(one, two) > 1 for one, two in pairs), "two mixes give the same pictures"
    again = list(engine.take(None, shots))
    assert all(_furthest(one, two) == 0 for one, two in zip(base, again, strict=True)), "the base did not come back"
    assert _furthest(base[0], base[1]) > 1, "two shots give the same picture"


def _check_pictures(made: Sequence[Picture], mix: Mix | None, shots: Sequence[Shot]) -> None:
    assert [picture.shot for picture in made] == list(shots), "pictures come in another order than their shots"
    for picture in made:
        told = f"{picture.pixels.dtype}, {picture.pixels.shape}"
        assert picture.mix is mix, "a picture names another mix"
        assert picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3 and str(picture.pixels.dtype) == "uint8", told
        assert picture.pixels.flags.c_contiguous, "pixels do not lie row by row, and scorers would round otherwise"
        height, width = picture.pixels.shape[:2]
        assert (picture.shot.width or width, picture.shot.height or height) == (width, height), told


def _furthest(first: Picture, second: Picture) -> int:
    return int(abs(first.pixels.astype("int16") - second.pixels.astype("int16")).max())
