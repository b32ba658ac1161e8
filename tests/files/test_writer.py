"""The streamed writer: the official library's own bytes, whole files or none, refusals with numbers."""

import shutil
from collections import namedtuple

import pytest
import safetensors.torch
import torch
from test_safetensors import every_type, same

from eleven.errors import OutputError, TensorError
from eleven.files.container import Entry
from eleven.files.safetensors import SafetensorsFile
from eleven.files.writer import SafetensorsWriter, entry_of, write_safetensors

LAYOUT = {"x": Entry("F32", (2,))}
Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("metadata", [None, {"a": 'é"\n\\\t\x01/'}])
def test_bytes_are_those_of_the_official_library(tmp_path, metadata):
    write_safetensors(tmp_path / "ours", every_type(), metadata=metadata)
    safetensors.torch.save_file(every_type(), tmp_path / "theirs", metadata=metadata)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_the_official_library_reads_what_is_written(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", every_type(), metadata={"b": "2", "a": "1"})
    read = safetensors.torch.load_file(tmp_path / "a.safetensors")
    assert all(same(read[key], tensor) for key, tensor in every_type().items())


def test_order_of_tensors_and_metadata_does_not_change_a_byte(tmp_path):
    tensors, metadata = every_type(), {"b": "2", "a": "1"}
    write_safetensors(tmp_path / "one", tensors, metadata=metadata)
    layout = {key: entry_of(tensors[key]) for key in reversed(list(tensors))}
    with SafetensorsWriter(tmp_path / "two", layout, metadata=dict(reversed(metadata.items()))) as writer:
        for key in sorted(layout):
            writer.write(key, tensors[key])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_views_and_parameters_are_written_as_their_values(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = {"t": whole.T, "rows": whole[::2], "spread": whole[:1].expand(3, 4), "p": torch.nn.Parameter(whole)}
    write_safetensors(tmp_path / "a", tensors)
    with SafetensorsFile(tmp_path / "a") as file:
        assert all(torch.equal(file.read(key), tensor) for key, tensor in tensors.items())


def test_nothing_is_left_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), SafetensorsWriter(tmp_path / "a", LAYOUT):
        raise KeyboardInterrupt
    with pytest.raises(TensorError, match="x and 0 more were never written"):
        SafetensorsWriter(tmp_path / "a", LAYOUT).close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tensor", [torch.ones(3), torch.ones(2).half(), torch.ones(2, 1)])
def test_tensors_unlike_the_layout_are_refused(tmp_path, tensor):
    with (
        pytest.raises(TensorError, match="x: "),
        SafetensorsWriter(tmp_path / "a", LAYOUT) as writer,
    ):
        writer.write("x", tensor)
    assert not list(tmp_path.iterdir())


def test_a_tensor_is_written_once_and_only_if_listed(tmp_path):
    with (
        pytest.raises(TensorError, match="y: "),
        SafetensorsWriter(tmp_path / "a", LAYOUT) as writer,
    ):
        writer.write("x", torch.ones(2))
        writer.write("y", torch.ones(2))


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_safetensors(tmp_path / "a", {"x": torch.ones(2)})
    assert (tmp_path / "a").read_text() == "precious"
    write_safetensors(tmp_path / "a", {"x": torch.ones(2)}, force=True)
    with SafetensorsFile(tmp_path / "a") as file:
        assert file.read("x").tolist() == [1, 1]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    with pytest.raises(OutputError, match="exists"), SafetensorsWriter(tmp_path / "a", {}):
        (tmp_path / "a").write_text("precious")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "precious")]


def test_folders_are_no_targets(tmp_path):
    for place in (tmp_path, tmp_path / "gone" / "a"):
        with pytest.raises(OutputError, match=str(place.name)):
            write_safetensors(place, {"x": torch.ones(2)}, force=True)


def test_a_full_disk_is_refused_with_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 100))
    with pytest.raises(OutputError, match=r"needs 4,?0\d\d bytes where the disk has 100 left"):
        write_safetensors(tmp_path / "a", {"x": torch.ones(1000)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("metadata", [{"a": "\ud800"}, {"a": 1}, {"\udfff": "a"}])
def test_metadata_that_is_no_text_is_refused(tmp_path, metadata):
    with pytest.raises(OutputError):
        write_safetensors(tmp_path / "a", {}, metadata=metadata)
    assert not list(tmp_path.iterdir())


def test_types_without_a_name_and_reserved_names_are_refused(tmp_path):
    with pytest.raises(TensorError, match="complex64 cannot be stored"):
        write_safetensors(tmp_path / "a", {"x": torch.ones(2, dtype=torch.complex64)})
    with pytest.raises(OutputError, match="__metadata__"):
        write_safetensors(tmp_path / "a", {"__metadata__": torch.ones(2)})
