"""Tensors appended one by one make a file that safetensors itself reads."""

from __future__ import annotations

from hashlib import sha256

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from eleven.errors import OutputError, TensorError
from eleven.files.container import Entry
from eleven.files.growing import GrowingFile, room_for

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name != "__metadata__"
)


@given(
    st.dictionaries(NAMES, st.lists(st.integers(0, 4), max_size=3), max_size=6),
    st.dictionaries(NAMES, st.text(st.characters(blacklist_categories=["Cs"]), max_size=40), max_size=4),
)
def test_any_names_shapes_and_metadata_read_back(tmp_path_factory, shapes, metadata):
    path = tmp_path_factory.mktemp("growing") / "a.safetensors"
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    with GrowingFile(path, room=room_for(list(tensors), metadata), size=0) as file:
        for name, tensor in tensors.items():
            file.append(name, tensor)
            assert file.read(name).equal(tensor)
        file.metadata |= metadata
        digest = file.digest
    with safe_open(path, "pt") as opened:
        assert set(opened.keys()) == set(tensors)
        assert all(opened.get_tensor(name).equal(tensor) for name, tensor in tensors.items())
        assert (opened.metadata() or {}) == metadata
    raw = path.read_bytes()
    assert sha256(raw[8 + int.from_bytes(raw[:8], "little") :]).hexdigest() == digest


def test_room_is_enough_for_long_shapes_and_large_files(tmp_path):
    names = [f"layer.{at}" for at in range(200)]
    with GrowingFile(tmp_path / "a", room=room_for(names, {}), size=0) as file:
        for name in names:
            file.append(name, torch.zeros(1, 1, 1, 1, 1, 0, 123456789, dtype=torch.bfloat16))
    with safe_open(tmp_path / "a", "pt") as opened:
        assert set(opened.keys()) == set(names)


def test_names_are_used_once_and_data_are_aligned(tmp_path):
    with GrowingFile(tmp_path / "a", room=1000, size=0) as file:
        file.append("a", torch.zeros(3, dtype=torch.float16))
        with pytest.raises(TensorError, match=r"a cannot be appended as F32 \[1\]"):
            file.append("a", torch.zeros(1))
        with pytest.raises(TensorError, match="b cannot be appended"):
            file.reserve("b", Entry("F32", (1,)))


def test_header_without_room_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="bug in Eleven"), GrowingFile(tmp_path / "a", room=8, size=0) as file:
        file.append("a", torch.zeros(3))
    assert not list(tmp_path.iterdir())


def test_error_inside_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), GrowingFile(tmp_path / "a", room=800, size=0) as file:
        file.append("a", torch.zeros(3))
        _ = 1 // 0
    assert not list(tmp_path.iterdir())


def test_a_header_larger_than_safetensors_allows_is_refused(tmp_path):
    with pytest.raises(OutputError, match="more than safetensors allows"):
        GrowingFile(tmp_path / "a.safetensors", room=200_000_000, size=0)
    assert not list(tmp_path.iterdir())
