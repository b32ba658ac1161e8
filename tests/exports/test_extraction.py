"""The difference of two checkpoints as an adapter, against the dense optimum, and signs of a wrong base."""

from __future__ import annotations

from math import prod

import pytest
import torch
from files_for_tests import REAL, normal, read, relative, save, sd1_base, stored_change

from eleven.compress import Target
from eleven.errors import BaseNeeded, FamilyMismatch, TensorError, UsageError
from eleven.exports.baking import Request, bake
from eleven.exports.extraction import Extraction, extract, suspicious
from eleven.exports.forms import Form
from eleven.kronecker import nearest_kronecker
from eleven.layers.dialect import spell
from eleven.layers.family import family
from eleven.mix import Mix, Part
from eleven.techniques import decode
from eleven.testing import Given

SD1 = family("sd1")
PREFIXES = {name: spell(SD1, name, "kohya") for name in REAL}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A base and what low-rank training with some noise made of it."""
    folder = tmp_path_factory.mktemp("two")
    base, tuned, moved = sd1_base(), sd1_base(), {}
    for name, shape in REAL.items():
        rows, columns = shape[0], prod(shape[1:])
        change = normal(rows, 6, seed=5, size=0.1) @ normal(6, columns, seed=6, size=0.1)
        tuned[f"{name}.weight"] = tuned[f"{name}.weight"] + (
            change + normal(rows, columns, seed=7, size=0.001)
        ).reshape(shape)
        moved[name] = tuned[f"{name}.weight"].double() - base[f"{name}.weight"].double()
    return save(folder / "tuned.safetensors", tuned), save(folder / "base.safetensors", base), moved


def run(two, to, form):
    proof = extract(Extraction(two[0], two[1], to, form))
    return proof, read(to)


@pytest.mark.parametrize("rank", [4, 16])
def test_rank_is_as_near_as_the_dense_optimum(two, tmp_path, rank):
    proof, found = run(two, tmp_path / "out.safetensors", Form(Target(rank), dtype="fp32"))
    assert len(proof.layers) == len(REAL)
    for name, truth in two[2].items():
        optimum = float(torch.linalg.svdvals(truth.flatten(1))[rank:].norm() / truth.norm())
        kept = min(rank, *truth.flatten(1).shape)
        assert len(found[f"{PREFIXES[name]}.lora_down.weight"]) == kept
        error = relative(stored_change(found, PREFIXES[name]), truth)
        assert error <= 1.0005 * optimum + 1e-6
        told = next(layer for layer in proof.layers if layer.layer == f"{PREFIXES[name]}.weight")
        assert told.error == pytest.approx(error, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("shape", "rank"), [((320, 320), 64), ((128, 3000), 20)])
def test_noise_which_has_no_leading_directions_is_as_near_as_the_dense_optimum(tmp_path, shape, rank):
    base, moved = normal(*shape, seed=1), normal(*shape, seed=2)
    files = [
        save(tmp_path / f"{at}.safetensors", {"x.weight": tensor}) for at, tensor in enumerate((base + moved, base))
    ]
    extract(Extraction(files[0], files[1], tmp_path / "out.safetensors", Form(Target(rank), dtype="fp32")))
    truth = (base + moved).double() - base.double()
    optimum = float(torch.linalg.svdvals(truth)[rank:].norm() / truth.norm())
    assert relative(stored_change(read(tmp_path / "out.safetensors"), "x"), truth) <= 1.0005 * optimum


def test_energy_takes_the_rank_that_training_had(two, tmp_path):
    _, found = run(two, tmp_path / "out.safetensors", Form(Target(320, 0.98), dtype="fp32"))
    for name, truth in two[2].items():
        shares = torch.linalg.svdvals(truth.flatten(1)).square().cumsum(0) / truth.square().sum()
        assert len(found[f"{PREFIXES[name]}.lora_down.weight"]) == int((shares < 0.98).sum()) + 1


def test_lokr_is_the_nearest_kronecker_product(two, tmp_path):
    proof, found = run(two, tmp_path / "out.safetensors", Form(None, dtype="fp32", technique="lokr"))
    for name, truth in two[2].items():
        tensors = {
            key.removeprefix(f"{PREFIXES[name]}."): tensor for key, tensor in found.items() if PREFIXES[name] in key
        }
        got = decode(tensors, Given())["weight"].dense()
        kernel = prod(truth.shape[2:])
        first, second = nearest_kronecker(truth.flatten(1), kernel=kernel)
        optimum = relative(torch.kron(first.matrix, second.matrix), truth)
        assert relative(got, truth) == pytest.approx(optimum, rel=1e-5)
    assert {layer.form for layer in proof.layers} == {"kronecker"}
    small, _ = run(two, tmp_path / "small.safetensors", Form(Target(4), dtype="fp32", technique="lokr"))
    assert small.error >= proof.error - 1e-6
    assert (tmp_path / "small.safetensors").stat().st_size < 0.9 * (tmp_path / "out.safetensors").stat().st_size


def test_two_checkpoints_alike_are_nothing_to_write(two, tmp_path):
    with pytest.raises(UsageError, match=r"the two models are equal: copy\.safetensors .*Is this the right base"):
        extract(
            Extraction(save(tmp_path / "copy.safetensors", sd1_base()), two[1], tmp_path / "out.safetensors", Form())
        )
    assert not (tmp_path / "out.safetensors").exists()


def test_checkpoint_needs_its_base_and_one_that_fits(two, tmp_path):
    mix, to = Mix(parts=(Part(file=str(two[0])),)), tmp_path / "out.safetensors"
    with pytest.raises(BaseNeeded, match=r"tuned\.safetensors is a whole model.*Use --base MODEL"):
        bake(mix, Request(to))
    other = save(tmp_path / "other.safetensors", {"net.0.weight": normal(4, 4), "net.0.bias": normal(4)})
    with pytest.raises(
        FamilyMismatch, match=r"tuned\.safetensors is for Stable Diffusion 1, other\.safetensors is not"
    ):
        bake(mix, Request(to, base=other))
    wide = sd1_base() | {"unet.conv_in.weight": normal(320, 9, 3, 3)}
    with pytest.raises(TensorError, match=r"unet\.conv_in\.weight is \[320, 9, 3, 3\].*inpainting"):
        extract(Extraction(save(tmp_path / "wide.safetensors", wide), two[1], to, Form()))
    assert not to.exists()


def decoder(seed, size):
    layers = SD1.components[2].layers().values()
    small = sorted(layers, key=lambda layer: prod(layer.shape))[: int(0.6 * len(layers))]
    return {
        layer.name: 1 + normal(*layer.shape, seed=1) + normal(*layer.shape, seed=seed, size=size) for layer in small
    }


def test_wrong_base_is_told_by_its_picture_decoder(two, tmp_path):
    base = save(tmp_path / "base.safetensors", sd1_base() | decoder(2, 0.0))
    rounded = {name: tensor.half() for name, tensor in (sd1_base() | decoder(2, 0.0)).items()}
    assert suspicious(save(tmp_path / "half.safetensors", rounded), base) == []
    assert suspicious(*two[:2]) == []
    (told,) = suspicious(save(tmp_path / "other.safetensors", sd1_base() | decoder(3, 0.2)), base)
    assert "sampled layers of the picture decoder differ" in told
    assert "base.safetensors may not be the base of other.safetensors" in told
