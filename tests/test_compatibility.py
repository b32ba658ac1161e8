"""What cannot be mixed is refused with the files' names: words of other models, strengths that would be ignored."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch
from safetensors.torch import save_file

from eleven.combination import combine
from eleven.compatibility import encoder_widths
from eleven.errors import FamilyMismatch, UsageError
from eleven.finetunes.opening import open_finetune
from eleven.layers.family import FAMILIES
from eleven.mix import Mix, Part
from test_combination import adapter


@pytest.fixture
def mixed():
    """Combines files with the fields of their parts; equal files have equal hashes."""
    with ExitStack() as stack:

        def act(*pairs, **more):
            tunes = [stack.enter_context(open_finetune(path)) for path, _ in pairs]
            parts = tuple(Part(file=path.name, sha256=path.stem, **fields) for path, fields in pairs)
            return combine(Mix(parts=parts, **more), tunes)

        yield act


def embedding(folder, name, *widths):
    keys = ["emb_params"] if len(widths) == 1 else ["clip_l", "clip_g"]
    path = folder / f"{name}.safetensors"
    save_file({key: torch.ones(2, width) for key, width in zip(keys, widths, strict=True)}, path)
    return path


@pytest.mark.parametrize("widths", [(1024,), (1280,), (768, 1280)])
def test_words_that_the_text_encoder_cannot_hold_are_refused(tmp_path, mixed, widths):
    pairs = [(adapter(tmp_path / "a.safetensors", 1), {}), (embedding(tmp_path, "toy", *widths), {})]
    for order in (pairs, pairs[::-1]):
        with pytest.raises(
            FamilyMismatch, match=r"toy\.safetensors teaches .* a\.safetensors is for Stable Diff.*768\."
        ):
            mixed(*order)


def test_words_that_fit_are_mixed(tmp_path, mixed):
    found = mixed((adapter(tmp_path / "a.safetensors", 1), {}), (embedding(tmp_path, "toy", 768), {}))
    assert len(found.parts) == 2


@pytest.mark.parametrize(("first", "second", "fits"), [
    ((768,), (1024,), False), ((1024,), (768, 1280), False), ((768,), (768, 1280), True), ((1024,), (1024,), True),
    ((2304,), (2304,), True),
])  # fmt: skip
def test_words_of_one_mix_fit_one_family(tmp_path, mixed, first, second, fits):
    pairs = ((embedding(tmp_path, "one", *first), {}), (embedding(tmp_path, "two", *second), {}))
    if fits:
        assert len(mixed(*pairs).parts) == 2
        return
    with pytest.raises(FamilyMismatch, match=r"one\.safetensors .*two\.safetensors"):
        mixed(*pairs)


def test_families_tell_the_widths_of_their_text_encoders():
    told = {family.name: set(encoder_widths(family)) for family in FAMILIES}
    assert (told["sd1"], told["sd2"], told["sdxl"]) == ({768}, {1024}, {768, 1280})
    assert (told["flux"], told["sd3"], told["qwen-image"]) == ({768, 4096}, {768, 1280, 4096}, set())


@pytest.mark.parametrize("fields", [{"strength": 0.5}, {"at": {"te": 0.5}}, {"strength": 0, "at": {"te": 1}}])
def test_an_embedding_takes_no_strength(tmp_path, mixed, fields):
    with pytest.raises(UsageError, match=r"toy\.safetensors: holds only words.*in the prompt"):
        mixed((adapter(tmp_path / "a.safetensors", 1), {}), (embedding(tmp_path, "toy", 768), fields))


def test_an_embedding_at_0_is_left_out(tmp_path, mixed):
    found = mixed((adapter(tmp_path / "a.safetensors", 1), {}), (embedding(tmp_path, "toy", 768), {"strength": 0}))
    assert [part.file for part, _ in found.parts] == ["a.safetensors"]


@pytest.mark.parametrize("strengths", [(1, -1), (0.1, 0.2, -0.3)])
def test_parts_that_cancel_are_refused(tmp_path, mixed, strengths):
    file = adapter(tmp_path / "a.safetensors", 1)
    pairs = [(file, {"strength": strength}) for strength in strengths]
    with pytest.raises(UsageError, match=r"cancel each other.*a\.safetensors"):
        mixed(*pairs)
    with pytest.raises(UsageError, match="cancel each other"):
        mixed((file, {"at": {"te": -1}}), (file, {"strength": -1, "at": {"te1": 1}}))


def test_parts_that_cancel_only_in_places_are_mixed(tmp_path, mixed):
    file, other = adapter(tmp_path / "a.safetensors", 1), adapter(tmp_path / "b.safetensors", 2)
    assert mixed((file, {}), (file, {"strength": -1, "at": {"IN01": -0.5}})).parts
    assert mixed((file, {}), (file, {"strength": -1}), (other, {})).parts
    assert mixed((file, {}), (other, {"strength": -1})).parts


@pytest.mark.parametrize("address", ["te2", "te3", "text_encoder_2"])
def test_text_encoders_that_the_family_lacks_are_refused(tmp_path, mixed, address):
    with pytest.raises(UsageError, match=f"addressed by '{address}'.* te, te1, text_encoder, unet"):
        mixed((adapter(tmp_path / "a.safetensors", 1), {"at": {address: 0.5}}))
