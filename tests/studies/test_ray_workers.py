"""Ray actors make the pictures that one worker alone would make, though one of them is killed."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec

import pytest
import tiny_study
from tiny_study import content, run

from eleven.errors import MissingPackage
from eleven.studies.ray_workers import open_ray_crew
from eleven.studies.taking import Taking

HAS_RAY = find_spec("ray") is not None


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_what_is_missing_is_named_with_the_command_that_mends_it():
    with pytest.raises(MissingPackage, match=r"eleven-mix\[ray\]"), open_ray_crew(tiny_study.open_mock, 2):
        pass


@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install eleven-mix[ray]")
def test_two_actors_end_with_the_ledger_of_one_though_one_is_killed(tmp_path, monkeypatch):
    import ray

    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    run(tmp_path / "alone")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_ray_crew(tiny_study.open_mock, 2) as crew:

            def kill(done, _):
                if done == 20:
                    ray.kill(crew.workers[0].actor)

            run(tmp_path / "ray", maker=crew, taking=Taking(5, progress=kill))
    assert content(tmp_path / "ray") == content(tmp_path / "alone")
