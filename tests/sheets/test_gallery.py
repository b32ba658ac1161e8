import json

import pytest
from pictures_for_tests import FakeEngine, color_of, corner, mix_of, part

from eleven.engines.engine import Shot
from eleven.errors import FileError, OutputError
from eleven.sheets.credits import Model
from eleven.sheets.gallery import Gallery
from eleven.sheets.png import read_recipe, read_texts, write_bytes
from eleven.sheets.recipe import Origin
from eleven.sheets.record import read_record
from eleven.sheets.series import series_of

MIX = mix_of(part("eve", 0.7), part("bob", 0.5))
SHOTS = [Shot("a photo of eve", seed) for seed in (1, 2, 3)]
BASE = Origin("sd15", "ab" * 32, "float32", "abababab00")
MODELS = {one.sha256: Model("lora", one.file.removesuffix(".safetensors"), "0" * 12) for one in MIX.parts}


def gallery(folder, shots=SHOTS, *, mixes=(MIX,), models=MODELS, force=False):
    return Gallery(folder, series_of(mixes, shots, BASE), models, force)


def made(folder, engine=None, **options):
    """The engine, after everything that is missing was made."""
    engine = engine or FakeEngine()
    opened = gallery(folder, **options)
    opened.open("sheet")
    opened.fill(engine, lambda: None)
    return engine


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pictures_are_named_by_place_seed_and_digest_and_tell_their_recipe(tmp_path):
    made(tmp_path)
    series = series_of([MIX], SHOTS, BASE)
    assert names(tmp_path) == [f"000{at}_seed{at}_{one.digest[:8]}.png" for at, one in enumerate(series, 1)] + [
        "shots.json"
    ]
    for one, shot in zip(series, SHOTS, strict=True):
        assert corner(tmp_path / one.name) == color_of(MIX, shot)
        assert read_recipe(tmp_path / one.name).digest == one.digest
        assert "<lora:eve:0.7> <lora:bob:0.5>" in read_texts(tmp_path / one.name)["parameters"]


def test_mix_by_mix_so_that_strengths_change_seldom(tmp_path):
    engine = made(tmp_path, mixes=(None, MIX))
    assert [mix is None for mix, _ in engine.taken] == [True] * 3 + [False] * 3
    assert {corner(path)[0] for path in tmp_path.glob("*.png")} == {255, 70}


def test_rerun_makes_nothing_again(tmp_path):
    made(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    assert made(tmp_path).taken == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")} == before


@pytest.mark.parametrize("models", [MODELS, None])
def test_interrupted_run_goes_on_where_it_stopped(tmp_path, models):
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, FakeEngine(stop_after=2), models=models)
    assert len(list(tmp_path.glob("*.png"))) == 2
    engine = made(tmp_path, models=models)
    assert [shot.seed for _, shot in engine.taken] == [3]
    assert [corner(path)[2] for path in sorted(tmp_path.glob("*.png"))] == [1, 2, 3]


def test_pictures_without_metadata_tell_nothing(tmp_path):
    made(tmp_path, models=None)
    assert all(read_texts(path) == {} for path in tmp_path.glob("*.png"))


def test_more_seeds_keep_what_is_there(tmp_path):
    made(tmp_path, shots=SHOTS[:2])
    engine = made(tmp_path, shots=[SHOTS[2], *SHOTS])
    assert [shot.seed for _, shot in engine.taken] == [3]
    assert {entry.shot.seed for entry in read_record(tmp_path).pictures} == {1, 2, 3}
    assert all((tmp_path / entry.file).is_file() for entry in read_record(tmp_path).pictures)


def test_pictures_of_another_command_are_refused(tmp_path):
    made(tmp_path)
    before = names(tmp_path)
    with pytest.raises(OutputError, match="holds the pictures of another command"):
        gallery(tmp_path, [Shot("a cat", 1)]).open("sheet")
    assert names(tmp_path) == before
    engine = made(tmp_path, shots=[Shot("a cat", 1)], force=True)
    assert len(engine.taken) == 1
    assert set(before) < set(names(tmp_path))


