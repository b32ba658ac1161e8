import pytest

from eleven.engines.engine import Shot
from eleven.engines.shot_text import all_prompts, parse_seeds, parse_size, sampled_by, shots_of
from eleven.errors import ElevenError, FileError, UsageError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1-4", [1, 2, 3, 4]),
        ("3,5,9", [3, 5, 9]),
        ("7", [7]),
        ("0", [0]),
        (" 1 - 3 , 9 ", [1, 2, 3, 9]),
        ("9,1-2", [9, 1, 2]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "1-", "-1", "1,,2", "4-1", "1-3,2", "5,5", "1.5", "4294967296", "0-4294967295", "1 2", "٣", "1-2-3"],
)
def test_seeds_that_are_none_are_told(text):
    with pytest.raises(UsageError, match="--seeds is") as error:
        parse_seeds(text)
    assert error.value.hint


@pytest.mark.parametrize(("text", "size"), [("768x512", (768, 512)), ("64X64", (64, 64)), (" 8 x 8192 ", (8, 8192))])
def test_sizes_are_width_and_height(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "512", "512x", "x512", "0x512", "513x512", "512x8200", "512*512", "-8x8", "5e2x8"]
)
def test_sizes_that_are_none_are_told(text):
    with pytest.raises(UsageError, match="--size is"):
        parse_size(text)


def test_every_prompt_is_taken_with_every_seed():
    template = Shot("", 0, negative="fog", steps=5)
    shots = shots_of(["one", "two"], [1, 2], template)
    assert [(shot.prompt, shot.seed) for shot in shots] == [("one", 1), ("one", 2), ("two", 1), ("two", 2)]
    assert {(shot.negative, shot.steps) for shot in shots} == {("fog", 5)}


def test_more_than_can_be_meant_is_refused():
    with pytest.raises(UsageError, match="are more than 10,000 pictures"):
        shots_of(["x"] * 101, range(100), Shot("", 0))


def test_prompts_come_from_words_and_a_file(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffa photo of ève\r\n\n  at the beach  \na cat\n".encode())
    assert all_prompts(["a cat"], file) == ["a cat", "a photo of ève", "at the beach"]


@pytest.mark.parametrize(
    ("prompts", "told"),
    [
        ([], "there is no prompt"),
        (["a <lora:eve:0.7> photo"], "<lora:eve:0.7>"),
        (["bell \x07"], "cannot be printed"),
        (["half \udc80"], "cannot be printed"),
    ],
)
def test_prompts_that_are_none_are_told(prompts, told):
    with pytest.raises(UsageError, match=told):
        all_prompts(prompts, None)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00x", None])
def test_files_without_prompts_are_told(tmp_path, content):
    file = tmp_path / "prompts.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FileError, match=r"prompts\.txt"):
        all_prompts([], file)


def test_empty_prompt_can_be_meant():
    assert all_prompts([""], None) == [""]


def test_folder_is_no_file_of_prompts(tmp_path):
    with pytest.raises(ElevenError, match="cannot be read"):
        all_prompts([], tmp_path)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (("", ""), ("", "")),
        (("euler_ancestral", ""), ("Euler a", "")),
        (("DPM++ 2M Karras", ""), ("DPM++ 2M", "Karras")),
        (("dpm++ 2m", "karras"), ("DPM++ 2M", "Karras")),
        (("Euler", "Automatic"), ("Euler", "")),
    ],
)
def test_samplers_are_written_as_a1111_names_them(given, written):
    assert sampled_by(*given) == written


@pytest.mark.parametrize("given", [("Eulr", ""), ("Euler", "Karas")])
def test_samplers_that_are_none_are_told(given):
    with pytest.raises(UsageError, match="is called"):
        sampled_by(*given)
