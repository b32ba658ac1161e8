import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_for_tests import mix_of, part
from PIL import Image

from eleven.engines.engine import Shot
from eleven.errors import FileError, OutputError
from eleven.mix import Part
from eleven.sheets.png import read_recipe, read_texts, write_png
from eleven.sheets.recipe import Origin, Recipe, recipe_from_json

PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
MIX = mix_of(part("eve", 0.7, te=0.4), part("bob", 0.5))
RECIPE = Recipe(Origin("sd15", "ab" * 32, "float32", "abababab"), MIX, Shot("a photo of ève\nBREAK", 8, "fog"))

texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=80)


def test_pixels_and_texts_are_what_plain_pillow_reads(tmp_path):
    write_png(tmp_path / "a.png", PIXELS, {"parameters": "plain", "eleven": "ünïcode ✨"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"parameters": "plain", "eleven": "ünïcode ✨"}
        assert (np.asarray(image) == PIXELS).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_picture_can_tell_nothing(tmp_path):
    write_png(tmp_path / "a.png", PIXELS)
    assert read_texts(tmp_path / "a.png") == {}
    assert read_recipe(tmp_path / "a.png") is None


@settings(deadline=None)
@given(text=texts)
def test_any_text_comes_back(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_png(path, PIXELS, {"parameters": text})
    assert read_texts(path) == {"parameters": text}


def test_recipe_comes_back_with_its_digest(tmp_path):
    write_png(tmp_path / "a.png", PIXELS, {"eleven": RECIPE.to_json()})
    read = read_recipe(tmp_path / "a.png")
    assert (read, read.digest) == (RECIPE, RECIPE.digest)


def test_recipe_without_models_comes_back():
    bare = Recipe(RECIPE.base, None, RECIPE.shot)
    assert recipe_from_json(bare.to_json()) == bare
    assert bare.digest != RECIPE.digest


def test_recipe_tells_no_folder():
    mix = mix_of(Part(file="/home/me/private/eve.safetensors", sha256="0" * 64))
    text = Recipe(RECIPE.base, mix, RECIPE.shot).to_json()
    assert "eve.safetensors" in text
    assert "private" not in text


@pytest.mark.parametrize(
    "other",
    [
        Recipe(Origin("sd15", "cd" * 32, "float32"), MIX, RECIPE.shot),
        Recipe(Origin("sd15", "ab" * 32, "float16"), MIX, RECIPE.shot),
        Recipe(RECIPE.base, mix_of(part("eve", 0.7, te=0.4), part("bob", 0.6)), RECIPE.shot),
        Recipe(RECIPE.base, MIX, Shot("a photo of ève\nBREAK", 9, "fog")),
        Recipe(RECIPE.base, MIX, Shot("a photo of ève\nBREAK", 8, "fog", guidance=7.5)),
    ],
)
def test_digest_changes_with_everything_that_changes_the_picture(other):
    assert other.digest != RECIPE.digest


def test_digest_does_not_change_with_names():
    renamed = mix_of(*(one.model_copy(update={"file": f"x/{one.file}.old"}) for one in MIX.parts))
    assert Recipe(Origin("other name", "ab" * 32, "float32"), renamed, RECIPE.shot).digest == RECIPE.digest


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"mix": 3}', "{" * 9999, '{"base": {}, "mix": null, "shot": 1}']
)
def test_texts_that_are_no_recipe_are_told(tmp_path, text):
    write_png(tmp_path / "a.png", PIXELS, {"eleven": text})
    with pytest.raises(FileError, match=r"a\.png: the recipe inside is not one of Eleven's"):
        read_recipe(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a"])
def test_files_that_are_no_pictures_are_told(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(FileError, match="cannot be read as a PNG"):
        read_texts(tmp_path / "a.png")


def test_cut_picture_is_told(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8), {"parameters": "x"})
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="cannot be read as a PNG"):
        read_texts(tmp_path / "a.png")


def test_existing_files_are_kept(tmp_path):
    (tmp_path / "a.png").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_png(tmp_path / "a.png", PIXELS)
    assert (tmp_path / "a.png").read_text() == "mine"
    write_png(tmp_path / "a.png", PIXELS, force=True)
    assert read_texts(tmp_path / "a.png") == {}


def test_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match="No space left"):
        write_png(tmp_path / "a.png", PIXELS)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_png(tmp_path / "no" / "a.png", PIXELS)
