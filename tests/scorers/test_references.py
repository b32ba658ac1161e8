"""Reference photos are read from folders, and what cannot be used is named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eleven.errors import FileError, UsageError
from eleven.scorers.references import read_references


def test_photos_are_upright_rgb_in_the_order_of_their_names(tmp_path):
    wide = Image.new("RGB", (30, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    wide.save(tmp_path / "b.jpg", exif=exif)
    Image.new("CMYK", (16, 16)).save(tmp_path / "a.jpg")
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "c.png")
    (tmp_path / "a.txt").write_text("a caption")
    (tmp_path / "others").mkdir()
    Image.new("L", (16, 16), 7).save(tmp_path / "others" / "d.png")
    references = read_references(tmp_path, tmp_path / "others")
    assert [(name, photo.shape, photo.dtype) for name, photo in references.photos.items()] == [
        ("a.jpg", (16, 16, 3), np.uint8),
        ("b.jpg", (30, 20, 3), np.uint8),
        ("c.png", (16, 16, 3), np.uint8),
    ]
    assert (references.photos["c.png"] == 255).all()
    assert list(references.impostors) == ["d.png"]
    assert read_references(tmp_path).impostors == {}


def test_files_that_are_no_photos_are_named(tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(FileError, match=r"2 of its files cannot be references: dot\.png: is 1×1.*torn\.jpg"):
        read_references(tmp_path)


def test_an_empty_folder_and_none_are_told(tmp_path):
    with pytest.raises(UsageError, match="holds no photos"):
        read_references(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        read_references(tmp_path / "gone")