def test_force_makes_every_picture_anew(tmp_path):
    made(tmp_path)
    assert len(made(tmp_path, force=True).taken) == 3
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_picture_of_another_base_is_not_taken_for_this_one(tmp_path):
    made(tmp_path)
    (tmp_path / "shots.json").unlink()
    other = Gallery(tmp_path, series_of([MIX], SHOTS, Origin("other", "cd" * 32)), MODELS)
    other.open("sheet")
    assert len(other.missing) == 3


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"made_by": "other", "pictures": []}', "[" * 9999])
def test_record_of_another_program_is_kept(tmp_path, content):
    (tmp_path / "shots.json").write_text(content)
    with pytest.raises(OutputError, match="is no record of Eleven's"):
        made(tmp_path)
    assert (tmp_path / "shots.json").read_text() == content
    made(tmp_path, force=True)
    assert read_record(tmp_path) is not None


def test_sheet_of_another_program_is_kept(tmp_path):
    (tmp_path / "sheet.png").write_text("mine")
    with pytest.raises(OutputError, match=r"sheet\.png: exists already"):
        made(tmp_path)
    assert names(tmp_path) == ["sheet.png"]


def test_own_sheet_is_drawn_anew_and_changed_one_is_kept(tmp_path):
    from PIL import Image

    made(tmp_path)
    for size in (8, 9):
        again = gallery(tmp_path)
        again.open("sheet")
        (page,) = again.put_pages("sheet", [Image.new("RGB", (size, size))])
    assert page == tmp_path / "sheet.png"
    with Image.open(page) as image:
        assert image.size == (9, 9)
    page.write_bytes(page.read_bytes() + b"changed")
    with pytest.raises(OutputError, match="exists already"):
        gallery(tmp_path).open("sheet")


def test_pages_after_the_first_are_numbered(tmp_path):
    from PIL import Image

    made(tmp_path)
    opened = gallery(tmp_path)
    opened.open("grid")
    pages = opened.put_pages("grid", [Image.new("RGB", (8, 8))] * 3)
    assert [page.name for page in pages] == ["grid.png", "grid_2.png", "grid_3.png"]
    assert set(read_record(tmp_path).sheets) == {"grid.png", "grid_2.png", "grid_3.png"}


def test_damaged_picture_is_told_with_the_way_out(tmp_path):
    made(tmp_path)
    path = sorted(tmp_path.glob("0002*.png"))[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(FileError) as error:
        gallery(tmp_path).open("sheet")
    assert path.name in error.value.cause
    assert error.value.hint == "Remove it, and it is made again."
    path.unlink()
    assert len(made(tmp_path).taken) == 1


def test_record_is_plain_json_without_folders(tmp_path):
    made(tmp_path, mixes=(None, MIX))
    told = json.loads((tmp_path / "shots.json").read_text())
    assert told["base"]["name"] == "sd15"
    assert [one["mix"] for one in told["pictures"]] == [None] * 3 + [MIX.digest] * 3
    assert told["mixes"][MIX.digest]["parts"][0]["file"] == "eve.safetensors"
    assert told["pictures"][0]["shot"]["prompt"] == "a photo of eve"


def test_file_in_the_place_of_the_folder_is_told(tmp_path):
    write_bytes(tmp_path / "out", b"x")
    with pytest.raises(OutputError, match="cannot be made a folder"):
        gallery(tmp_path / "out").open("sheet")
    with pytest.raises(OutputError, match="cannot be made a folder"):
        gallery(tmp_path / "out" / "deeper").open("sheet")


def test_mix_without_strength_is_the_base_alone():
    idle = mix_of(part("eve", 0.0))
    (one,) = series_of([idle, None], SHOTS[:1], BASE)
    assert one.recipe.mix is None
