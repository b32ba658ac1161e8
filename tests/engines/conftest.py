"""Tiny bases that all tests of engines share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tiny_pipelines import tiny_pipeline

from eleven.bases.opened import Base
from eleven.bases.opening import open_base


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a tiny pipeline of a family."""

    @cache
    def made(family: str) -> Path:
        return tiny_pipeline(family, tmp_path_factory.mktemp("bases") / family)

    return made


@pytest.fixture(scope="session")
def base_of(folder_of) -> Callable[[str], Base]:
    """The base of a family, shared: whoever changes it puts it back."""

    @cache
    def opened(family: str) -> Base:
        return open_base(folder_of(family), device="cpu")

    return opened
