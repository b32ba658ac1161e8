"""Trigger words from each program's sidecar and from trainers' metadata; damage becomes a warning."""

import json

import pytest
from hostile import mutations

from eleven.files.sidecars import ENDINGS, Trigger, trigger_words

SIDECARS = {
    ".json": {"activation text": "sks dog, blue  hat", "preferred weight": 0.8},
    ".civitai.info": {"trainedWords": ["sks dog", "blue hat"]},
    ".metadata.json": {"file_name": "a", "civitai": {"trainedWords": ["sks dog, blue hat"]}},
    ".swarm.json": {"modelspec.trigger_phrase": "sks dog, blue hat"},
    ".cm-info.json": {"TrainedWords": ["sks dog", None, 7, "blue hat"]},
}


def texts(found):
    return [one.text for one in found.words]


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_programs_sidecar_is_read(tmp_path, ending):
    (tmp_path / f"my.dog{ending}").write_text("\ufeff" + json.dumps(SIDECARS[ending]), encoding="utf-8")
    found = trigger_words(tmp_path / "my.dog.safetensors", {})
    source = f"my.dog{ending}"
    assert found.words == (Trigger("sks dog", source), Trigger("blue hat", source)) and not found.warnings


def test_a_word_is_told_once_under_its_first_source(tmp_path):
    (tmp_path / "a.json").write_text('{"activation text": "SKS"}')
    found = trigger_words(tmp_path / "a.pt", {"modelspec.trigger_phrase": "sks, more", "ss_output_name": "more"})
    assert found.words == (Trigger("SKS", "a.json"), Trigger("more", "modelspec.trigger_phrase"))


def test_frequent_tags_are_trigger_words_and_rare_ones_are_not():
    tags = {"10_dog": {"sks dog": 10, " grass ": 6, "sky": 1}, "1_more": {"sky": 2, "odd": "x"}, "junk": 3}
    found = trigger_words("a.safetensors", {"ss_tag_frequency": json.dumps(tags), "ss_output_name": "mine"})
    assert [(one.text, one.source) for one in found.words] == [
        ("sks dog", "ss_tag_frequency"),
        ("grass", "ss_tag_frequency"),
        ("mine", "ss_output_name"),
    ]


def test_malformed_sidecars_and_metadata_are_warnings(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "a.civitai.info").write_text("[1]")
    (tmp_path / "a.swarm.json").write_text('{"trigger_phrase": "good"}')
    found = trigger_words(tmp_path / "a.safetensors", {"ss_tag_frequency": "{"})
    assert texts(found) == ["good"] and len(found.warnings) == 3
    assert "a.json" in found.warnings[0] and "a.civitai.info" in found.warnings[1]
    assert "ss_tag_frequency" in found.warnings[2]


@pytest.mark.parametrize("text", ["x" * 300, "a\x1b[2Jb", "", " , ,"])
def test_texts_that_are_no_words_are_left_out(text):
    assert not trigger_words("a", {"modelspec.trigger_phrase": text}).words


def test_damaged_sidecars_never_raise(tmp_path):
    raw = json.dumps(SIDECARS[".metadata.json"] | SIDECARS[".json"]).encode()
    for one in mutations(raw, 300, 5):
        (tmp_path / "a.metadata.json").write_bytes(one)
        found = trigger_words(tmp_path / "a.safetensors", {"ss_tag_frequency": one.decode(errors="replace")})
        assert all(isinstance(word.text, str) for word in found.words)


def test_real_kohya_files_tell_their_words(assets):
    from eleven.files.safetensors import SafetensorsFile

    place = assets / "lokr_smart_falcon" / "smart_falcon_4_lokr.safetensors"
    with SafetensorsFile(place) as file:
        assert texts(trigger_words(place, file.metadata))[0] == "smart falcon \\(umamusume\\)"
