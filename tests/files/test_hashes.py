"""Hashes as the other programs define them, against hashlib over whole bytes and against what a trainer stored."""

import hashlib
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from eleven.errors import FileError
from eleven.files import hashes as module
from eleven.files.hashes import hashes
from eleven.files.safetensors import SafetensorsFile


def test_hashes_are_of_the_file_and_of_what_follows_the_header(tmp_path):
    place = tmp_path / "a.safetensors"
    save_file({"a": torch.randn(700_000)}, place, metadata={"sshs_model_hash": "0123456789ABCDEF0"})
    raw = place.read_bytes()
    whole, data = (hashlib.sha256(one).hexdigest() for one in (raw, raw[8 + int.from_bytes(raw[:8], "little") :]))
    told = {"sha256": whole, "autov2": whole[:10], "addnet": data, "tensors": f"0x{data}", "autov3": "0123456789ab"}
    assert {key: value for key, value in hashes(place).items() if key != "blake3"} == told


def test_modelspec_stores_the_hash_with_a_prefix(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "a", metadata={"modelspec.hash_sha256": "0x" + "ab" * 32})
    assert hashes(tmp_path / "a")["autov3"] == "ab" * 6


@pytest.mark.parametrize("stored", ["", "0x12", "not a hash at all"])
def test_a_stored_hash_that_is_none_is_left_out(tmp_path, stored):
    save_file({"a": torch.ones(2)}, tmp_path / "a", metadata={"sshs_model_hash": stored})
    assert "autov3" not in hashes(tmp_path / "a")


def test_a_pickle_has_only_hashes_of_the_whole(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    assert set(hashes(tmp_path / "a.pt")) - {"blake3"} == {"sha256", "autov2"}


def test_blake3_is_given_where_its_package_is(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "blake3", SimpleNamespace(blake3=hashlib.md5))
    assert hashes(tmp_path / "a")["blake3"] == hashlib.md5(b"abc").hexdigest()


def test_folders_and_missing_files_are_refused(tmp_path):
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(FileError, match=place.name):
            hashes(place)


def test_the_hash_that_a_trainer_stored_is_found_again(assets):
    for place in sorted((assets / "lokr_smart_falcon").glob("*.safetensors")):
        with SafetensorsFile(place) as file:
            stored = file.metadata["sshs_model_hash"]
        found = hashes(place)
        assert found["addnet"] == stored and found["autov3"] == stored[:12]
