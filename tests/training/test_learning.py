"""Trainings learn, keep their best state, and do as their settings say."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file
from trained import photos_of, prediction, short_plan, write_photos

from eleven.errors import OutputError, UsageError
from eleven.training.curve import curve, smoothed
from eleven.training.examples import drawn, read_examples
from eleven.training.loop import judge
from eleven.training.plan import plan_for
from eleven.training.priors import draw_priors
from eleven.training.resume import State
from eleven.training.runs import Job, kept_file, train
from eleven.training.samples import sample_folder
from eleven.training.trainee import Trainee


def held_losses(base, plan, photos, to):
    found = []
    train(base, Job(plan, photos, to, photos[:2]), lambda told: found.append(told.held))
    return [loss for loss in found if loss is not None]


@pytest.mark.parametrize("technique", ["lora", "lokr", "dreambooth"])
def test_the_loss_falls(technique, base_of, photos, tmp_path):
    rate = 1e-3 if technique == "dreambooth" else 3e-2
    shape = {"steps": 30, "validate_every": 1, "learning_rate": rate, "text_learning_rate": 0, "min_snr": None}
    plan = short_plan(technique, rank=8, layers="all", **shape)
    losses = held_losses(base_of("sd1"), plan, photos_of(photos), tmp_path / "a.safetensors")
    assert losses[-1] < 0.95 * losses[0]


@dataclass
class FakeSession:
    """As far as judging needs one: its only number is the step, and the third step is the best."""

    plan: object
    trainee: Trainee
    held: tuple[int, ...] = (1,)

    def held_loss(self):
        return abs(self.trainee.parameters["step"].item() - 3)


def test_the_best_state_is_kept():
    number = torch.nn.Parameter(torch.zeros(()))
    trainee = Trainee({"step": number}, {"step": 1.0}, dict, lambda: None, texts=False, family=None)
    session, state = FakeSession(plan_for("lora", steps=7, validate_every=1), trainee), State()
    for step in range(1, 8):
        trainee.take({"step": torch.tensor(float(step))})
        state.step = step
        judge(session, state)
    assert state.best_step == 3
    assert state.best["step"] == 3
    assert [step for step, _ in state.held] == list(range(1, 8))


def test_bfloat16_trains(base_of, photos, tmp_path):
    plan = short_plan("lora", precision="bf16")
    train(base_of("sd1"), Job(plan, photos_of(photos), tmp_path / "a.safetensors"))


def test_samples_and_priors(base_of, photos, tmp_path):
    plan = short_plan("lora", steps=2, sample_every=2, prior_pictures=2, batch=1)
    base = base_of("sd1")
    before = prediction(base.pipeline, "x")
    train(base, Job(plan, photos_of(photos), tmp_path / "a.safetensors"))
    names = sorted(path.name for path in sample_folder(tmp_path / "a.safetensors").iterdir())
    assert names == ["step-000002-1.png", "step-000002-2.png"]
    first, again = (list(draw_priors(base.pipeline, plan)) for _ in range(2))
    assert [photo.digest for photo in first] == [photo.digest for photo in again]
    assert len({photo.digest for photo in first}) == 2
    assert first[0].caption == "photo of cat"
    assert torch.equal(prediction(base.pipeline, "x"), before)


def test_models_are_kept_on_the_way(base_of, photos, tmp_path):
    base, listed, to = base_of("sd1"), photos_of(photos), tmp_path / "a.safetensors"
    train(base, Job(short_plan("lora", steps=4, keep_every=2), listed, to))
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == ["a-000002.safetensors", "a.safetensors"]
    kept, last = (load_file(path) for path in (kept_file(to, 2), to))
    assert kept.keys() == last.keys()
    assert any(not torch.equal(kept[key], last[key]) for key in last)
    to.unlink()
    train(base, Job(short_plan("lora", steps=4, keep_every=2), listed, to))
    other = Job(short_plan("lora", steps=4, keep_every=2, seed=9), listed, tmp_path / "b.safetensors")
    kept_file(to, 2).rename(kept_file(other.to, 2))
    with pytest.raises(OutputError, match="exists already"):
        train(base, other)


def test_photos_of_several_shapes(base_of, tmp_path):
    folder = write_photos(tmp_path / "cat", 3)
    for number in range(3):
        (folder / f"{number}.png").rename(folder / f"square{number}.png")
    write_photos(folder, 3, size=(64, 32))
    examples = read_examples(base_of("sd1").pipeline, photos_of(folder), resolution=32, step=4, flip=True)
    assert {tuple(one.latents.shape[1:]) for one in examples} == {(4, 16, 16), (4, 10, 22)}
    plain = read_examples(base_of("sd1").pipeline, photos_of(folder)[:1], resolution=32, step=4)
    assert torch.equal(plain[0].latents[0], examples[0].latents[0])
    assert not torch.equal(examples[0].latents[0], examples[0].latents[1])
    train(base_of("sd1"), Job(short_plan("lora", flip=True), photos_of(folder), tmp_path / "a.safetensors"))


def test_what_chance_decides(base_of, photos):
    examples = read_examples(base_of("sd1").pipeline, photos_of(photos), resolution=32, step=4)
    plan = plan_for("lora", caption_dropout=0.5, timesteps=(0.25, 0.75))
    found = [drawn(examples, range(4), plan, torch.Generator().manual_seed(at)) for at in range(50)]
    share = sum(caption == "" for one in found for caption in one.captions) / 200
    assert 0.35 < share < 0.65
    quantiles = torch.stack([one.quantiles for one in found])
    assert quantiles.min() > 0.25
    assert quantiles.max() < 0.75
    assert torch.equal(found[3].noise, drawn(examples, range(4), plan, torch.Generator().manual_seed(3)).noise)
    spread = quantiles.sort(dim=1).values
    assert (spread[:, 0] < 0.375).all()
    assert (spread[:, 3] >= 0.625).all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"timesteps": (0.5, 0.2)}, "timesteps are 0.5 to 0.2"),
        ({"prior_pictures": 3}, "class_word"),
        ({"learning_rate": 0, "text_learning_rate": 0}, "nothing would be trained"),
        ({"layers": "some"}, "layers is 'some'"),
        ({"colour": "red"}, "colour is 'red'"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
    ],
)
def test_settings_that_make_no_sense(settings, told):
    with pytest.raises(UsageError) as caught:
        plan_for("lora", **settings)
    assert told in str(caught.value)


def test_an_unknown_technique():
    with pytest.raises(UsageError, match="no technique is called 'dora'"):
        plan_for("dora")


def test_a_resolution_below_the_bases_step(base_of, photos, tmp_path):
    job = Job(short_plan("lora", resolution=2), photos_of(photos), tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="the resolution is 2"):
        train(base_of("sd1"), job)


def test_a_curve_of_any_length():
    assert "<svg" in curve(State(1, [0.0]), "a<b")
    text = curve(State(5000, [1.0 / (at + 1) for at in range(5000)], [(10, 0.5), (20, 0.2)]), "a<b")
    assert "a&lt;b" in text
    assert text.count("<circle") == 3
    assert len(text) < 40_000
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
