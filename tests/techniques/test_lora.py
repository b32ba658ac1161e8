from __future__ import annotations

import pytest
import torch

from eleven.errors import TensorError
from eleven.techniques import lora
from eleven.testing import Case, Given, check_technique, relative_error

OUT, IN, RANK = 20, 12, 3


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def pair(*kernel: int) -> dict[str, torch.Tensor]:
    ones = [1] * len(kernel)
    return {"lora_up.weight": normal(OUT, RANK, *ones), "lora_down.weight": normal(RANK, IN, *kernel)}


def product(tensors: dict[str, torch.Tensor], strength: float = 1.0) -> torch.Tensor:
    up, down = tensors["lora_up.weight"].double(), tensors["lora_down.weight"].double()
    return strength * up.flatten(1) @ down.flatten(1)


def with_core() -> dict[str, torch.Tensor]:
    return pair(1, 1) | {"lora_mid.weight": normal(RANK, RANK, 3, 2)}


def tucker(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    up, down, core = (tensors[f"lora_{part}.weight"].double() for part in ("up", "down", "mid"))
    return torch.einsum("mnkl,im,nj->ijkl", core, up[:, :, 0, 0], down[:, :, 0, 0]).flatten(1)


def weight(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return lora.decode(tensors, Given())["weight"].dense()


def test_battery():
    linear, one, three, core = pair(), pair(1, 1), pair(3, 3), with_core()
    bias, shape = normal(OUT), torch.tensor([OUT, IN])
    check_technique(
        lora,
        [
            Case(linear, product(linear)),
            Case(linear | {"alpha": torch.tensor(2.0)}, product(linear, 2 / 3)),
            Case(one | {"alpha": torch.tensor(1)}, product(one, 1 / 3)),
            Case(three | {"alpha": torch.tensor([4.0])}, product(three, 4 / 3)),
            Case(core, tucker(core)),
            Case(linear | {"scale": torch.tensor(0.5), "alpha": torch.tensor(9.0)}, product(linear, 0.5)),
            Case(linear | {"lora_up.bias": bias, "alpha": torch.tensor(1.5)}, product(linear, 0.5), bias.double() / 2),
            Case(linear | {"reshape_weight": shape}, product(linear)),
        ],
    )


def test_shape_and_rank_are_told_by_the_header():
    assert lora.measure({"lora_up.weight": (20, 3, 1, 1), "lora_down.weight": (3, 12, 3, 3)}) == lora.Measure(
        (20, 12, 3, 3), 3
    )
    shapes = {"lora_up.weight": (20, 3, 1, 1), "lora_down.weight": (3, 12, 1, 1), "lora_mid.weight": (3, 3, 3, 2)}
    assert lora.measure(shapes) == lora.Measure((20, 12, 3, 2), 3)


@pytest.mark.parametrize(
    "alpha", [torch.tensor(2), torch.tensor(2.0), torch.tensor([2.0]), torch.tensor(2, dtype=torch.bfloat16)]
)
def test_alpha_of_any_type_and_shape_is_one_number(alpha):
    tensors = pair()
    assert relative_error(weight(tensors | {"alpha": alpha}), product(tensors, 2 / 3)) < 1e-6


@pytest.mark.parametrize(
    "alpha", [torch.ones(2), torch.ones(0), torch.tensor(float("nan")), torch.tensor(float("inf"))]
)
def test_alpha_that_is_no_number_is_refused(alpha):
    with pytest.raises(TensorError, match="alpha"):
        lora.decode(pair() | {"alpha": alpha}, Given())


def test_linear_pair_and_convolution_of_one_pixel_are_one_change():
    flat = pair()
    mixed = {"lora_up.weight": flat["lora_up.weight"][..., None, None], "lora_down.weight": flat["lora_down.weight"]}
    assert torch.equal(weight(flat), weight(mixed))


def test_split_qkv_of_kohya_follows_alpha_over_all_rows():
    parts = [(normal(4, 2), normal(2, IN) + part) for part in range(3)]
    up = torch.block_diag(*(up for up, _ in parts))
    down = torch.cat([down for _, down in parts])
    alone = torch.cat([2.0 / 2 * up.double() @ down.double() for up, down in parts])
    fused = weight({"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(2.0)})
    assert relative_error(fused, alone / 3) < 1e-6


def test_several_downs_under_one_up_are_added():
    up, downs = normal(OUT, 2), [normal(2, IN) + part for part in range(3)]
    got = weight({"lora_up.weight": up, "lora_down.weight": torch.cat(downs), "alpha": torch.tensor(3.0)})
    assert relative_error(got, 3 / 6 * sum(up.double() @ down.double() for down in downs)) < 1e-6


@pytest.mark.parametrize(("columns", "rows"), [(4, 6), (6, 3), (2, 3)])
def test_rows_that_no_fused_file_explains_are_refused(columns, rows):
    with pytest.raises(TensorError, match="contradict"):
        lora.measure({"lora_up.weight": (OUT, columns), "lora_down.weight": (rows, IN)})


@pytest.mark.parametrize("missing", ["lora_up.weight", "lora_down.weight"])
def test_missing_partner_is_named(missing):
    shapes = {"lora_up.weight": (OUT, 3), "lora_down.weight": (3, IN)}
    with pytest.raises(TensorError, match=missing):
        lora.measure({suffix: shape for suffix, shape in shapes.items() if suffix != missing})


def test_half_precision_factors_do_not_overflow_before_the_scale():
    tensors = {"lora_up.weight": torch.full((2, 1), 3e4).half(), "lora_down.weight": torch.full((1, 2), 3e4).half()}
    got = weight(tensors | {"alpha": torch.tensor(1e-8)})
    assert got.dtype == torch.float32
    assert relative_error(got, product(tensors, 1e-8)) < 1e-6


def test_padded_layer_is_refused_on_a_base_that_lacks_the_padding():
    tensors = pair() | {"reshape_weight": torch.tensor([OUT, IN])}
    assert lora.decode(tensors, Given(torch.zeros(OUT, IN)))["weight"].shape == (OUT, IN)
    with pytest.raises(TensorError, match="padded from \\[20, 6\\] to \\[20, 12\\]"):
        lora.decode(tensors, Given(torch.zeros(OUT, 6)))


@pytest.mark.parametrize("sizes", [[OUT, IN + 1], [OUT], [], [OUT, 3, 2]])
def test_padding_to_another_shape_than_the_change_is_refused(sizes):
    with pytest.raises(TensorError, match="reshape_weight"):
        lora.decode(pair() | {"reshape_weight": torch.tensor(sizes)}, Given())


def test_change_without_factors_cannot_be_written():
    change = {"weight": lora.Dense(torch.ones(3, 4))}
    with pytest.raises(TensorError, match="without factors"):
        lora.encode(change)
