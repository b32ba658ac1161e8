"""Every path opens by its content: files, shards, pipelines, adapters; anything else is named for what it is."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import FileError
from eleven.files.hashes import identity
from eleven.files.opening import open_container

A, B = {"a": torch.ones(2)}, {"b": torch.zeros(3).half()}
LOOKS = {
    "is empty": b"",
    "is a git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n",
    "is a web page": b"\n <!DOCTYPE html><html>",
    "web page: the": b"<html><head>",
    "is an XML answer": b"<?xml version='1.0'?><Error>AccessDenied",
    "is a PNG picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "is a JPEG picture": b"\xff\xd8\xff\xe0",
    "is a GGUF model": b"GGUF\3\0\0\0",
    "is nothing but zeros": bytes(100),
    "is a tar archive": b"a".ljust(257, b"\0") + b"ustar\0",
    "is a JSON file without a weight_map": b'{"a": 1}',
    "is not JSON": b"{a: 1}",
}


def index(folder: Path, weight_map: object, name: str = "model.safetensors.index.json") -> Path:
    (folder / name).write_text(json.dumps({"metadata": {"total_size": 3}, "weight_map": weight_map}))
    return folder / name


def opened(path: Path) -> tuple[str, dict[str, list[float]]]:
    with open_container(path) as file:
        return file.kind, {key: file.read(key).tolist() for key in file.entries}


def saved(tensors: dict[str, torch.Tensor], place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    (save_file if place.suffix == ".safetensors" else torch.save)(tensors, place)
    return place


@pytest.mark.parametrize("ending", ["safetensors", "pt", "bin", "ckpt", "txt"])
@pytest.mark.parametrize("reason", LOOKS)
def test_what_is_no_model_is_named(tmp_path, reason, ending):
    place = tmp_path / f"a.{ending}"
    place.write_bytes(LOOKS[reason])
    with pytest.raises(FileError, match=reason) as caught:
        open_container(place)
    assert str(place) in caught.value.cause


@pytest.mark.parametrize("place", ["gone.safetensors", "a\0b", "x" * 300])
def test_paths_to_nothing_are_named(tmp_path, place):
    with pytest.raises(FileError, match=r"cannot be opened"):
        open_container(tmp_path / place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    for place in (tmp_path / "pipe.safetensors", Path("/dev/zero")):
        for read in (open_container, identity):
            with pytest.raises(FileError, match=r"is no regular file\."):
                read(place)


def test_what_is_a_model_of_another_kind_is_not_told_to_be_none(tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"GGUF\3\0\0\0")
    with pytest.raises(FileError, match=r"a GGUF model, a kind that Eleven does not read\. Fetch the model again"):
        open_container(tmp_path / "a.gguf")


def test_content_decides_and_not_the_name(tmp_path):
    saved(A, tmp_path / "a.safetensors").rename(tmp_path / "a.ckpt")
    torch.save(A, tmp_path / "a.safetensors")
    assert opened(tmp_path / "a.ckpt") == ("safetensors", {"a": [1, 1]})
    assert opened(tmp_path / "a.safetensors") == ("pickle", {"a": [1, 1]})


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_shards_are_one_container(tmp_path, ending):
    saved(A, tmp_path / f"one.{ending}")
    saved(B, tmp_path / f"two.{ending}")
    place = index(tmp_path, {"a": f"one.{ending}", "b": f"two.{ending}"}, f"x.{ending}.index.json")
    kind, tensors = opened(place)
    assert kind.startswith("sharded ") and tensors == {"a": [1, 1], "b": [0, 0, 0]}


@pytest.mark.parametrize("name", ["../a.safetensors", "/etc/passwd", "..", "", "sub/a", "C:a", "..\\a", 3, "a\0"])
def test_shards_outside_the_folder_are_refused(tmp_path, name):
    saved(A, tmp_path / "a.safetensors")
    (tmp_path / "in").mkdir()
    with pytest.raises(FileError, match="a: .* is no file of this folder"):
        open_container(index(tmp_path / "in", {"a": name}))


def test_missing_shards_and_keys_are_named(tmp_path):
    saved(A, tmp_path / "one.safetensors")
    with pytest.raises(FileError, match=r"1 of its 2 files are missing \(first: two.safetensors\)"):
        open_container(index(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"}))
    with pytest.raises(FileError, match="b: is not in one.safetensors"):
        open_container(index(tmp_path, {"a": "one.safetensors", "b": "one.safetensors"}))
    saved(A, tmp_path / "two.safetensors")
    with pytest.raises(FileError, match="a: stands in both"):
        saved(A | B, tmp_path / "one.safetensors")
        open_container(index(tmp_path, {"b": "one.safetensors", "a": "two.safetensors"}))


def pipeline(folder: Path) -> Path:
    saved(A, folder / "unet" / "diffusion_pytorch_model.safetensors")
    saved(B, folder / "text_encoder" / "pytorch_model.bin")
    (folder / "scheduler").mkdir()
    described = {"_class_name": "X", "unet": ["diffusers", "U"], "text_encoder": ["t", "C"], "scheduler": ["d", "S"]}
    (folder / "model_index.json").write_text(json.dumps({**described, "../unet": ["a", "b"], "vae": [None, None]}))
    return folder


def test_a_pipeline_has_its_components_as_prefixes(tmp_path):
    kind, tensors = opened(pipeline(tmp_path))
    assert kind == "diffusers folder" and tensors == {"unet.a": [1, 1], "text_encoder.b": [0, 0, 0]}


def test_a_pipeline_without_its_index_is_found_by_folder_names(tmp_path):
    (pipeline(tmp_path) / "model_index.json").unlink()
    assert set(opened(tmp_path)[1]) == {"unet.a", "text_encoder.b"}


def test_safetensors_come_before_pickles_and_variants_last(tmp_path):
    names = ["model.fp16.safetensors", "pytorch_model.bin", "model.safetensors"]
    for value, name in enumerate(names):
        saved({"a": torch.tensor([float(value)])}, tmp_path / "unet" / name)
        assert opened(tmp_path)[1] == {"unet.a": [value]}


def test_a_component_may_be_sharded(tmp_path):
    saved(A, tmp_path / "transformer" / "one.safetensors")
    index(tmp_path / "transformer", {"a": "one.safetensors"}, "diffusion_pytorch_model.safetensors.index.json")
    assert opened(tmp_path)[1] == {"transformer.a": [1, 1]}


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "pytorch_lora_weights.safetensors", "mine.safetensors"])
def test_an_adapter_folder_is_its_file(tmp_path, name):
    saved(A, tmp_path / name)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert opened(tmp_path)[1] == {"a": [1, 1]}


def test_folders_without_one_model_say_what_they_hold(tmp_path):
    with pytest.raises(FileError, match="holds no model"):
        open_container(tmp_path)
    saved(A, tmp_path / "a.safetensors")
    saved(A, tmp_path / "b.safetensors")
    with pytest.raises(FileError, match=r"holds 2 model files \(a.safetensors, b.safetensors"):
        open_container(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{", '{"a":1,"a":2}', ""])
def test_a_damaged_pipeline_index_is_named(tmp_path, text):
    (pipeline(tmp_path) / "model_index.json").write_text(text)
    with pytest.raises(FileError, match="model_index.json"):
        open_container(tmp_path)


def test_a_damaged_component_closes_the_others(tmp_path):
    (pipeline(tmp_path) / "text_encoder" / "pytorch_model.bin").write_bytes(b"junk")
    with pytest.raises(FileError, match="pytorch_model.bin"):
        open_container(tmp_path)


def test_every_real_file_opens_and_reads(assets):
    kinds = (".safetensors", ".pt", ".bin")
    places = [place for place in sorted(assets.rglob("*")) if place.suffix in kinds]
    for place in places:
        with open_container(place) as file:
            assert file.entries
            for key, entry in file.entries.items():
                assert tuple(file.read(key).shape) == entry.shape
    assert len(places) >= 40
