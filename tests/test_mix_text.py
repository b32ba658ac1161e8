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
    "text", [":0.7", "eve:much", "eve:", "eve:nan", "eve:1e9", "eve:te=", "eve:te=0.1,0.2", "eve:=1", "eve:0.7,,te=1"]
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
