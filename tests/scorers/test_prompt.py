"""The prompt scorer: a CLIP of the user's, or nothing with a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eleven.errors import FileError, UsageError
from eleven.scorers import prompt
from eleven.scorers.checking import check_scorer, pictured
from eleven.scorers.prompt import open_prompt
from eleven.scorers.scorer import Score


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**small, "vocab_size": 49408, "eos_token_id": 49407, "bos_token_id": 49406, "pad_token_id": 1}
    config = CLIPConfig(text_config=text, vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=8)
    path = tmp_path_factory.mktemp("clip") / "tiny"
    model = CLIPModel(config)
    model.visual_projection.weight.data *= -1  # of this seed the cosines are negative, and a share would be 0
    model.save_pretrained(path)
    return path


def test_it_passes_the_battery(lab_references, folder):
    check_scorer(lambda references: open_prompt(references, str(folder)), lab_references)


def test_a_prompt_has_a_share_and_no_prompt_has_none(lab_references, folder):
    scorer = open_prompt(lab_references, str(folder))
    photo = next(iter(lab_references.photos.values()))
    told, other, none = scorer.score([pictured(photo, "a red cat"), pictured(photo, "the sea " * 99), pictured(photo)])
    assert 0 < told.prompt <= 1
    assert told.overall is None
    assert told != other
    assert none == Score()
    assert scorer.reason == ""


def test_without_a_model_nothing_is_told_and_the_reason_is(lab_references, monkeypatch):
    monkeypatch.setattr(prompt, "cached", lambda name: None)
    scorer = open_prompt(lab_references)
    assert scorer.score([pictured(np.zeros((8, 8, 3), np.uint8), "a cat")]) == [Score()]
    assert "hf download" in scorer.reason
    with pytest.raises(UsageError, match="no/such-model"):
        open_prompt(lab_references, "no/such-model")


def test_a_folder_without_a_clip_is_refused(lab_references, tmp_path):
    with pytest.raises(FileError, match="no CLIP"):
        open_prompt(lab_references, str(tmp_path))
