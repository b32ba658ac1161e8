"""What is known costs nothing, what is missing is made in full batches, and pictures lie where the ledger says."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_study import BEST, PLAN, Brightness, CountingEngine, content, plan_with, run

from eleven.engines.engine import Picture
from eleven.engines.mock import MockEngine
from eleven.errors import FileError, OutOfMemory, OutputError
from eleven.files import atomic
from eleven.sheets.credits import Model
from eleven.sheets.png import open_png, read_recipe, read_texts
from eleven.sheets.recipe import Recipe
from eleven.studies.ledger import open_ledger
from eleven.studies.making import Alone, make, told_of_mix
from eleven.studies.measuring import Asked
from eleven.studies.recording import digest_of_pixels
from eleven.studies.shots import search_shots
from eleven.studies.taking import Taking, measure_with, open_taker

SHOTS = search_shots(PLAN)
MIX = PLAN.mix((0.7, 0.6))
OTHER = PLAN.mix((0.2, 0.6))


class EachEngine(CountingEngine):
    def take_each(self, wanted):
        self.batches.append(len(wanted))
        for mix, shot in wanted:
            yield from self.inner.take(mix, [shot])


class FailingEngine(CountingEngine):
    def take(self, mix, shots):
        if mix is not None and mix.digest == OTHER.digest:
            raise OutOfMemory("memory is too small.", hint="Use a smaller batch.")
        return super().take(mix, shots)


def take(folder, engine, wanted, **taking):
    scorer = taking.pop("scorer", Brightness())
    with open_ledger(folder, PLAN) as ledger, open_taker(ledger, Alone(engine), scorer, Taking(**taking)) as taker:
        return taker.take_all(wanted)


def wanted_of(*mixes, count=8):
    return [(mix, shot) for mix in mixes for shot in SHOTS.take(range(count))]


def test_pictures_lie_where_the_ledger_says_with_their_recipe(tmp_path):
    best, confirmed, base = run(tmp_path)
    taken = content(tmp_path)
    assert len({one.file for one in taken}) == len(taken) == len(list(tmp_path.rglob("*.png"))) > 64
    for one in taken[::9]:
        recipe = Recipe(PLAN.base, one.mix, one.shot)
        assert one.file == f"pictures/{recipe.digest[:2]}/{recipe.digest}.png"
        kept = read_recipe(tmp_path / one.file)
        assert kept is not None
        assert kept.digest == recipe.digest
        with open_png(tmp_path / one.file) as image:
            pixels = np.array(image)
        (made,) = MockEngine(BEST).take(one.mix, [one.shot])
        assert np.array_equal(pixels, made.pixels)
        assert digest_of_pixels(pixels) == one.pixels
        assert Brightness().score([Picture(None, one.shot, pixels)]) == [one.score]
    assert np.mean([score.overall for score in confirmed]) > np.mean([score.overall for score in base]) + 0.4
    assert np.abs(best - [0.7, 0.6]).max() < 0.3


def test_what_is_known_costs_nothing(tmp_path):
    engine, again = CountingEngine(), CountingEngine()
    first = run(tmp_path, maker=Alone(engine))
    second = run(tmp_path, maker=Alone(again))
    assert (engine.count, again.count) == (len(content(tmp_path)), 0)
    assert np.array_equal(first[0], second[0])
    assert first[1:] == second[1:]


def test_a_larger_budget_makes_only_what_is_new(tmp_path):
    run(tmp_path)
    before = content(tmp_path)
    engine = CountingEngine()
    run(tmp_path, maker=Alone(engine), plan=plan_with(search=96, confirmation=30))
    after = content(tmp_path)
    assert after[: len(before)] == before
    assert engine.count == len(after) - len(before) > 32


def test_twice_asked_is_once_made_and_in_full_batches(tmp_path):
    engine = CountingEngine()
    scores = take(tmp_path, engine, wanted_of(MIX, MIX, None), batch=8)
    assert scores[:8] == scores[8:16] != scores[16:]
    assert engine.batches == [8, 8]


def test_what_is_left_of_a_batch_follows_what_is_known(tmp_path):
    take(tmp_path, CountingEngine(), wanted_of(MIX, count=4))
    engine = CountingEngine()
    scores = take(tmp_path, engine, wanted_of(MIX), batch=3)
    assert engine.batches == [3, 1]
    assert len(scores) == 8


def test_mixes_share_batches_where_the_engine_can(tmp_path):
    each, alone = EachEngine(), CountingEngine()
    together = take(tmp_path / "each", each, wanted_of(MIX, OTHER, None, count=4), batch=8)
    assert each.batches == [8, 4]
    assert together == take(tmp_path / "alone", alone, wanted_of(MIX, OTHER, None, count=4), batch=8)
    assert alone.batches == [4, 4, 4]


def test_strengths_and_numbers_become_likeness(tmp_path):
    with open_ledger(tmp_path, PLAN) as ledger, open_taker(ledger, Alone(MockEngine(BEST)), Brightness()) as taker:
        measure = measure_with(taker, SHOTS, lambda score: 10 * score.overall)
        first, second = measure([Asked((0.7, 0.6), (3, 1)), Asked((0.0, 0.0), (1,))])
        assert list(first) == [10 * score.overall for score in taker.take(MIX, SHOTS.take((3, 1)))]
        assert list(second) == [10 * score.overall for score in taker.take(None, SHOTS.take((1,)))]


def test_progress_is_told_of_the_whole_study(tmp_path):
    heard = []
    take(tmp_path, CountingEngine(), wanted_of(MIX, count=4))
    take(tmp_path, CountingEngine(), wanted_of(MIX), batch=3, progress=lambda *told: heard.append(told))
    assert heard == [(7, 84), (8, 84)]


def test_a_mix_that_cannot_be_made_is_named_and_the_others_are_kept(tmp_path):
    with pytest.raises(OutOfMemory, match=r"^a\.safetensors:0\.2 \+ b\.safetensors:0\.6: memory is .*smaller batch"):
        take(tmp_path, FailingEngine(), wanted_of(MIX, OTHER, None), batch=4)
    assert [one.mix for one in content(tmp_path)] == [MIX] * 8


def test_the_base_alone_has_a_name():
    assert told_of_mix(None) == "the base alone"


def test_pictures_tell_a1111_how_they_were_made(tmp_path):
    models = {"a" * 64: Model("lora", "a", "1" * 12), "c" * 64: Model("lora", "b", "2" * 12)}
    take(tmp_path, CountingEngine(), wanted_of(MIX, count=1), models=models)
    (path,) = tmp_path.rglob("*.png")
    assert "<lora:a:0.7> <lora:b:0.6>" in read_texts(path)["parameters"]


def test_another_scorer_scores_the_kept_pictures(tmp_path):
    wanted = wanted_of(MIX)
    first = take(tmp_path, CountingEngine(), wanted[:5])
    engine = CountingEngine()
    second = take(tmp_path, engine, wanted, batch=2, scorer=Brightness("second"))
    assert engine.count == 3
    assert second[:5] == first
    with open_ledger(tmp_path, PLAN) as ledger:
        assert ledger.scores_of(MIX, SHOTS.take(range(8)), "second") == second


def test_a_kept_picture_that_was_changed_is_refused(tmp_path):
    wanted = wanted_of(MIX, count=2)
    take(tmp_path, CountingEngine(), wanted)
    one, two = sorted(tmp_path.rglob("*.png"))
    one.write_bytes(two.read_bytes())
    with pytest.raises(FileError, match="is not the picture that was made"):
        take(tmp_path, CountingEngine(), wanted, scorer=Brightness("second"))


def test_a_full_disk_ends_the_study_and_it_goes_on_later(tmp_path, monkeypatch):
    full = atomic.shutil.disk_usage(tmp_path)._replace(free=10)
    take(tmp_path, CountingEngine(), wanted_of(MIX))
    with monkeypatch.context() as patched:
        patched.setattr(atomic.shutil, "disk_usage", lambda _: full)
        with pytest.raises(OutputError, match="the disk has 10 left"):
            run(tmp_path)
    assert len(content(tmp_path)) == 8
    run(tmp_path)
    run(tmp_path / "undisturbed")
    assert {one.file for one in content(tmp_path / "undisturbed")} < {one.file for one in content(tmp_path)}


def test_a_folder_for_pictures_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "pictures").touch()
    with pytest.raises(OutputError, match="cannot be made a folder: Not a directory"):
        take(tmp_path, CountingEngine(), wanted_of(MIX, count=2))


def test_a_job_of_one_mix_is_taken_with_it_in_the_weights():
    engine = EachEngine()
    make(engine, tuple(wanted_of(MIX, count=3)))
    assert engine.batches == [3]
    assert engine.count == 3
