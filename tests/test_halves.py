import numpy as np
import pytest
import torch

from eleven.halves import narrow, single, widen
from eleven.raw import Raw, empty

TORCH = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}
ALL = np.arange(1 << 16, dtype=np.uint16)


def numbers(dtype: str) -> np.ndarray:
    """All finite numbers of the type, the middles between them, their neighbours, and a million others."""
    bits = torch.from_numpy(ALL.copy()).view(TORCH[dtype] if dtype != "F32" else torch.float16).double().numpy()
    known = np.sort(bits[np.isfinite(bits)])
    middles = ((known[1:] + known[:-1]) / 2).astype(np.float32)
    beside = [np.nextafter(middles, np.float32(sign * np.inf)) for sign in (-1, 1)]
    others = np.random.default_rng(0).integers(0, 1 << 32, 1_000_000, dtype=np.uint64).astype(np.uint32)
    found = np.concatenate([known.astype(np.float32), middles, *beside, others.view(np.float32)])
    return found[torch.from_numpy(found).to(TORCH[dtype]).isfinite().numpy()]


@pytest.mark.parametrize("dtype", TORCH)
def test_numbers_are_rounded_as_by_torch(dtype):
    given = numbers(dtype)
    rounded = narrow(given, dtype)
    assert rounded is not None
    truth = torch.from_numpy(given).to(TORCH[dtype])
    assert bytes(rounded.data) == bytes(truth.view(torch.uint8).numpy().data)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_every_finite_number_is_widened_exactly(dtype):
    truth = torch.from_numpy(ALL.copy()).view(TORCH[dtype])
    truth = truth[truth.isfinite()]
    out = np.empty((2, len(truth) // 2), np.float32)
    assert widen(Raw(dtype, truth.view(torch.uint16).numpy()), 1.0, out)
    assert bytes(out.data) == bytes(truth.float().numpy().data)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_neither_read_nor_written(dtype, bad):
    values = torch.tensor([[1.0, bad]], dtype=TORCH[dtype])
    bits = values.numpy() if dtype == "F32" else values.view(torch.uint16).numpy()
    assert not widen(Raw(dtype, bits), 1.0, np.empty((1, 2), np.float32))
    assert narrow(values.float().numpy(), dtype) is None


def test_what_would_be_rounded_to_infinity_is_not_written():
    assert narrow(np.array([65519.0], np.float32), "F16") is not None
    assert narrow(np.array([65520.0], np.float32), "F16") is None
    assert narrow(np.array([3.4e38], np.float32), "BF16") is None


def test_strength_is_applied_into_a_part_of_a_matrix():
    out = np.zeros((2, 4), np.float32)
    halves = narrow(np.array([[1.0, -2.0], [0.5, 6e-8]], np.float32), "F16")
    assert halves is not None
    assert widen(halves, -0.5, out[:, 2:])
    assert out.tolist() == [[0, 0, -0.5, 1.0], [0, 0, -0.25, -(2.0**-25)]]
    assert not widen(halves, 1e30, out[:, 2:])


def test_a_single_number():
    assert single(Raw("F16", np.array(0x4400, np.uint16))) == 4.0
    assert single(Raw("F32", np.array([8.0], np.float32))) == 8.0
    assert single(Raw("F32", np.zeros(2, np.float32))) is None
    assert single(Raw("F16", np.array(0x7C00, np.uint16))) is None


def test_room_shares_its_bytes_and_is_for_three_types():
    raw = empty("F16", (2, 3))
    assert raw is not None
    raw.data[:] = bytes(range(12))
    assert raw.values[0, 0] == 0x0100
    assert empty("I64", (2,)) is None
