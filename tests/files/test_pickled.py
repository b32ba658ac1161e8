"""Pickles: nothing in them is ever run, all that is a tensor is read, and nothing floods the memory."""

import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from pickle import dumps

import pytest
import torch

from eleven.errors import FileError, UnsafePickle
from eleven.files.opening import open_container
from eleven.files.pickled import PickledFile

ZIP = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


class Call:
    """Pickled as a call."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments

    def __reduce__(self):
        module, _, name = self.name.rpartition(".")
        found = getattr(__import__(module, fromlist=[name]), name)
        return found, self.arguments


def saved(tree: object, place: Path, *, zipped: bool = True, **options: object) -> Path:
    torch.save(tree, place, _use_new_zipfile_serialization=zipped, **options)
    return place


def repacked(place: Path, changes: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(place) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(contents)).split("/")[0]
    with zipfile.ZipFile(place, "w", compression) as archive:
        for name, content in (contents | {f"{root}/{name}": content for name, content in changes.items()}).items():
            archive.writestr(name, content)
    return place


EVIL = {
    "os.system": lambda mark: Call("os.system", f"touch {mark}"),
    "builtins.eval": lambda mark: Call("builtins.eval", f"open({str(mark)!r}, 'w')"),
    "builtins.exec": lambda mark: Call("builtins.exec", f"open({str(mark)!r}, 'w')"),
    "torch.hub": lambda mark: Call("torch.hub.load", str(mark), "x", "local"),
    "subprocess": lambda mark: Call("subprocess.call", ["touch", str(mark)]),
    "pathlib": lambda mark: Call("pathlib.Path", str(mark)),
    "builtins.bytearray": lambda mark: Call("builtins.bytearray", 10**12),
    "torch.load": lambda mark: Call("torch.load", str(mark)),
}


@ZIP
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", EVIL)
def test_pickles_that_would_run_code_are_refused_and_run_nothing(tmp_path, name, zipped, protocol):
    mark = tmp_path / "mark"
    tree = {"a": torch.ones(2), "b": EVIL[name](mark)}
    place = saved(tree, tmp_path / "evil.pt", zipped=zipped, pickle_protocol=protocol)
    with pytest.raises(UnsafePickle) as caught:
        open_container(place)
    assert str(place) in caught.value.cause and not mark.exists()
    tail = name.split(".")[-1]
    assert {"hub": "torch.hub", "subprocess": "call (dangerous)"}.get(tail, tail) in caught.value.cause


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_that_would_run_code_are_refused(tmp_path, protocol):
    place, mark = tmp_path / "evil.bin", tmp_path / "mark"
    place.write_bytes(dumps({"a": Call("os.system", f"touch {mark}")}, protocol=protocol))
    with pytest.raises(UnsafePickle, match="system"):
        open_container(place)
    assert not mark.exists()


def test_picklescan_says_how_bad_it_is(tmp_path):
    place = saved({"b": EVIL["os.system"]("x")}, tmp_path / "evil.pt")
    with pytest.raises(UnsafePickle, match=r"system \(dangerous\)"):
        open_container(place)


@ZIP
def test_nested_trees_become_dotted_keys(tmp_path, zipped):
    word = {"string_to_param": {"*": torch.nn.Parameter(torch.ones(2, 3))}, "step": 7, "sd_checkpoint": None}
    tree = {**word, "string_to_token": {"*": 265}, "name": "x", "list": [torch.zeros(1), (torch.ones(1), "text")]}
    with PickledFile(saved(tree, tmp_path / "a.pt", zipped=zipped)) as file:
        assert set(file.entries) == {"string_to_param.*", "list.0", "list.1.0"}
        assert file.metadata == {"step": "7", "string_to_token.*": "265", "name": "x", "list.1.1": "text"}


def test_a_list_counts_from_zero(tmp_path):
    with PickledFile(saved([torch.ones(1), torch.ones(2)], tmp_path / "a.pt")) as file:
        assert [(key, entry.shape) for key, entry in file.entries.items()] == [("0", (1,)), ("1", (2,))]


def test_a_state_dict_stands_at_the_root(tmp_path):
    tree = {"epoch": 3, "state_dict": OrderedDict(a=torch.ones(2)), "global_step": 5}
    with PickledFile(saved(tree, tmp_path / "a.ckpt")) as file:
        assert list(file.entries) == ["a"] and file.metadata == {"epoch": "3", "global_step": "5"}


@ZIP
def test_views_and_parameters_are_read_plain_and_contiguous(tmp_path, zipped):
    whole = torch.arange(12.0).reshape(3, 4)
    tree = {"t": whole.T, "row": whole[1], "p": torch.nn.Parameter(whole), "spread": whole[:1].expand(3, 4)}
    with PickledFile(saved(tree, tmp_path / "a.pt", zipped=zipped)) as file:
        for key, tensor in tree.items():
            read, buffer = file.read(key), bytearray(200)
            assert read.is_contiguous() and type(read) is torch.Tensor and not read.requires_grad
            assert torch.equal(read, tensor.detach())
            size = file.read_into(key, memoryview(buffer))
            assert torch.frombuffer(buffer[:size], dtype=torch.float32).tolist() == read.flatten().tolist()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int64", "uint8", "bool", "float8_e4m3fn"])
@ZIP
def test_every_type_is_read(tmp_path, zipped, dtype):
    if dtype.startswith("float8") and not zipped:
        pytest.skip("torch's old format has no such type")
    tensor = torch.tensor([[0, 1], [1, 0]]).to(getattr(torch, dtype))
    with PickledFile(saved({"a": tensor, "one": tensor[0, 1]}, tmp_path / "a.pt", zipped=zipped)) as file:
        assert file.read("a").dtype == tensor.dtype and file.read("a").tolist() == tensor.tolist()
        assert file.read("one").shape == ()


UNFIT = {
    "complex": lambda: torch.ones(2, dtype=torch.complex64),
    "sparse": lambda: torch.eye(2).to_sparse(),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
}


@ZIP
@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization.*", "ignore:.*[Qq]uantiz.*", "ignore:.*TypedStorage.*")
def test_tensors_of_no_use_are_refused_by_kind(tmp_path, zipped, kind):
    place = saved({"a": UNFIT[kind]()}, tmp_path / "a.pt", zipped=zipped)
    with pytest.raises(FileError, match=kind) as caught:
        open_container(place)
    assert not isinstance(caught.value, UnsafePickle)


REFUSED = {
    "holds no tensors": {"a": 1},
    "stands twice": {"a": {"b": torch.ones(1)}, "a.b": torch.ones(1)},
    "a tuple stands where a name should": {(1, 2): torch.ones(1)},
    r"\[1000000, 1000000\] is more than": {"a": torch.ones(1, 1).expand(10**6, 10**6)},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_trees_that_make_no_file_are_refused(tmp_path, reason):
    with pytest.raises(FileError, match=reason):
        open_container(saved(REFUSED[reason], tmp_path / "a.pt"))


def test_trees_that_repeat_themselves_without_end_are_refused(tmp_path):
    laughs: list[object] = [torch.ones(1)]
    for _ in range(30):
        laughs = [laughs, laughs]
    with pytest.raises(FileError, match="without end"):
        open_container(saved(laughs, tmp_path / "a.pt"))
    circle: list[object] = [torch.ones(1)]
    circle.append(circle)
    with pytest.raises(FileError, match="without end"):
        open_container(saved(circle, tmp_path / "b.pt"))


def test_a_storage_is_not_called_nor_printed(tmp_path):
    place = saved({"a": torch.ones(4)}, tmp_path / "a.pt")
    with zipfile.ZipFile(place) as archive:
        raw = archive.read("a/data.pkl")
    with pytest.raises(FileError, match="calls what is no function"):
        open_container(repacked(place, {"data.pkl": raw.replace(b"Q", b"Q)R", 1)}))


def test_zip_bombs_are_refused_unopened(tmp_path):
    place = repacked(saved({"a": torch.zeros(10**6)}, tmp_path / "a.pt"), {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match="compressed or encrypted"):
        open_container(place)


def test_pickles_with_endless_instructions_are_refused(tmp_path):
    place = repacked(
        saved({"a": torch.zeros(1)}, tmp_path / "a.pt"), {"data.pkl": b"\x80\x02" + b"]" * 1_000_001 + b"."}
    )
    with pytest.raises(FileError, match="more than 1000000 instructions"):
        open_container(place)


def test_legacy_storages_larger_than_the_file_are_refused(tmp_path):
    raw = saved({"a": torch.zeros(255)}, tmp_path / "a.pt", zipped=False).read_bytes()
    assert raw.count(b"K\xff") == 2
    (tmp_path / "a.pt").write_bytes(raw.replace(b"K\xff", b"\x8a\x06\0\0\0\0\0\x7f"))
    with pytest.raises(FileError, match="claims storages larger"):
        open_container(tmp_path / "a.pt")


@pytest.mark.parametrize("length", [2**33, 2**62])
def test_an_argument_longer_than_the_file_asks_for_no_memory(tmp_path, length):
    (tmp_path / "a.pt").write_bytes(b"\x80\x04\x8e" + length.to_bytes(8, "little") + b"x.")
    with pytest.raises(FileError, match="not one that torch.save wrote|does not know"):
        open_container(tmp_path / "a.pt")


@pytest.mark.parametrize("names", [["x/y"], ["x/data.pkl", "y/data.pkl"], ["x/data.pkl", "x/constants.pkl"]])
def test_zips_that_torch_save_never_wrote_are_refused(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "a.bin", "w") as archive:
        for name in names:
            archive.writestr(name, b"\x80\x02}.")
    with pytest.raises(FileError, match="not one that torch.save wrote|TorchScript"):
        open_container(tmp_path / "a.bin")


@ZIP
def test_the_file_can_be_deleted_once_closed(tmp_path, zipped):
    place = saved({"a": torch.ones(2)}, tmp_path / "a.pt", zipped=zipped)
    before = place.read_bytes()
    with PickledFile(place) as file:
        tensor = file.read("a")
        tensor += 1
    assert place.read_bytes() == before
    place.unlink()
    assert tensor.tolist() == [2, 2]
    with pytest.raises(FileError, match="was closed"):
        file.read("a")
    assert not mapped(place)


def mapped(place: Path) -> bool:
    maps = Path("/proc/self/maps")
    return maps.exists() and str(place) in maps.read_text()


def test_a_pickle_in_memory_is_never_touched(tmp_path):
    buffer = BytesIO()
    torch.save({"a": torch.ones(2)}, buffer)
    (tmp_path / "a.pt").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(FileError, match="without its end|broken"):
        open_container(tmp_path / "a.pt")
