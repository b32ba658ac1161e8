import json
import shutil
from math import prod
from pathlib import Path

import pytest
from adapters_for_tests import factors, near, write_lora
from files_for_tests import normal, save, sd1_base
from findings_for_tests import apart, kinds

from eleven.lab.shipped import concept_folder
from eleven.layers.family import family
from eleven.suggestions.findings import find
from eleven.suggestions.suggesting import examine
from models import one_layer, write_layer

ASSETS = Path(__file__).resolve().parents[3] / "shared" / "assets"
LAB = sorted(path for name in ("ada", "minka", "otto") for path in concept_folder(name).glob("*.safetensors"))
SHA, OTHER = "ab" * 32, "cd" * 32


def test_models_that_were_trained_apart_raise_no_alarm(tmp_path):
    assert kinds(*apart(tmp_path, 4)) == {}


@pytest.mark.parametrize("distance", [0.05, 0.3])
def test_checkpoints_of_one_run_are_redundant_by_their_weights(distance, tmp_path):
    one, other = apart(tmp_path, 2)
    later = write_lora(tmp_path / "later.safetensors", near(factors(0), distance))
    found = kinds(one, other, later)
    assert set(found) == {("redundant", (0, 2))}
    told = found["redundant", (0, 2)]
    assert told.severity == "warning"
    assert told.numbers["cosine"] > 100 * abs(told.numbers["cosine_chance"]) * 0.05
    assert "model-0 and later look like checkpoints of one run" in told.text


def test_an_early_and_a_late_checkpoint_are_redundant_by_their_factors(tmp_path):
    """Factors that moved far still lie nearer than those of any other run."""
    start, end = factors(0), factors(1)
    moved = {
        name: tuple(0.6 * one + 0.8 * other for one, other in zip(start[name], end[name], strict=True))
        for name in start
    }
    one, late = write_lora(tmp_path / "one.safetensors", start), write_lora(tmp_path / "late.safetensors", moved)
    found = kinds(one, late)["redundant", (0, 1)]
    assert found.numbers["cosine"] < 0.5


@pytest.mark.parametrize(
    "metadata",
    [
        {"ss_session_id": "7", "ss_training_started_at": "16.5"},
        {"eleven__training": json.dumps({"identity": "one run"})},
    ],
)
def test_checkpoints_of_one_run_are_redundant_by_what_they_tell(metadata, tmp_path):
    assert ("redundant", (0, 1)) in kinds(*apart(tmp_path, 2, **metadata))


def test_an_equal_start_alone_is_only_a_note(tmp_path):
    first, second = factors(0), factors(1)
    alike = {name: (second[name][0], first[name][1]) for name in first}
    one, other = write_lora(tmp_path / "one.safetensors", first), write_lora(tmp_path / "other.safetensors", alike)
    found = kinds(one, other)
    assert set(found) == {("same-start", (0, 1))}
    told = found["same-start", (0, 1)]
    assert told.severity == "note"
    assert told.numbers["inputs"] == pytest.approx(1, abs=1e-3)
    assert told.numbers["inputs_chance"] == pytest.approx(4 / 32)


def test_other_words_and_other_bases_are_told(tmp_path):
    paths = [
        write_lora(tmp_path / "a.safetensors", factors(0), modelspec__trigger_phrase="eve", ss_new_sd_model_hash=SHA),
        write_lora(
            tmp_path / "b.safetensors", factors(1), modelspec__trigger_phrase="anna", ss_new_sd_model_hash=OTHER
        ),
        write_lora(tmp_path / "c.safetensors", factors(2), modelspec__trigger_phrase="eve", ss_new_sd_model_hash=SHA),
    ]
    found = kinds(*paths)
    assert set(found) == {("other-words", (0, 1, 2)), ("different-bases", (0, 1, 2))}
    assert "a and c by “eve”; b by “anna”" in found["other-words", (0, 1, 2)].text


def test_a_base_that_a_file_was_not_trained_on_is_told(tmp_path):
    from hashlib import sha256

    from safetensors.torch import save_file

    from models import base_tensors

    base = tmp_path / "base.safetensors"
    save_file(base_tensors("net.0.proj"), base)
    right = sha256(base.read_bytes()).hexdigest()
    paths = [
        write_lora(tmp_path / "a.safetensors", factors(0), ss_new_sd_model_hash=right),
        write_lora(tmp_path / "b.safetensors", factors(1), ss_new_sd_model_hash=OTHER, ss_sd_model_name="other.ckpt"),
        write_lora(tmp_path / "c.safetensors", factors(2)),
    ]
    found = kinds(*paths, base=base)
    assert set(found) == {("other-base", (1,)), ("different-bases", (0, 1))}
    assert "b was trained on other.ckpt, which is not the given base" in found["other-base", (1,)].text


def test_a_whole_model_is_held_against_the_base(tmp_path):
    """A base with another picture decoder is not the one that a DreamBooth training started from."""
    layers = sorted(family("sd1").components[2].layers().values(), key=lambda layer: prod(layer.shape))
    decoder = {layer.name: normal(*layer.shape, seed=1) for layer in layers[: int(0.6 * len(layers))]}
    base, tuned = sd1_base() | decoder, sd1_base() | decoder
    tuned["unet.conv_in.weight"] = tuned["unet.conv_in.weight"] + 0.1
    right, model = save(tmp_path / "base.safetensors", base), save(tmp_path / "tuned.safetensors", tuned)
    assert kinds(model, base=right) == {}
    other = base | {name: tensor + normal(*tensor.shape, seed=2) for name, tensor in decoder.items()}
    told = kinds(model, base=save(tmp_path / "other.safetensors", other))
    assert "may not be the base of tuned.safetensors" in told["other-base", (0,)].text
    assert kinds(model)["needs-base", (0,)].numbers["layers"] > 100


