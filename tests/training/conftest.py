"""Tiny bases, opened once."""

from __future__ import annotations

import pytest
from tiny_pipelines import tiny_pipeline
from trained import write_photos

from eleven.bases.opening import open_base


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """The folder of a tiny pipeline of a family."""
    known = {}

    def find(family):
        if family not in known:
            known[family] = tiny_pipeline(family, tmp_path_factory.mktemp("bases") / family)
        return known[family]

    return find


@pytest.fixture(scope="session")
def base_of(folder_of):
    known = {}

    def find(family):
        if family not in known:
            known[family] = open_base(folder_of(family), device="cpu")
        return known[family]

    return find


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos") / "cat", 6)
