"""The eye's arithmetic, whatever its weights; how well it sees is measured by tools/lab/measure.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eleven.lab.eye import QUESTIONS, Eye, as_input, blurred
from eleven.lab.person import draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene


@pytest.fixture(scope="module")
def pictures():
    return np.stack([draw_portrait(draw_person(seed), draw_scene(seed)) for seed in range(5)])


@pytest.fixture(scope="module")
def eye():
    torch.manual_seed(0)
    return Eye().eval()


def test_vectors_are_of_unit_length_and_answers_are_words(eye, pictures):
    look = eye.look(pictures)
    for vectors in (look.overall, look.detail):
        assert vectors.shape == (5, 64)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(5), atol=1e-5)
    for question, answers in QUESTIONS.items():
        assert look.answers[question].shape == (5, len(answers))
        assert set(look.told(question)) <= set(answers)


def test_a_picture_looks_the_same_in_any_batch(eye, pictures):
    together, apart = eye.look(pictures), eye.look(pictures, batch=2)
    assert torch.allclose(together.overall, apart.overall, atol=1e-5)
    assert torch.allclose(together.detail, apart.detail, atol=1e-5)


def test_blurring_is_gaussian(pictures):
    ours = blurred(as_input(pictures), 2.0)[0].numpy()
    wide = np.pad(as_input(pictures)[0].numpy(), ((0, 0), (6, 6), (6, 6)), mode="edge")
    bell = np.exp(-0.125 * np.add.outer(np.arange(-6, 7) ** 2, np.arange(-6, 7) ** 2))
    known = [(wide[:, y : y + 13, x : x + 13] * bell).sum((1, 2)) / bell.sum() for y, x in ((0, 0), (40, 50), (95, 7))]
    assert np.abs(np.stack([ours[:, 0, 0], ours[:, 40, 50], ours[:, 95, 7]]) - known).max() < 1e-4
    assert torch.equal(as_input(pictures)[0, :, 3, 4], torch.tensor(pictures[0, 3, 4]).float() / 127.5 - 1)
