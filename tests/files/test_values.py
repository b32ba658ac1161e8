"""NaN, infinity and zeros found from bits agree with torch for every type, at every place in a tensor."""

import pytest
import torch

from eleven.files.dtypes import TORCH
from eleven.files.pickled import PickledFile
from eleven.files.safetensors import SafetensorsFile
from eleven.files.values import CHUNK, FIRST_NOT_FINITE, Values, scan_values
from eleven.files.writer import write_safetensors


def scanned(tmp_path, tensors):
    write_safetensors(tmp_path / "a.safetensors", tensors, force=True)
    with SafetensorsFile(tmp_path / "a.safetensors") as file:
        return dict(scan_values(file))


def every_pattern(dtype):
    """Each bit pattern of a narrow type; for wider ones the ends of the range, and numbers near infinity."""
    kind, bits = getattr(torch, TORCH[dtype]), {"F64": 64, "F32": 32}.get(dtype, 8 if dtype.startswith("F8") else 16)
    if bits <= 16:
        whole = torch.arange(1 << bits, dtype=torch.int32).to(torch.uint8 if bits == 8 else torch.uint16)
        return whole.view(kind)
    largest, least = torch.finfo(kind).max, torch.finfo(kind).tiny
    inf, nan = float("inf"), float("nan")
    return torch.tensor([0.0, -0.0, largest, -largest, least, -least, inf, -inf, nan, -nan, 1, -1], dtype=kind)


@pytest.mark.parametrize("dtype", FIRST_NOT_FINITE)
def test_every_bit_pattern_is_judged_as_torch_does(tmp_path, dtype):
    patterns = every_pattern(dtype)
    patterns = patterns[:: max(1, len(patterns) // 2000)] if len(patterns) > 300 else patterns
    extremes = every_pattern(dtype)[torch.randperm(len(every_pattern(dtype)))[:300]]
    tensors = {str(number): one.reshape(1) for number, one in enumerate([*patterns, *extremes])}
    for key, values in scanned(tmp_path, tensors).items():
        plain = tensors[key].double()
        assert values == Values(bool(plain.isfinite()), bool(plain == 0)), tensors[key]


@pytest.mark.parametrize("dtype", FIRST_NOT_FINITE)
@pytest.mark.parametrize("place", [0, 1, CHUNK // 8 - 1, CHUNK // 8, CHUNK + 5, -1])
def test_one_bad_number_is_found_wherever_it_is(tmp_path, dtype, place):
    tensor = torch.zeros(CHUNK + 999).to(getattr(torch, TORCH[dtype]))
    tensors = {"good": tensor, "one": tensor.clone(), "nan": tensor.clone()}
    tensors["one"][place], tensors["nan"][place] = 1, float("nan")
    assert scanned(tmp_path, tensors) == {
        "good": Values(True, True),
        "one": Values(True, False),
        "nan": Values(False, False),
    }


@pytest.mark.parametrize("dtype", ["I64", "I8", "U8", "BOOL", "U16"])
def test_whole_numbers_are_finite(tmp_path, dtype):
    ones, zeros = (make(5).to(getattr(torch, TORCH[dtype])) for make in (torch.ones, torch.zeros))
    assert scanned(tmp_path, {"a": ones, "b": zeros}) == {"a": Values(True, False), "b": Values(True, True)}


def test_rare_types_are_not_judged_finite(tmp_path):
    tensor = torch.zeros(4).to(torch.float8_e4m3fnuz)
    assert scanned(tmp_path, {"a": tensor}) == {"a": Values(None, True)}


def test_nothing_is_zero_and_finite(tmp_path):
    assert scanned(tmp_path, {"a": torch.zeros(0, 3)}) == {"a": Values(True, True)}


def test_pickles_are_scanned_too(tmp_path):
    tree = {"a": torch.ones(3, 4).T, "b": torch.tensor(float("inf"))}
    torch.save(tree, tmp_path / "a.pt")
    with PickledFile(tmp_path / "a.pt") as file:
        assert dict(scan_values(file)) == {"a": Values(True, False), "b": Values(False, False)}
