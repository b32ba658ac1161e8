import json

import pytest
from adapters_for_tests import factors, write_lora

from eleven.finetunes.opening import open_finetune
from eleven.suggestions.origins import Origin, origin_of, same_base, same_words

SHA, OTHER = "ab" * 32, "cd" * 32


def told(tmp_path, **metadata):
    with open_finetune(write_lora(tmp_path / "a.safetensors", factors(0), **metadata)) as tune:
        return origin_of(tune)


def test_kohya_tells_base_run_and_words(tmp_path):
    found = told(
        tmp_path,
        ss_sd_model_name="anime.safetensors",
        ss_new_sd_model_hash=SHA.upper(),
        ss_sd_model_hash="5386e8fb",
        ss_session_id="859334563",
        ss_training_started_at="1680789496.7",
        ss_tag_frequency=json.dumps({"10_smf": {"smf girl": 40, "sitting": 3}}),
        ss_output_name="smf_v2",
    )
    assert found == Origin("anime.safetensors", SHA, False, "5386e8fb", "859334563 1680789496.7", ("smf girl",))
    assert found.called == "smf girl"


def test_eleven_tells_the_same(tmp_path):
    training = {"base": "sd15", "base_sha256": SHA, "base_folder": True, "identity": "run one"}
    found = told(tmp_path, eleven__training=json.dumps(training), modelspec__trigger_phrase="ohwx man")
    assert found == Origin("sd15", SHA, True, "", "run one", ("ohwx man",))


def test_peft_in_diffusers_tells_the_base(tmp_path):
    settings = {"unet.base_model_name_or_path": "org/sd15", "unet.r": 4}
    assert told(tmp_path, lora_adapter_metadata=json.dumps(settings)).base == "sd15"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"eleven__training": "no json", "ss_new_sd_model_hash": "xyz", "ss_session_id": "1"},
        {"eleven__training": "[1]", "ss_sd_model_hash": "12345", "ss_sd_model_name": "None"},
        {"eleven__training": '{"base": 3, "base_sha256": [], "base_folder": "yes", "identity": null}'},
    ],
)
def test_what_is_malformed_or_missing_is_not_told(metadata, tmp_path):
    assert told(tmp_path, **metadata) == Origin()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (Origin(base_sha256=SHA), Origin(base_sha256=SHA), True),
        (Origin(base_sha256=SHA), Origin(base_sha256=OTHER), False),
        (Origin(base_sha256=SHA, base_folder=True), Origin(base_sha256=OTHER), None),
        (Origin(base_short="11111111"), Origin(base_short="22222222", base_sha256=SHA), False),
        (Origin(base="sd15"), Origin(base="SD15"), True),
        (Origin(base="sd15"), Origin(base="v1-5"), None),
        (Origin(), Origin(base="sd15", base_sha256=SHA), None),
    ],
)
def test_bases_are_told_apart_by_hashes_alone(first, second, same):
    assert same_base(first, second) is same
    assert same_base(second, first) is same


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("sks person",), ("sks person",), True),
        (("ohwx",), ("OHWX man",), True),
        (("photo of sks person", "smiling"), ("sks person",), True),
        (("sks person",), ("sks cat",), False),
        (("eve",), ("anna", "anna smiling"), False),
        ((), ("anna",), None),
    ],
)
def test_words_agree_where_one_holds_the_other(first, second, same):
    assert same_words(Origin(words=first), Origin(words=second)) is same
    assert same_words(Origin(words=second), Origin(words=first)) is same