def test_models_that_undo_each_other_are_told(tmp_path):
    turned = {name: (-up, down) for name, (up, down) in factors(0).items()}
    one, other = apart(tmp_path, 1)[0], write_lora(tmp_path / "turned.safetensors", turned)
    assert ("opposed", (0, 1)) in kinds(one, other)


def test_a_weak_and_a_strong_model_are_told(tmp_path):
    sizes = (1.0, 1.1, 0.1, 9.0)
    paths = [
        write_lora(
            tmp_path / f"{seed}.safetensors", {name: (size * up, down) for name, (up, down) in factors(seed).items()}
        )
        for seed, size in enumerate(sizes)
    ]
    assert set(kinds(*paths)) == {("weak", (2,)), ("strong", (3,))}
    assert set(kinds(*paths[:2], paths[3])) == {("strong", (2,))}


def test_what_needs_the_base_is_told(tmp_path):
    dora = write_layer(tmp_path / "dora.safetensors", one_layer()["dora"])
    assert kinds(dora)["needs-base", (0,)].hint == "Name the base with --base."


def test_a_file_given_twice_is_called_so_by_any_name(tmp_path):
    one, other = apart(tmp_path, 2)
    copy = Path(shutil.copy(one, tmp_path / "copy.safetensors"))
    found = kinds(one, other, copy, one)
    assert set(found) == {("redundant", pair) for pair in ((0, 2), (0, 3), (2, 3))}
    assert {told.text for told in found.values()} == {
        "model-0 and copy are the same file.",
        "model-0 is given twice.",
        "copy and model-0 are the same file.",
    }


def test_files_of_equal_size_that_differ_in_one_number_are_not_the_same(tmp_path):
    one, changed = factors(0), factors(0)
    changed["net.2.proj"][0][0, 0] += 1e-3
    paths = [write_lora(tmp_path / name, found) for name, found in (("a.safetensors", one), ("b.safetensors", changed))]
    assert paths[0].stat().st_size == paths[1].stat().st_size
    assert "checkpoints of one run" in kinds(*paths)["redundant", (0, 1)].text


def test_words_are_told_as_the_same_file_too():
    word = concept_folder("ada") / "ada-word.safetensors"
    assert set(kinds(word, word)) == {("redundant", (0, 1))}


def test_bases_of_other_names_are_noted_and_spellings_of_one_are_not(tmp_path):
    names = ("anime.safetensors", "ANIME.ckpt", "real.safetensors")
    paths = [
        write_lora(tmp_path / f"{seed}.safetensors", factors(seed), ss_sd_model_name=name)
        for seed, name in enumerate(names)
    ]
    assert kinds(*paths[:2]) == {}
    told = kinds(*paths)["other-base-names", (0, 1, 2)]
    assert told.severity == "note"
    assert "0 and 1 on anime.safetensors; 2 on real.safetensors" in told.text


def test_one_base_of_two_names_by_its_digest_is_no_remark(tmp_path):
    paths = [
        write_lora(
            tmp_path / f"{seed}.safetensors", factors(seed), ss_sd_model_name=f"name-{seed}", ss_new_sd_model_hash=SHA
        )
        for seed in range(2)
    ]
    assert kinds(*paths) == {}


def test_warnings_come_first(tmp_path):
    first, second = factors(0), factors(1)
    alike = {name: (second[name][0], first[name][1]) for name in first}
    paths = [
        write_lora(tmp_path / "a.safetensors", first, modelspec__trigger_phrase="eve"),
        write_lora(tmp_path / "b.safetensors", alike, modelspec__trigger_phrase="anna"),
    ]
    case = examine(paths)
    assert [one.kind for one in find(case)] == ["other-words", "same-start"]


def test_the_labs_models_are_never_taken_for_one_and_words_tell_the_cat_from_the_people():
    found = kinds(*(path for path in LAB if "word" not in path.name))
    assert not [key for key in found if key[0] in ("redundant", "opposed", "different-bases", "damaged", "stranger")]
    (words,) = (one for (kind, _), one in found.items() if kind == "other-words")
    people, cats = words.text.partition(".")[0].split("; ")
    assert people.endswith("by “sks person”")
    assert cats.endswith("by “sks cat”")
    assert set(cats.split(" by ")[0].replace(" and ", ", ").split(", ")) == {
        path.stem for path in LAB if path.stem != "minka-word" and "minka" in path.name
    }


@pytest.mark.skipif(not ASSETS.is_dir(), reason="the collection of real files is not here: ../shared/assets")
def test_real_models_of_other_concepts_raise_no_false_alarm():
    paths = [*ASSETS.glob("lora_diffusers_dialect/*.safetensors"), *ASSETS.glob("lora_diffusers_dialect/*.bin")]
    paths += ASSETS.glob("lora_cloneofsimo/*.safetensors")
    assert not [key for key in kinds(*sorted(paths)) if key[0] in ("redundant", "opposed", "same-start", "damaged")]
