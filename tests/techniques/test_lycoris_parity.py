"""Every technique against the live forward of lycoris-lora 4.1.3, which is right where its merge is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from eleven.techniques import decode, measure
from eleven.techniques.technique import shapes_of
from eleven.testing import Given, check_delta

pytest.importorskip("lycoris")
from lycoris.modules import glora, ia3, locon, loha, lokr, norms, tlora
from lycoris.modules.dylora import DyLoraModule
from lycoris.modules.full import FullModule

BASES = {
    "linear": lambda: nn.Linear(24, 36),
    "conv 1x1": lambda: nn.Conv2d(24, 36, 1),
    "conv 3x3": lambda: nn.Conv2d(24, 36, 3),
}
FACTORED = (
    {"alpha": 4},
    {"alpha": 1},
    {"alpha": None},
    {"alpha": torch.tensor(2)},
    {"use_scalar": True, "alpha": 3},
    {"rs_lora": True, "alpha": 2},
    {"use_tucker": True, "alpha": 2},
    {"use_tucker": True, "rs_lora": True, "use_scalar": True, "alpha": 2},
    {"weight_decompose": True, "alpha": 2},
    {"weight_decompose": True, "wd_on_out": False, "use_tucker": True, "alpha": 2},
)
KRONECKER = (
    *({"lora_dim": 2, **options} for options in FACTORED),
    {"decompose_both": True, "unbalanced_factorization": True, "factor": 4, "alpha": 3},
    {"decompose_both": True, "factor": 12, "alpha": 2},
    {"decompose_both": True, "use_tucker": True, "lora_dim": 1, "alpha": 0.5},
    {"full_matrix": True, "alpha": 1},
    {"factor": 2, "alpha": 1},
    {"factor": 8, "lora_dim": 100, "alpha": 7},
    {"unbalanced_factorization": True, "factor": 4, "alpha": 2},
    {"decompose_both": True, "factor": 12, "lora_dim": 5, "full_matrix": False, "alpha": 2},
)
MODULES = {
    "lora": (locon.LoConModule, FACTORED),
    "loha": (loha.LohaModule, FACTORED),
    "lokr": (lokr.LokrModule, KRONECKER),
    "glora": (
        glora.GLoRAModule,
        tuple(options for options in FACTORED if not {"rs_lora", "weight_decompose"} & options.keys()),
    ),
    "ia3": (ia3.IA3Module, ({"train_on_input": False}, {"train_on_input": True})),
}
CASES = [
    pytest.param(cls, base, options, id=f"{name}-{base}-{options}")
    for name, (cls, all_options) in MODULES.items()
    for base in BASES
    for options in all_options
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randomised(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return module.requires_grad_(False).eval()


def saved(module: nn.Module) -> dict[str, torch.Tensor]:
    return {suffix: tensor.detach().clone() for suffix, tensor in module.state_dict().items()}


def effective(forward, base: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (out, in·kh·kw) and bias of what `forward` adds to the base, from unit impulses in float64."""
    shape = base.weight.shape[1:]
    impulses = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape)
    nothing = torch.zeros(1, *shape, dtype=torch.float64)
    with torch.no_grad():
        bias = (forward(nothing) - base(nothing)).flatten()
        columns = (forward(impulses) - base(impulses)).flatten(1) - bias
    return columns.T, bias


def compare(tensors: dict[str, torch.Tensor], base: nn.Module, truth: torch.Tensor) -> None:
    weight, bias = base.weight.detach().float(), base.bias.detach().float()
    original = Given(weight, bias)
    check_delta(decode(tensors, original)["weight"], truth)
    rows, columns = measure(shapes_of(tensors)).matrix
    assert rows in {None, truth.shape[0]}
    assert columns in {None, truth.shape[1]}


@pytest.mark.parametrize(("cls", "base_name", "options"), CASES)
def test_change_is_what_the_live_module_adds(cls, base_name, options):
    base = BASES[base_name]().requires_grad_(False)
    module = randomised(cls("layer", base, **{"lora_dim": 4, **options}))
    tensors = saved(module)
    base.double(), module.double()
    truth, _ = effective(module, base)
    assert truth.norm() > 1e-3
    compare(tensors, base, truth)


def test_options_cover_every_form_of_lokr():
    forms = set()
    for base_name in BASES:
        for options in KRONECKER:
            module = lokr.LokrModule("layer", BASES[base_name](), **{"lora_dim": 4, **options})
            forms |= {frozenset(module.state_dict()) - {"alpha", "dora_scale"}}
    first = [{"lokr_w1"}, {"lokr_w1_a", "lokr_w1_b"}]
    second = [{"lokr_w2"}, {"lokr_w2_a", "lokr_w2_b"}, {"lokr_w2_a", "lokr_w2_b", "lokr_t2"}]
    wanted = {frozenset(one | two) for one in first for two in second}
    assert forms == wanted


