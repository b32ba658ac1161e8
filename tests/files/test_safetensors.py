"""Safetensors: every type both ways with the official library, lazy reads, and each hostile header refused by name."""

import os
import subprocess
import sys
from threading import Thread

import pytest
import safetensors.torch
import torch
from hostile import safetensors_bytes

from eleven.errors import FileError
from eleven.files.dtypes import BITS, NAMES
from eleven.files.safetensors import SafetensorsFile
from eleven.files.source import Source

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def every_type() -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    raw = {name: torch.randint(0, 2, (3, 8), generator=chance, dtype=torch.uint8) for name in NAMES}
    made = {f"é.{ours}": raw[name].view(getattr(torch, name[6:])) for name, ours in NAMES.items()}
    return made | {"one": torch.tensor(2.5), "none": torch.zeros(0, 3), "z.flag": torch.tensor([True, False])}


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    bits = [one.contiguous().reshape(-1).view(torch.uint8) for one in (left, right)]
    return left.dtype == right.dtype and left.shape == right.shape and torch.equal(*bits)


def test_every_type_is_read_as_the_official_library_wrote_it(tmp_path):
    safetensors.torch.save_file(every_type(), tmp_path / "a.safetensors", metadata={"a": "ü"})
    with SafetensorsFile(tmp_path / "a.safetensors") as file:
        assert file.metadata == {"a": "ü"} and set(file.entries) == set(every_type())
        assert all(same(file.read(key), tensor) for key, tensor in every_type().items())


def test_bytes_are_read_in_pieces(tmp_path):
    safetensors.torch.save_file({"a": torch.arange(5, dtype=torch.uint8)}, tmp_path / "a.safetensors")
    buffer = bytearray(3)
    with SafetensorsFile(tmp_path / "a.safetensors") as file:
        assert file.read_into("a", memoryview(buffer), 0) == 3 and buffer == b"\0\1\2"
        assert file.read_into("a", memoryview(buffer), 3) == 2 and buffer[:2] == b"\3\4"
        assert file.read_into("a", memoryview(buffer), 9) == 0


def test_any_byte_but_zero_is_true(tmp_path):
    place = tmp_path / "a.safetensors"
    header = {"a": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}
    place.write_bytes(safetensors_bytes(header, b"\0\2\xff"))
    with SafetensorsFile(place) as file:
        assert file.read("a").tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "C64"])
def test_types_that_are_no_weights_are_listed_and_not_read(tmp_path, dtype):
    place = tmp_path / "a.safetensors"
    header = {"a": {"dtype": dtype, "shape": [8], "data_offsets": [0, BITS[dtype]]}}
    place.write_bytes(safetensors_bytes(header, bytes(BITS[dtype])))
    with SafetensorsFile(place) as file, pytest.raises(FileError, match=f"a: no weights are read from {dtype}"):
        file.read("a")


