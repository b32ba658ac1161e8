import pytest

from eleven.errors import UsageError
from eleven.mix import Mix, Part
from eleven.mix_text import parse_mix, parse_part, parse_tags


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("eve.safetensors", Part(file="eve.safetensors")),
        ("eve.safetensors:0.7", Part(file="eve.safetensors", strength=0.7)),
        ("eve.safetensors:-0.2", Part(file="eve.safetensors", strength=-0.2)),
        ("eve.safetensors:unet=0.7,te=0.4", Part(file="eve.safetensors", at={"unet": 0.7, "te": 0.4})),
        ("eve.safetensors:0.7,rise=-0.5,te=0.1", Part(file="eve.safetensors", strength=0.7, at={"te": 0.1}, rise=-0.5)),
        ("eve.safetensors:0.7,IN04=0", Part(file="eve.safetensors", strength=0.7, at={"IN04": 0.0})),
        (r"C:\models\eve.safetensors", Part(file=r"C:\models\eve.safetensors")),
        (r"C:\models\eve.safetensors:0.7", Part(file=r"C:\models\eve.safetensors", strength=0.7)),
        ("C:/models/eve.safetensors:te=0.1", Part(file="C:/models/eve.safetensors", at={"te": 0.1})),
        ("a b/ü.pt:1", Part(file="a b/ü.pt", strength=1.0)),
    ],
)
def test_a_part_is_read_as_people_type_it(text, part):
    assert parse_part(text) == part


@pytest.mark.parametrize(
    "text",
    [
        ":0.7",
        "eve:much",
        "eve:",
        "eve:nan",
        "eve:1e9",
        "eve:te=",
        "eve:te=0.1,0.2",
        "eve:=1",
        "eve:0.7,,te=1",
        "eve:rise=1.1",
    ],
)
def test_a_malformed_part_is_refused_with_the_right_form(text):
    with pytest.raises(UsageError, match="FILE:0.7"):
        parse_part(text)


@pytest.fixture
def models(tmp_path):
    (tmp_path / "people").mkdir()
    for name in ("people/eve.safetensors", "eve two.pt", "adam[1].safetensors"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "strength", "at"),
    [
        ("eve", 1.0, {}),
        ("eve:0.7", 0.7, {}),
        ("eve:0.4:0.7", 0.7, {"te": 0.4}),
        ("eve:te=0.4:unet=0.7", 0.7, {"te": 0.4}),
        ("eve:unet=0.7", 0.7, {"te": 1.0}),
        ("eve:te=0.4", 0.4, {}),
    ],
)
def test_a_tag_names_the_text_encoder_first(models, fields, strength, at):
    (part,) = parse_tags(f"a photo of eve <lora:{fields}> smiling", folders=[models])
    assert part == Part(file=str(models / "people/eve.safetensors"), strength=strength, at=at)


def test_names_with_spaces_and_brackets_are_found(models):
    found = parse_tags("<lora:eve two:0.5><lyco:adam[1]:0.5>", folders=[models])
    assert [part.file for part in found] == [str(models / "eve two.pt"), str(models / "adam[1].safetensors")]


@pytest.mark.parametrize("tag", ["<lora:nobody:1>", "<lora:eve:x>", "<lora:eve:1:1:64>", "<lora:eve:dyn=4>"])
def test_a_tag_that_cannot_be_mixed_is_refused(models, tag):
    with pytest.raises(UsageError):
        parse_tags(tag, folders=[models])


def test_a_recipe_is_read_with_its_files_beside_it(tmp_path):
    recipe = tmp_path / "mix.toml"
    recipe.write_text(Mix(parts=(Part(file="eve.safetensors", strength=0.7),)).to_toml())
    assert parse_mix([str(recipe)]).parts[0].file == str(tmp_path / "eve.safetensors")


def test_a_missing_recipe_and_an_empty_mix_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        parse_mix([str(tmp_path / "none.toml")])
    with pytest.raises(UsageError, match="at least one"):
        parse_mix([])


def test_a_file_whose_name_has_a_colon_is_taken_as_it_stands(tmp_path):
    name = str(tmp_path / "v:2.safetensors")
    with pytest.raises(UsageError, match=r"FILE:0\.7"):
        parse_part(name)
    (tmp_path / "v:2.safetensors").write_bytes(b"")
    assert parse_part(name) == Part(file=name)
    assert parse_part(f"{name}:0.5") == Part(file=name, strength=0.5)
    assert parse_part("x" * 5000 + ":0.5").strength == 0.5


@pytest.mark.parametrize("texts", [["mix.toml", "a.safetensors"], ["mix.toml:0.5"], ["a.pt", "b.json:te=1"]])
def test_a_recipe_among_parts_is_refused(texts):
    with pytest.raises(UsageError, match="a recipe stands alone and takes no strength"):
        parse_mix(texts)


def test_the_index_of_a_sharded_model_is_no_recipe():
    assert parse_mix(["m.safetensors.index.json"]).parts[0].file == "m.safetensors.index.json"


TYPO = '[[parts]]\nfile = "a"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TYPO + "strenght = 1", "part 1: strenght is an unknown field (did you mean strength?)."),
        (TYPO.replace("parts", "partz"), "partz is an unknown field (did you mean parts?)."),
        (TYPO + "strength = 'much'", "part 1: strength is no number."),
        (TYPO + "strength = 1000", "part 1: strength is above 100."),
        (TYPO + "at = { te = nan }", "part 1: at.te is no finite number."),
        ("seed = 'x'\n" + TYPO, "seed is no whole number."),
        ("options = { a = [1] }\n" + TYPO, "options.a is no text, number or truth value."),
        ("parts = ['a']", "part 1 is no table of fields."),
        ("parts = []", "parts needs at least one part."),
        ("[[parts]]\nstrength = 1", "part 1: file is missing."),
        ("schema_version = 9\n" + TYPO, "schema_version is no version that this Eleven reads (it reads 1)."),
    ],
)
def test_a_recipe_is_faulted_once_for_each_typo_and_by_its_name(tmp_path, text, told):
    (tmp_path / "mix.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        parse_mix([str(tmp_path / "mix.toml")])
    assert caught.value.cause == f"{tmp_path / 'mix.toml'}: the recipe does not fit: {told}"


def test_a_missing_recipe_has_a_way_out(tmp_path):
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read as a recipe: No such file.*Check the path"):
        parse_mix([str(tmp_path / "none.toml")])