@pytest.mark.parametrize("base_name", BASES)
def test_dylora_saves_an_ordinary_lora_over_its_rows(base_name):
    base = BASES[base_name]().requires_grad_(False)
    module = randomised(DyLoraModule("layer", base, lora_dim=8, block_size=4, alpha=2))
    tensors = saved(module)
    up, down = (torch.cat(list(parts), dim=dim) for parts, dim in ((module.up_list, 1), (module.down_list, 0)))
    assert set(tensors) == {"lora_up.weight", "lora_down.weight", "alpha"}
    compare(tensors, base, 2 / 8 * up.double() @ down.double())


def restart_in_float64(module: nn.Module, weight: torch.Tensor, kind: str) -> None:
    left, sizes, right = torch.linalg.svd(weight, full_matrices=False)
    first = {"principal": 0, "last": len(sizes) - 4, "middle": (len(sizes) - 4) // 2}[kind]
    part = slice(first, first + 4)
    start = module.base_p.flatten(1) * module.base_lambda @ module.base_q.flatten(1)
    exact = left[:, part] * sizes[part] @ right[part]
    assert (start - exact).norm() < 1e-5 * exact.norm()
    module.base_p.copy_(left[:, part].view_as(module.base_p))
    module.base_q.copy_(right[part].view_as(module.base_q))
    module.base_lambda.copy_(sizes[None, part])


@pytest.mark.parametrize("kind", ["principal", "last", "middle"])
@pytest.mark.parametrize("base_name", ["linear", "conv 1x1"])
def test_tlora_is_what_the_live_module_adds_without_its_mask(kind, base_name):
    base = BASES[base_name]().double().requires_grad_(False)
    module = tlora.TLoraModule("layer", base, lora_dim=4, alpha=2, sig_type=kind)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.1 * parameter.norm() / parameter.numel() ** 0.5)
    module.requires_grad_(False).double()
    restart_in_float64(module, base.weight.flatten(1), kind)
    truth, _ = effective(module.bypass_forward, base)
    original = Given(base.weight.detach(), None)
    tensors = {suffix: tensor.double() for suffix, tensor in saved(module).items()}
    assert set(tensors) == {"q_layer.weight", "p_layer.weight", "lambda_layer", "alpha"}
    check_delta(decode(tensors, original)["weight"], truth)


def test_tlora_on_a_larger_kernel_does_not_run_in_lycoris():
    base = BASES["conv 3x3"]()
    module = tlora.TLoraModule("layer", base, lora_dim=4)
    with pytest.raises(RuntimeError):
        module(torch.randn(1, 24, 5, 5))


@pytest.mark.parametrize("base_name", BASES)
def test_full_is_diff_of_weight_and_bias(base_name):
    base = BASES[base_name]().requires_grad_(False)
    module = randomised(FullModule("layer", base))
    tensors = {"diff": module.weight.clone(), "diff_b": module.bias.clone()}
    base.double(), module.double()
    module.org_bias = [base.bias.clone()]
    module._org_weight = [base.weight.clone()]
    truth, bias = effective(module, base)
    change = decode(tensors, Given())
    check_delta(change["weight"], truth)
    check_delta(change["bias"], bias[:, None])


def test_norm_is_the_change_of_both_parameters():
    module = randomised(norms.NormModule("layer", nn.GroupNorm(4, 24)))
    tensors = saved(module)
    weight, bias = module.get_diff_weight()
    change = decode(tensors, Given())
    check_delta(change["weight"], weight.double()[:, None])
    check_delta(change["bias"], bias.double()[:, None])


@pytest.mark.parametrize(("cls", "ratio"), [(loha.LohaModule, 0.25), (lokr.LokrModule, 0.25), (locon.LoConModule, 1.0)])
def test_lycoris_merge_has_the_scale_twice_and_eleven_has_it_once(cls, ratio):
    base = nn.Linear(24, 36).requires_grad_(False)
    module = randomised(cls("layer", base, lora_dim=4, alpha=1, factor=4))
    merged = module.get_diff_weight()[0].double().view(36, -1)
    ours = decode(saved(module), Given())["weight"].dense()
    torch.testing.assert_close(merged.float(), ours * ratio)


def test_rs_lora_is_lost_in_a_stored_glora():
    base = nn.Linear(24, 36).requires_grad_(False)
    module = randomised(glora.GLoRAModule("layer", base, lora_dim=4, alpha=2, rs_lora=True))
    live = module.get_diff_weight()[0]
    ours = decode(saved(module), Given(base.weight))["weight"].dense()
    torch.testing.assert_close(live, ours * 2)


def test_rs_lora_is_lost_in_a_stored_lokr_of_two_whole_factors():
    base = nn.Linear(24, 36).requires_grad_(False)
    module = randomised(lokr.LokrModule("layer", base, lora_dim=4, alpha=2, rs_lora=True, full_matrix=True))
    ours = decode(saved(module), Given())["weight"].dense()
    torch.testing.assert_close(module.get_weight((36, 24)), ours * 2)
