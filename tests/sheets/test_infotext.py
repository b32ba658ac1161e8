import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eleven.engines.engine import Shot
from eleven.errors import FileError
from eleven.mix_text import Tag, read_tags, spell
from eleven.sheets.infotext import Infotext, hashes_of, parameters_of, quoted, read_infotext, settled, shot_of

FULL = (
    "a photo of eve, (smile:1.2) <lora:eve:te=0.4:unet=0.7> <lora:eve 2:1>\n"
    "Negative prompt: blurry\n"
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 512x768, Clip skip: 2, "
    'RNG: CPU, Model: sd15, Lora hashes: "eve: 0123456789ab, eve 2: ba9876543210", Version: eleven 0.1.0'
)
A1111 = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')

names = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="<>:="), min_size=1).filter(
    lambda name: name == name.strip()
)
strengths = st.floats(-100, 100).map(lambda value: round(value, 4) + 0.0)
texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
hostile = st.one_of(
    texts,
    st.sampled_from(
        [
            "Negative prompt: sneaky",
            "a\nNegative prompt: b\nNegative prompt: c",
            "x\nSteps: 20, Sampler: Euler, Seed: 1, Size: 1x1",
            'Steps: 1, Model: "a, b", Seed: "',
            "\\(escaped\\) (nested (weights:1.1):1.2) [from:to:0.5]",
            "a < b > c <lora", "BREAK\n\n\nBREAK", "\u2028 \u0085 end", '"', "年: ✨, é",
        ]
    ),
)  # fmt: skip


def as_a1111_reads(text):
    """The dictionary that A1111's grammar gives, written anew from its description in the conventions."""
    *lines, last = text.strip().split("\n")
    found = A1111.findall(last)
    assert len(found) >= 3
    told = {"Prompt": [], "Negative prompt": []}
    place = "Prompt"
    for line in map(str.strip, lines):
        if line.startswith("Negative prompt:"):
            place, line = "Negative prompt", line[16:].strip()
        told[place].append(line)
    told = {key: "\n".join(value) for key, value in told.items()}
    for key, value in found:
        told[key] = json.loads(value) if value[:1] == '"' == value[-1:] else value
    return told


def test_infotext_is_written_as_a1111_writes_it():
    tags = (Tag("eve", 0.4, 0.7), Tag("eve 2", 1.0, 1.0))
    shot = Shot("", 42, "", "DPM++ 2M", "Karras", guidance=7.5, clip_skip=2)
    told = parameters_of(shot, 512, 768) | {"Model": "sd15"}
    told |= {"Lora hashes": "eve: 0123456789ab, eve 2: ba9876543210", "Version": "eleven 0.1.0"}
    assert str(Infotext("a photo of eve, (smile:1.2)", "blurry", tags, told)) == FULL


def test_infotext_is_read_back_with_its_tags_hashes_and_shot():
    told = read_infotext(FULL)
    assert told.tags == (Tag("eve", 0.4, 0.7), Tag("eve 2", 1.0, 1.0))
    assert hashes_of(told) == {"eve": "0123456789ab", "eve 2": "ba9876543210"}
    assert shot_of(told) == Shot(
        "a photo of eve, (smile:1.2)", 42, "blurry", "DPM++ 2M", "Karras", 20, 7.5, 512, 768, 2
    )
    assert str(told) == FULL


def test_a1111_reads_the_encoders_strength_first_and_names_make_the_order_plain():
    assert read_tags("<lora:eve:0.4:0.7>") == read_tags("<lora:eve:unet=0.7:te=0.4>") == [Tag("eve", 0.4, 0.7)]
    assert str(Tag("eve", 0.4, 0.7)) == "<lora:eve:te=0.4:unet=0.7>"
    assert str(Tag("eve", 0.7, 0.7)) == "<lora:eve:0.7>"


@pytest.mark.parametrize(
    ("name", "sampler", "schedule"),
    [("DPM++ 2M Karras", "DPM++ 2M", "Karras"), ("Euler a", "Euler a", ""), ("LMS Karras", "LMS", "Karras")],
)
def test_joined_names_of_samplers_are_taken_apart(name, sampler, schedule):
    shot = shot_of(read_infotext(f"x\nSteps: 20, Sampler: {name}, CFG scale: 7, Seed: 1"))
    assert (shot.sampler, shot.schedule) == (sampler, schedule)


def test_text_without_parameters_is_all_prompt():
    assert read_infotext("a cat, Mood: calm, sitting").parameters == {}
    assert read_infotext("a cat, Mood: calm, sitting").prompt == "a cat, Mood: calm, sitting"
    assert read_infotext("") == Infotext("")


@pytest.mark.parametrize("line", ["Seed: many", "Steps: 2.5", "CFG scale: high", "Size: large", "Clip skip: "])
def test_values_that_are_none_are_told(line):
    with pytest.raises(FileError, match=line.partition(":")[0]):
        shot_of(read_infotext(f"x\nModel: m, Version: v, {line}, RNG: CPU"))


@settings(deadline=None)
@given(prompt=hostile, negative=hostile, tags=st.lists(st.builds(Tag, names, strengths, strengths), max_size=3))
def test_any_prompt_comes_back_as_the_grammar_can_hold_it(prompt, negative, tags):
    written = Infotext(prompt, negative, tuple(tags), parameters_of(Shot(prompt, 7), 64, 64))
    read = read_infotext(str(written))
    assert read.prompt == settled(prompt)
    assert read.negative == settled(negative)
    assert read.tags == tuple(tags)
    assert read.parameters == written.parameters
    assert str(read) == str(written)


@settings(deadline=None)
@given(prompt=hostile, negative=hostile)
def test_the_regular_expression_of_a1111_reads_the_same(prompt, negative):
    told = as_a1111_reads(str(Infotext(prompt, negative, (), parameters_of(Shot(prompt, 7), 64, 64))))
    assert told["Prompt"] == settled(prompt)
    assert told["Negative prompt"] == settled(negative)
    assert (told["Steps"], told["Seed"], told["Size"]) == ("20", "7", "64x64")


@settings(deadline=None)
@given(value=texts.filter(bool), after=texts.filter(bool))
def test_any_value_comes_back_whatever_stands_beside_it(value, after):
    told = {"Model": value, "Steps": "20", "Note": after, "Seed": "1"}
    text = str(Infotext("x", "", (), told))
    assert read_infotext(text).parameters == told
    assert {key: as_a1111_reads(text)[key] for key in told} == told


@settings(deadline=None)
@given(prompt=hostile)
def test_settled_prompts_stay_as_they_are(prompt):
    assert settled(settled(prompt)) == settled(prompt)


@settings(deadline=None)
@given(value=strengths)
def test_numbers_are_spelled_so_that_they_read_back(value):
    assert float(spell(value)) == value
    assert not spell(value).endswith(".0")


def test_plain_values_stay_unquoted():
    assert [quoted(value) for value in ("Euler a", "a, b", "a: b", 'x "y"')] == [
        "Euler a", '"a, b"', '"a: b"', 'x "y"',
    ]  # fmt: skip
