"""Spectra against those of dense arithmetic; planted directions are found, and none where nothing is changed."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from eleven.amplification.meter import collapse_of
from eleven.amplification.spectra import leading, spectrum_of
from eleven.delta import Dense, LowRank
from eleven.errors import TensorError
from eleven.finetunes.checkpoint import open_checkpoint
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix, Part
from models import base_tensors, write_layer


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def falling(rows, columns, seed=0):
    """A matrix with singular values like 1/√i."""
    up, down = (
        torch.linalg.qr(normal(size, min(rows, columns), seed=seed + at)).Q for at, size in enumerate((rows, columns))
    )
    return up / torch.arange(1, min(rows, columns) + 1).sqrt() @ down.T


@pytest.mark.parametrize("shape", [(20, 300), (200, 150), (300, 900)])
def test_leading_directions_are_those_of_the_svd(shape):
    matrix = falling(*shape)
    vectors, values = leading(Dense(matrix))
    both = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(values[:10].float(), both.S[:10], rtol=1e-3, atol=0)
    assert ((vectors[:, :10] * both.U[:, :10]).sum(0).abs() > 0.99).all()


@pytest.mark.parametrize("thin", [True, False])
def test_the_ratio_is_that_of_the_spectral_norms(thin):
    weight, change = falling(160, 120), LowRank(normal(160, 4, seed=5), normal(4, 120, seed=6) * 0.01)
    found = spectrum_of("x", weight, change if thin else Dense(change.dense()))
    exact = torch.linalg.matrix_norm(change.dense(), 2) / torch.linalg.matrix_norm(weight, 2)
    assert found.ratio == pytest.approx(float(exact), rel=1e-3)


def test_planted_directions_are_counted_and_no_change_has_none():
    weight = falling(256, 256)
    assert spectrum_of("x", weight, Dense(weight * 0)).intruders == 0
    assert spectrum_of("x", weight, Dense(weight * 0.5)).intruders == 0
    planted = torch.linalg.qr(normal(256, 3, seed=9)).Q
    assert spectrum_of("x", weight, LowRank(planted * 5, planted.T.contiguous())).intruders == 3
    assert spectrum_of("x", weight, LowRank(planted * 0.01, planted.T.contiguous())).intruders == 0


def test_narrow_layers_have_a_ratio_but_no_count_of_directions():
    found = spectrum_of("x", falling(16, 300), Dense(normal(16, 300, seed=1)))
    assert found.intruders is None
    assert found.ratio > 0
    assert spectrum_of("x", torch.zeros(8, 8), Dense(torch.ones(8, 8))).ratio == float("inf")
    assert spectrum_of("x", torch.zeros(8, 8), Dense(torch.zeros(8, 8))).ratio == 0


@pytest.mark.parametrize("where", ["base", "change"])
def test_nan_is_told(where):
    weight, change = falling(80, 80), normal(80, 80, seed=1)
    (weight if where == "base" else change)[3, 3] = float("nan")
    with pytest.raises(TensorError, match="net x holds NaN"):
        spectrum_of("net x", weight, Dense(change))


def test_a_base_adds_the_spectra_to_a_reading(tmp_path):
    save_file(base_tensors("net.0.proj"), tmp_path / "base.safetensors")
    tensors = {"lora_up.weight": normal(16, 2, seed=1), "lora_down.weight": normal(2, 8, seed=2)}
    path = write_layer(tmp_path / "a.safetensors", tensors, prefixes=("net.0.proj",))
    steps = []
    with open_checkpoint(tmp_path / "base.safetensors") as base, open_finetune(path) as one:
        found = collapse_of(Mix(parts=(Part(file="a", strength=0.5),)), [one], base, progress=steps.append).spectra
    weight = base_tensors("net.0.proj")["net.0.proj.weight"]
    change = 0.5 * tensors["lora_up.weight"] @ tensors["lora_down.weight"]
    exact = float(torch.linalg.matrix_norm(change, 2) / torch.linalg.matrix_norm(weight, 2))
    assert (found.ratio, found.highest) == (pytest.approx(exact, rel=1e-4), pytest.approx(exact, rel=1e-4))
    assert (found.where, found.intruders, steps) == ("net.0.proj.weight", 0.0, [1, 1])


def test_a_base_without_the_layers_is_refused(tmp_path):
    save_file(base_tensors("other.0.proj"), tmp_path / "base.safetensors")
    tensors = {"lora_up.weight": normal(16, 2, seed=1), "lora_down.weight": normal(2, 8, seed=2)}
    path = write_layer(tmp_path / "a.safetensors", tensors, prefixes=("net.0.proj",))
    with (
        open_checkpoint(tmp_path / "base.safetensors") as base,
        open_finetune(path) as one,
        pytest.raises(TensorError, match="has no matrix that the mix changes"),
    ):
        collapse_of(Mix(parts=(Part(file="a"),)), [one], base)
