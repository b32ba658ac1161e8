"""Hub ids open from the user's cache; nothing is fetched unless that is allowed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import diffusers
import pytest
from tiny_pipelines import tiny_pipeline

from eleven.bases.opening import open_base
from eleven.errors import FileError, UsageError


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """An empty cache, and no network: a connection fails the test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)

    def refuse(*_):
        pytest.fail("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_an_id_is_not_downloaded_unasked():
    with pytest.raises(UsageError, match="someone/model: is no file or folder here") as told:
        open_base("someone/model")
    assert "--download" in told.value.hint


def cached(folder):
    """A model in the cache as the hub's library lays it out."""
    model = folder / "hub" / "models--someone--a-model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40, "utf-8")
    tiny_pipeline("sd1", model / "blobs")
    snapshot = model / "snapshots" / ("0" * 40)
    for path in (model / "blobs").rglob("*"):
        if path.is_file():
            link = snapshot / path.relative_to(model / "blobs")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(path, link.parent))


def test_an_id_that_was_fetched_before_opens_without_the_network(tmp_path):
    cached(tmp_path)
    base = open_base("someone/a-model")
    assert (base.name, base.source, base.family_name) == ("a-model", "someone/a-model", "sd1")
    assert len(base.digest) == 64


def test_a_folder_comes_before_an_id(tmp_path):
    tiny_pipeline("sd2", tmp_path / "someone" / "a-model")
    cached(tmp_path)
    assert open_base("someone/a-model").family_name == "sd2"


def test_an_allowed_download_is_opened_where_it_lies(monkeypatch, tmp_path):
    folder = tiny_pipeline("sd1", tmp_path / "fetched")
    asked = []
    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", lambda name: asked.append(name) or str(folder))
    base = open_base("someone/model", download=True)
    assert asked == ["someone/model"]
    assert (base.name, base.path) == ("model", folder)


def test_a_download_that_fails_is_told(monkeypatch):
    def fail(name):
        raise OSError(f"{name} is gated.\nmore")

    monkeypatch.setattr(diffusers.DiffusionPipeline, "download", fail)
    with pytest.raises(FileError, match=r"someone/model: cannot be downloaded: someone/model is gated\.") as told:
        open_base("someone/model", download=True)
    assert "HF_TOKEN" in told.value.hint


@pytest.mark.parametrize("source", ["missing", "./some/where", "a/b/c", "someone/model.safetensors", "/no/such"])
def test_what_is_no_id_is_a_path(source):
    with pytest.raises(FileError, match=Path(source).name):
        open_base(source, download=True)
