from __future__ import annotations

import pytest
from installed import install

from eleven.lab.people import concept
from eleven.lab.person import draw_person
from eleven.lab.portrait import draw_portrait
from eleven.lab.scene import draw_scene
from eleven.scorers.scorer import References


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages in front of all others, with Eleven as pyproject.toml tells it."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture(scope="session")
def lab_references():
    photos = {f"{number}.png": photo for number, photo in enumerate(concept("ada").photos(8, 24))}
    strangers = {f"{seed}.png": draw_portrait(draw_person(seed), draw_scene(seed)) for seed in range(500, 512)}
    return References(photos, strangers)
