"""Shapes are checked while tests run; one thread a worker; opt-in marks; files that a clone does not have."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# no test is timed; on CI the same examples every time; people draw new ones, and add what they find as a test
settings.register_profile("people", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("people")
if os.environ.get("CI"):
    settings.load_profile("ci")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what runs in the background deaf to Ctrl-C, and so would be every process of a test
    signal.signal(signal.SIGINT, signal.default_int_handler)

install_import_hook(["eleven.delta"], "beartype.beartype")

OPT_IN = ("gpu", "slow", "network")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what has an opt-in mark, unless -m names that mark."""
    for item in items:
        for mark in OPT_IN:
            if item.get_closest_marker(mark) and mark not in config.option.markexpr:
                item.add_marker(pytest.mark.skip(reason=f"opt in with -m {mark}"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real adapters, embeddings and key listings, which lie beside the repository and are no part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "assets"
    if not folder.is_dir():
        pytest.skip("the collection of real files is not here: ../shared/assets")
    return folder
