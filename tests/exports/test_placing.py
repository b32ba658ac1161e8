"""A folder that is put in place by renaming: one process at a time, nothing lost, nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from eleven.errors import OutputError
from eleven.exports.placing import making


def model(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "model_index.json").write_text(text)
    return folder


def told(folder: Path) -> str:
    return (folder / "model_index.json").read_text()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_second_of_two_is_refused_and_the_first_is_unharmed(tmp_path):
    to = tmp_path / "out"
    with making(to) as made:
        model(made, "first")
        with pytest.raises(OutputError, match="another process is writing it"), making(to):
            pass
        assert told(made) == "first"
    assert told(to) == "first"
    assert names(tmp_path) == {"out"}


def test_a_lock_that_a_killed_process_left_is_taken_over(tmp_path):
    (tmp_path / ".out.lock").touch()
    with making(tmp_path / "out") as made:
        model(made, "new")
    assert names(tmp_path) == {"out"}


def test_an_old_folder_put_aside_by_a_killed_process_gets_its_name_back(tmp_path):
    to = tmp_path / "out"
    model(tmp_path / ".out.old", "old")
    with pytest.raises(OutputError, match="exists already"), making(to):
        pass
    assert told(to) == "old"
    with pytest.raises(ValueError, match="stop"), making(to, force=True):
        raise ValueError("stop")
    assert told(to) == "old"
    with making(to, force=True) as made:
        model(made, "new")
    assert told(to) == "new"
    assert names(tmp_path) == {"out"}


def test_the_old_folder_is_there_until_the_new_one_is_and_comes_back_after_a_failure(tmp_path, monkeypatch):
    to, rename = model(tmp_path / "out", "old"), Path.rename

    def fail(self, target):
        if self.name == ".out.part":
            assert told(tmp_path / ".out.old") == "old"
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="Permission denied"), making(to, force=True) as made:
        model(made, "new")
    assert told(to) == "old"
    assert names(tmp_path) == {"out"}


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    to = tmp_path / "out"
    with pytest.raises(OutputError, match="exists already"), making(to) as made:
        model(made, "new")
        model(to, "mine")
    assert told(to) == "mine"


def test_messages_name_the_path_that_the_user_gave(tmp_path):
    to = tmp_path / "out"
    with pytest.raises(OutputError) as caught, making(to) as made:
        (made / "unet" / "x.bin").read_bytes()
    assert str(to / "unet" / "x.bin") in str(caught.value)
    assert ".part" not in str(caught.value)
    with pytest.raises(OutputError) as caught, making(to) as made:
        raise OutputError(f"{made / 'unet'}: the disk is full.", hint="Free some space.")
    assert str(caught.value) == f"{to / 'unet'}: the disk is full. Free some space."


def test_a_parent_that_is_missing_is_told(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"), making(tmp_path / "none" / "out"):
        pass