HOSTILE = {
    "cannot hold a safetensors header": b"\1\0\0",
    "header of 99999 bytes": safetensors_bytes({}, length=99999),
    "header of 18446744073709551615 bytes": safetensors_bytes({}, length=2**64 - 1),
    "the header is not JSON": safetensors_bytes(b'{"a": nope}'),
    "is not JSON: 'utf-8'": safetensors_bytes(b'{"\xff": 1}'),
    "nested too deeply": safetensors_bytes(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "more than any model": safetensors_bytes(b'{"a":[' + b"[]," * 2_100_000 + b"1]}"),
    "is not a JSON object": safetensors_bytes([1]),
    "a: stands twice": safetensors_bytes(b'{"a":{},"a":{}}'),
    "a: is not described by an object": safetensors_bytes({"a": 7}),
    "a: has the unknown type Q4": safetensors_bytes({"a": {**ONE, "dtype": "Q4"}}, bytes(8)),
    "a: has the unknown type None": safetensors_bytes({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "a: the shape": safetensors_bytes({"a": {**ONE, "shape": [-2]}}, bytes(8)),
    "a: the shape True": safetensors_bytes({"a": {**ONE, "shape": True}}, bytes(8)),
    "a: the shape [2.0]": safetensors_bytes({"a": {**ONE, "shape": [2.0]}}, bytes(8)),
    "a: the place of its data": safetensors_bytes({"a": {**ONE, "data_offsets": [0, 2**70]}}, bytes(8)),
    "a: the place of its data is no pair": safetensors_bytes({"a": {**ONE, "data_offsets": [8]}}, bytes(8)),
    "a: 8 bytes cannot hold F32 [4294967296, 4294967296]": safetensors_bytes(
        {"a": {**ONE, "shape": [2**32] * 2}}, bytes(8)
    ),
    "a: -8 bytes cannot hold": safetensors_bytes({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8)),
    "b: its data overlaps": safetensors_bytes({"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}}, bytes(12)),
    "b: its data leaves a hole": safetensors_bytes({"a": ONE, "b": {**ONE, "data_offsets": [12, 20]}}, bytes(20)),
    "holds 4 bytes of data where the header tells of 8": safetensors_bytes({"a": ONE}, bytes(4)),
    "holds 9 bytes": safetensors_bytes({"a": ONE}, bytes(9)),
    "__metadata__ is not an object": safetensors_bytes({"__metadata__": []}),
    "__metadata__ k: is not text": safetensors_bytes({"__metadata__": {"k": 1}}),
    "holds half a character": safetensors_bytes(b'{"__metadata__":{"k":"\\ud800"}}'),
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_headers_are_refused_with_file_and_reason(tmp_path, reason):
    place = tmp_path / "bad.safetensors"
    place.write_bytes(HOSTILE[reason])
    with pytest.raises(FileError) as caught:
        SafetensorsFile(place)
    assert caught.value.cause.startswith(str(place)) and reason in caught.value.cause
    place.unlink()


def test_missing_files_and_keys_are_named(tmp_path):
    with pytest.raises(FileError, match="gone.safetensors: cannot be opened: No such file"):
        SafetensorsFile(tmp_path / "gone.safetensors")
    (tmp_path / "a.safetensors").write_bytes(safetensors_bytes({}))
    with SafetensorsFile(tmp_path / "a.safetensors") as file, pytest.raises(FileError, match="no tensor b"):
        file.read("b")


def test_a_file_that_shrinks_after_opening_ends_in_an_error(tmp_path):
    place = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": torch.ones(100)}, place)
    with SafetensorsFile(place) as file:
        os.truncate(place, 200)
        with pytest.raises(FileError, match="too early"):
            file.read("a")


def test_tensors_outlive_the_closed_and_deleted_file(tmp_path):
    place = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": torch.ones(100)}, place)
    with SafetensorsFile(place) as file:
        tensor = file.read("a")
    place.unlink()
    assert tensor.add_(1).eq(2).all()
    with pytest.raises(FileError, match="was closed"):
        file.read("a")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")
def test_a_file_deleted_while_open_is_read_on(tmp_path):
    place = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": torch.ones(100)}, place)
    with SafetensorsFile(place) as file:
        place.unlink()
        assert file.read("a").eq(1).all()


@pytest.mark.parametrize("without", [[], ["preadv"]], ids=["preadv", "seek"])
def test_threads_read_at_their_own_positions(tmp_path, monkeypatch, without):
    for name in without:
        monkeypatch.delattr(os, name, raising=False)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 64)
    source, wrong = Source(tmp_path / "a"), []

    def read(number: int) -> None:
        wrong.extend(at for at in range(number, 4000, 7) if source.read(at, 3)[0] != at % 256)

    threads = [Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    source.close()
    assert not wrong


def test_headers_values_and_hashes_need_no_torch(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(3)}, tmp_path / "a.safetensors")
    code = (
        "import sys; from eleven.files.opening import open_container; from eleven.files.values import scan_values\n"
        "from eleven.files.hashes import hashes; from eleven.files.sidecars import trigger_words\n"
        "from eleven.techniques.textual_inversion import find_words\n"
        f"path = {str(tmp_path / 'a.safetensors')!r}\n"
        "with open_container(path) as file: print(dict(scan_values(file)), hashes(path), trigger_words(path, {}))\n"
        "print(find_words({}, {}, name='x')); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
