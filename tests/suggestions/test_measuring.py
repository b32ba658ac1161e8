import numpy as np
import pytest
import torch
from adapters_for_tests import IN, MODULES, OUT, factors, write_full, write_lora
from safetensors.torch import save_file

from eleven.finetunes.opening import open_finetune
from eleven.suggestions.measuring import measure, modules_of
from eleven.suggestions.subspaces import Shared, shared, whitener
from models import base_tensors, one_layer, write_layer


def measured(*paths, base=None):
    tunes = [open_finetune(path, base) for path in paths]
    try:
        return measure(tunes)
    finally:
        for tune in tunes:
            tune.close()


def true_gram(paths, base=None):
    deltas = []
    for path in paths:
        with open_finetune(path, base) as tune:
            deltas.append({layer.name: delta.dense().double() for layer, delta in tune.deltas()})
    return np.array(
        [
            [sum(float((one[name] * other[name]).sum()) for name in one.keys() & other.keys()) for other in deltas]
            for one in deltas
        ]
    )


def test_inner_products_are_those_of_the_written_out_changes_for_every_technique(tmp_path):
    save_file(base_tensors("net.0.proj"), tmp_path / "base.safetensors")
    paths = [
        write_layer(tmp_path / f"{name}.safetensors", tensors)
        for name, tensors in one_layer().items()
        if name not in ("tucker", "norm")
    ]
    found = measured(*paths, base=tmp_path / "base.safetensors")
    assert np.allclose(found.gram, true_gram(paths, tmp_path / "base.safetensors"), rtol=1e-4, atol=1e-5)
    assert found.needs_base == (0,) * len(paths)
    assert np.allclose(found.blocks["all"], found.gram)


def test_order_of_files_does_not_matter(tmp_path):
    paths = [write_lora(tmp_path / f"{seed}.safetensors", factors(seed, rank=2 + seed)) for seed in range(3)]
    one, other = measured(*paths), measured(*paths[::-1])
    assert np.allclose(one.gram, np.array(other.gram)[::-1, ::-1])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        pair, same = one.pair(first, second), other.pair(2 - first, 2 - second)
        assert pair.cosine == pytest.approx(same.cosine)
        assert pair.inputs.share == pytest.approx(same.inputs.share)
        assert pair.outputs.expected == pytest.approx(same.outputs.expected)


def test_a_model_turned_up_has_a_larger_norm_and_nothing_else_changes(tmp_path):
    still, plain = factors(0), factors(1)
    louder = {name: (3 * up, down) for name, (up, down) in plain.items()}
    paths = [
        write_lora(tmp_path / f"{name}.safetensors", found)
        for name, found in (("a", still), ("b", plain), ("c", louder))
    ]
    found = measured(*paths)
    assert found.norms[2] == pytest.approx(3 * found.norms[1], rel=1e-5)
    one, other = found.pair(0, 1), found.pair(0, 2)
    assert other.cosine == pytest.approx(one.cosine, rel=1e-5)
    assert other.spread == pytest.approx(one.spread, rel=1e-5)
    assert other.inputs.share == pytest.approx(one.inputs.share, rel=1e-5)
    assert other.outputs.share == pytest.approx(one.outputs.share, rel=1e-5)


def test_one_change_in_three_techniques_is_one_change(tmp_path):
    """A Kronecker product is a LoRA and a full difference too."""
    draw = np.random.default_rng(0)
    small, large = draw.standard_normal((4, 2)), draw.standard_normal((12, 16))
    whole = np.kron(small, large)
    left, sizes, right = np.linalg.svd(whole, full_matrices=False)
    lora = write_lora(tmp_path / "a.safetensors", {"net.0.proj": (left * sizes, right)})
    full = write_full(tmp_path / "b.safetensors", {"net.0.proj": (left * sizes, right)})
    lokr = tmp_path / "c.safetensors"
    told = {"lokr_w1": small, "lokr_w2": large}
    save_file({f"net.0.proj.{name}": torch.tensor(one, dtype=torch.float32) for name, one in told.items()}, lokr)
    other = write_lora(tmp_path / "d.safetensors", factors(5, modules=("net.0.proj",)))
    found = np.array(measured(lora, full, lokr, other).gram)
    assert np.allclose(found[:3, :3], (whole * whole).sum(), rtol=1e-5)
    assert np.allclose(found[:3, 3], found[0, 3], rtol=1e-3, atol=1e-3)


