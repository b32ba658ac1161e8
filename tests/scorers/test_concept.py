"""The concept scorer on real photos: thirty subjects, each photo against all; and its weights."""

from __future__ import annotations

import shutil
from importlib.resources import files

import numpy as np
import pytest
from scipy.stats import rankdata

from eleven.errors import FileError
from eleven.scorers.checking import check_scorer
from eleven.scorers.concept import ConceptSight, open_concept
from eleven.scorers.mobilenet import MobileNet, folded
from eleven.scorers.patches import patch_likeness
from eleven.scorers.references import read_references
from eleven.scorers.scorer import References
from eleven.scorers.sight import closeness
from eleven.scorers.weights import checked

FOLDER = files("eleven.scorers") / "mobilenet_v2"


def test_it_passes_the_battery(lab_references):
    photos = dict(list(lab_references.photos.items())[:4])
    check_scorer(open_concept, References(photos, dict(list(lab_references.impostors.items())[:4])))


def test_thirty_subjects_are_told_apart(assets):
    sight = ConceptSight()
    folders = sorted(folder for folder in (assets / "dreambooth_384").iterdir() if folder.is_dir())
    looks = [[sight.see(photo) for photo in read_references(folder).photos.values()] for folder in folders]
    right, own, others = list[bool](), list[float](), list[float]()
    for number, subject in enumerate(looks):
        for look in subject:
            scores = [
                closeness([sight.overall(look, other) for other in rival if other is not look], len(rival))
                for rival in looks
            ]
            right.append(int(np.argmax(scores)) == number)
            own.append(scores.pop(number))
            others.extend(scores)
    ranks = rankdata([*own, *others])[: len(own)]
    area = (ranks.sum() - len(own) * (len(own) + 1) / 2) / (len(own) * len(others))
    assert len(right) == 158
    assert np.mean(right) >= 0.95
    assert area >= 0.99


def test_patches_may_move_within_their_reach():
    patches = np.eye(64, dtype=np.float32)
    moved = np.roll(patches.reshape(8, 8, 64), (2, 1), (0, 1)).reshape(64, 64)
    assert patch_likeness(patches, patches, 0) == 1
    assert patch_likeness(moved, patches, 0) == 0
    assert patch_likeness(moved, patches, 2) == pytest.approx(6 * 7 / 64)


def test_folding_the_norms_changes_nothing():
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    weights = {}
    for name, value in MobileNet().state_dict().items():
        if name.endswith("weight"):
            stem = name.removesuffix(".weight") + ".0"
            weights[f"{stem}.weight"] = value
            norm = stem.removesuffix("0") + "1"
            for key in ("weight", "bias", "running_mean", "running_var"):
                weights[f"{norm}.{key}"] = torch.rand(len(value)) + 0.5
    ours, x = folded(weights), torch.rand(1, 3, 8, 8)
    stem = "features.0.0"
    plain = functional.conv2d(x, weights[f"{stem}.0.weight"], stride=2, padding=1)
    norm = {key: weights[f"{stem}.1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
    truth = functional.batch_norm(plain, **norm)
    layer = nn.Conv2d(3, 32, 3, 2, 1)
    layer.load_state_dict({key: ours[f"{stem}.{key}"] for key in ("weight", "bias")})
    assert ours.keys() == MobileNet().state_dict().keys()
    assert torch.allclose(layer(x), truth, atol=1e-5)


def test_weights_are_checked_against_their_checksum(tmp_path):
    shutil.copytree(str(FOLDER), tmp_path / "copy")
    path = tmp_path / "copy" / "mobilenet_v2.safetensors"
    assert len(checked(path)) == path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(FileError, match="SHA-256"):
        checked(path)
    path.unlink()
    with pytest.raises(FileError, match="cannot be read"):
        checked(path)
