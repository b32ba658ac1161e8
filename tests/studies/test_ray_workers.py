"""Ray actors make the pictures that one worker alone would make, though one of them is killed."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_study
from ray_cluster import KEY, cluster, free_port
from tiny_study import BEST, content, run

from eleven.engines.mock import MockEngine
from eleven.errors import FileError, MissingPackage, OutputError, UsageError, WorkerLost
from eleven.studies import ray_workers
from eleven.studies.ray_workers import open_ray_crew, told_in
from eleven.studies.shots import search_shots
from eleven.studies.taking import Taking

HAS_RAY = find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install eleven-mix[ray]")
JOB = tuple((tiny_study.PLAN.mix((0.7, 0.6)), shot) for shot in search_shots(tiny_study.PLAN).take(range(2)))


class MissingError(Exception):
    """What Ray's errors are instances of, in a Ray that is none."""


@contextmanager
def open_where(needed: Path):
    """An engine where a file is there, by the path that was given."""
    if not needed.is_file():
        raise FileError(f"{needed}: cannot be opened.", hint="Check the path.")
    yield MockEngine(BEST)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A cluster of two processors, begun elsewhere."""
    with cluster(tmp_path_factory.mktemp("elsewhere")) as begun:
        yield begun


@pytest.fixture(autouse=True)
def with_key(monkeypatch):
    """The cluster lets this process in; Ray's own warnings are its own."""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fake_ray(monkeypatch, error: Exception):
    """A Ray whose clusters cannot be joined."""

    def init(**_):
        raise error

    exceptions = SimpleNamespace(RayError=MissingError)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init, exceptions=exceptions))


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_what_is_missing_is_named_with_the_command_that_mends_it():
    with pytest.raises(MissingPackage, match=r"eleven-mix\[ray\]"), open_ray_crew(tiny_study.open_mock, 2):
        pass


def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch):
    fake_ray(monkeypatch, AssertionError("Ray is not asked"))
    address = f"127.0.0.1:{free_port()}"
    told = rf"no Ray cluster answers at {address}\. Start one with `ray start --head`"
    with pytest.raises(OutputError, match=told), open_ray_crew(tiny_study.open_mock, 2, address=address):
        pass


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (ConnectionError("none"), OutputError, "no Ray cluster answers at auto"),
        (
            RuntimeError("Version mismatch:\n  Python: 3.9"),
            OutputError,
            "Version mismatch: Python: 3.9 Install the same",
        ),
        (ValueError("Invalid address format"), UsageError, "auto is no address of a Ray cluster: .* Give HOST:PORT"),
    ],
)
def test_a_cluster_that_cannot_be_joined_says_why(monkeypatch, error, kind, told):
    fake_ray(monkeypatch, error)
    with pytest.raises(kind, match=told), open_ray_crew(tiny_study.open_mock, 2, address="auto"):
        pass


def test_ray_tells_in_one_line_without_colours():
    assert told_in(MissingError("\x1b[36mray::one\x1b[39m\n  died")) == "ray::one died"


@needs_ray
def test_two_actors_end_with_the_ledger_of_one_though_one_is_killed(tmp_path, address):
    import ray

    run(tmp_path / "alone")
    killed = []
    with open_ray_crew(tiny_study.open_mock, 2, address=address) as crew:

        def kill(done, _):
            if done >= 20 and not killed:
                killed.append(crew.workers[0].actor)
                ray.kill(killed[0])

        run(tmp_path / "ray", maker=crew, taking=Taking(5, progress=kill))
        assert crew.workers[0].actor is not killed[0]
    assert content(tmp_path / "ray") == content(tmp_path / "alone")


@needs_ray
def test_relative_paths_lead_where_they_lead_here_and_a_machine_without_the_file_is_named(
    tmp_path, address, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("base").touch()
    with open_ray_crew(partial(open_where, Path("base")), 1, address=address) as crew:
        assert len(next(crew.map([JOB]))) == 2
    told = r"on \S+: gone: cannot be opened"
    with (
        open_ray_crew(partial(open_where, Path("gone")), 1, address=address) as crew,
        pytest.raises(FileError, match=told),
    ):
        next(crew.map([JOB]))


@needs_ray
def test_a_cluster_without_room_says_what_there_is(address, monkeypatch):
    monkeypatch.setattr(ray_workers, "ROOM", 5.0)
    told = r"no room for a worker: 0 of 2 CPUs are free, and each worker needs one\. Ask for fewer --workers"
    with pytest.raises(WorkerLost, match=told), open_ray_crew(tiny_study.open_mock, 3, address=address):
        pass


@needs_ray
def test_a_cluster_of_another_eleven_is_refused(address, monkeypatch):
    monkeypatch.setattr(ray_workers, "__version__", "99.0")
    told = r"the cluster has Eleven \S+, and this is 99\.0\. Install the same eleven-mix"
    with pytest.raises(OutputError, match=told), open_ray_crew(tiny_study.open_mock, 1, address=address):
        pass


@needs_ray
def test_a_cluster_that_lacks_what_workers_import_names_it(tmp_path):
    bare = {"PYTHONPATH": ":".join(path for path in sys.path if Path(path).name != "studies")}
    with cluster(tmp_path, **bare) as address:
        told = r"a worker cannot begin on the cluster: .*tiny_study.* Install the same"
        with pytest.raises(WorkerLost, match=told), open_ray_crew(tiny_study.open_mock, 1, address=address):
            pass