def test_chance_levels_are_those_of_random_models(tmp_path):
    draws = [
        measured(
            *(write_lora(tmp_path / f"{side}.safetensors", factors(2 * seed + side, rank=6 + side)) for side in (0, 1))
        )
        for seed in range(60)
    ]
    pairs = [one.pair(0, 1) for one in draws]
    inputs, outputs = (np.mean([getattr(one, name).share for one in pairs]) for name in ("inputs", "outputs"))
    assert pairs[0].inputs.expected == pytest.approx(7 / IN)
    assert pairs[0].outputs.expected == pytest.approx(7 / OUT)
    assert inputs == pytest.approx(7 / IN, rel=0.05)
    assert outputs == pytest.approx(7 / OUT, rel=0.05)
    assert np.std([one.cosine for one in pairs]) == pytest.approx(pairs[0].spread, rel=0.3)
    assert abs(np.mean([one.inputs.beyond for one in pairs])) < 0.02


def test_equal_inputs_are_wholly_shared_however_they_are_mixed(tmp_path):
    first = factors(0)
    turn = np.random.default_rng(1).standard_normal((4, 4))
    turned = {name: (up, turn @ first[name][1]) for name, (up, _) in factors(9).items()}
    pair = measured(write_lora(tmp_path / "a.safetensors", first), write_lora(tmp_path / "b.safetensors", turned)).pair(
        0, 1
    )
    assert pair.inputs.share == pytest.approx(1, abs=1e-3)
    assert pair.inputs.beyond == pytest.approx(1, abs=1e-3)
    assert pair.outputs.share < 0.3


def test_untrained_and_lopsided_factors_are_borne(tmp_path):
    dead = {name: (0 * up, down) for name, (up, down) in factors(0).items()}
    flat = {name: (np.repeat(up[:, :1], 4, axis=1), down) for name, (up, down) in factors(1).items()}
    found = measured(write_lora(tmp_path / "a.safetensors", dead), write_lora(tmp_path / "b.safetensors", flat))
    assert found.norms[0] == 0
    pair = found.pair(0, 1)
    assert (pair.cosine, pair.spread, pair.outputs.share) == (0, 0, 0)
    assert pair.inputs.most == 4 * len(MODULES)


def test_layers_of_one_model_only_count_for_it(tmp_path):
    one = write_lora(tmp_path / "a.safetensors", factors(0))
    other = write_lora(tmp_path / "b.safetensors", factors(1, modules=MODULES[:1]))
    found = measured(one, other)
    assert found.layers == (3, 1)
    assert found.pair(0, 1).layers == 1
    assert np.allclose(found.gram, true_gram([one, other]), rtol=1e-4)


def test_what_needs_a_base_or_is_no_number_is_counted_and_left_out(tmp_path):
    dora = write_layer(tmp_path / "dora.safetensors", one_layer()["dora"])
    broken = factors(0, modules=("net.0.proj", "net.1.proj"))
    broken["net.1.proj"][0][0, 0] = np.nan
    found = measured(dora, write_lora(tmp_path / "b.safetensors", broken))
    assert (found.needs_base, found.failed, found.layers) == ((1, 0), (0, 1), (0, 1))
    assert np.isfinite(found.gram).all()


def test_progress_is_told_once_a_module(tmp_path):
    steps = []
    with open_finetune(write_lora(tmp_path / "a.safetensors", factors(0))) as tune:
        measure([tune], lambda: steps.append(1))
        assert len(steps) == len(modules_of([tune])) == 3


def test_shared_directions_add_up():
    both = Shared(2, 1, 4) + Shared(1, 1, 2)
    assert (both.share, both.expected) == (0.5, pytest.approx(1 / 3))
    assert both.beyond == pytest.approx(0.25)
    assert (Shared().share, Shared().expected, Shared().beyond) == (0, 0, 0)


def test_numbers_too_large_to_square_share_nothing():
    assert whitener(np.full((2, 2), np.inf)).shape == (2, 0)
    assert shared(np.ones((2, 1)), whitener(np.full((2, 2), np.inf)), whitener(np.ones((1, 1))), 8) == Shared()
