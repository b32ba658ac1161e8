"""A file appears whole or not at all: full disks, other processes, errors on the way."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import threading

import pytest

from eleven.errors import OutputError
from eleven.files.atomic import PAGE, AtomicFile

pytestmark = pytest.mark.skipif(os.name == "nt", reason="another process's open file cannot be replaced there")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_written_is_there_after_commit_only(tmp_path):
    with AtomicFile(tmp_path / "a", size=4) as file:
        file.write(2, memoryview(b"cd"))
        file.write(0, memoryview(b"ab"))
        back = bytearray(4)
        file.read_into(0, memoryview(back))
        assert back == b"abcd"
        assert names(tmp_path) == [".a.part"]
        file.commit()
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"abcd"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_error_leaves_nothing(tmp_path, error):
    with pytest.raises(error), AtomicFile(tmp_path / "a", size=4) as file:
        file.write(0, memoryview(b"ab"))
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["pwrite", "fsync", "replace"])
def test_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setattr(os, name, full_disk)
    with (
        pytest.raises(OutputError, match=r"a: cannot be written: No space left on device\. Check the folder"),
        AtomicFile(tmp_path / "a", size=4) as file,
    ):
        file.write(0, memoryview(b"ab"))
        file.commit()
    assert names(tmp_path) == []


def test_disk_that_is_too_small_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 5, 1234))
    with pytest.raises(OutputError, match=r"needs 1,235 bytes where the disk has 1,234 left\. Free some space"):
        AtomicFile(tmp_path / "a", size=1235)
    assert names(tmp_path) == []


def test_short_writes_and_reads_are_carried_on(tmp_path, monkeypatch):
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: write(handle, data[:3], at))
    monkeypatch.setattr(os, "preadv", lambda handle, views, at: read(handle, [views[0][:2]], at))
    with AtomicFile(tmp_path / "a", size=10) as file:
        file.write(0, memoryview(b"0123456789"))
        back = bytearray(10)
        file.read_into(0, memoryview(back))
        assert back == b"0123456789"
        with pytest.raises(OutputError, match="it ends at byte 10"):
            file.read_into(5, memoryview(bytearray(6)))


def test_existing_target_is_kept_even_when_it_appears_meanwhile(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError, match=r"a: exists already\. Choose another name, or use --force"):
        AtomicFile(tmp_path / "a", size=1)
    file = AtomicFile(tmp_path / "b", size=1)
    (tmp_path / "b").write_text("theirs")
    with pytest.raises(OutputError, match="exists already"):
        file.commit()
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "b").read_text() == "theirs"
    with AtomicFile(tmp_path / "b", size=1, force=True) as forced:
        forced.write(0, memoryview(b"new"))
        assert (tmp_path / "b").read_text() == "theirs"
        forced.commit()
    assert (tmp_path / "b").read_text() == "new"


def test_leftover_of_a_killed_process_is_taken_over(tmp_path):
    (tmp_path / ".a.part").write_bytes(b"left over and long")
    with AtomicFile(tmp_path / "a", size=2) as file:
        file.write(0, memoryview(b"ab"))
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"ab"


def test_second_writer_of_one_name_is_refused_and_harms_nothing(tmp_path):
    with AtomicFile(tmp_path / "a", size=2) as file:
        file.write(0, memoryview(b"ab"))
        with pytest.raises(OutputError, match=r"another process is writing it\. Wait for it"):
            AtomicFile(tmp_path / "a", size=2)
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"ab"


@pytest.mark.parametrize("ended", ["commit", "discard"])
def test_writer_that_opened_before_another_ended_does_not_get_its_file(tmp_path, monkeypatch, ended):
    """The one order of events in which a lock alone would hand over a file that is in place already."""
    from eleven.files import atomic

    first, lock = AtomicFile(tmp_path / "a", size=2), atomic.lock
    first.write(0, memoryview(b"ab"))

    def end_first(file):
        getattr(first, ended)()
        return lock(file)

    monkeypatch.setattr(atomic, "lock", end_first)
    with pytest.raises(OutputError, match="another process is writing it"):
        AtomicFile(tmp_path / "a", size=2, force=True)
    assert names(tmp_path) == (["a"] if ended == "commit" else [])
    assert ended == "discard" or (tmp_path / "a").read_bytes() == b"ab"


def test_folder_that_is_missing_or_no_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("missing/a", "file/a"):
        with pytest.raises(OutputError, match="cannot be written: No"):
            AtomicFile(tmp_path / place, size=1)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        AtomicFile(tmp_path / "folder", size=1, force=True)


def test_several_threads_write_at_once(tmp_path):
    with AtomicFile(tmp_path / "a", size=4000) as file:
        jobs = [
            threading.Thread(target=file.write, args=(at * 1000, memoryview(bytes([at]) * 1000))) for at in range(4)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"".join(bytes([at]) * 1000 for at in range(4))


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(("start", "size"), [(0, 3 * PAGE), (10, 100), (PAGE - 8, 2 * PAGE), (8, 4 * PAGE - 9)])
def test_past_the_cache_any_bytes_are_written_and_read_back(tmp_path, monkeypatch, start, size, refused):
    if refused:
        monkeypatch.setattr(os, "O_DIRECT", 0, raising=False)
    memory, back = mmap.mmap(-1, 8 * PAGE), mmap.mmap(-1, 8 * PAGE)
    memory.write(os.urandom(8 * PAGE))
    place = slice(start % PAGE, start % PAGE + size)
    with AtomicFile(tmp_path / "a", size=start + size) as file:
        file.bypass_cache()
        file.write(start, memoryview(memory)[place])
        file.read_into(start, memoryview(back)[place])
        file.commit()
    assert back[place] == memory[place] == (tmp_path / "a").read_bytes()[start:]


def test_memory_that_is_no_whole_page_is_written_all_the_same(tmp_path):
    data = os.urandom(3 * PAGE)
    with AtomicFile(tmp_path / "a", size=len(data)) as file:
        file.bypass_cache()
        file.write(0, memoryview(b"x" + data)[1:])
        file.commit()
    assert (tmp_path / "a").read_bytes() == data


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="there is no way past the cache")
def test_a_place_that_refuses_whole_pages_gets_them_through_the_cache(tmp_path, monkeypatch):
    import fcntl

    write, refused = os.pwrite, []

    def refuse(number, data, position):
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(position)
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(number, data, position)

    monkeypatch.setattr(os, "pwrite", refuse)
    with AtomicFile(tmp_path / "a", size=2 * PAGE) as file:
        file.bypass_cache()
        file.write(0, memoryview(b"a" * PAGE))
        file.write(PAGE, memoryview(b"b" * PAGE))
        file.commit()
    assert refused == [0]
    assert (tmp_path / "a").read_bytes() == b"a" * PAGE + b"b" * PAGE
