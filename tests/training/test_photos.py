from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from trained import write_photos

from eleven.errors import FileError, UsageError
from eleven.files.pictures import read_picture
from eleven.training.captions import caption_of, tag_frequency
from eleven.training.photos import read_photos

RED = (200, 30, 40)


def solid(mode="RGB", size=(40, 30), colour=RED):
    return Image.new(mode, size, colour)


def pixel(path, at=(2, 2)):
    return read_picture(path).getpixel(at)


def test_cmyk_is_converted(tmp_path):
    solid().convert("CMYK").save(tmp_path / "a.jpg")
    assert np.allclose(pixel(tmp_path / "a.jpg"), RED, atol=6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_clear_is_white(mode, tmp_path):
    picture = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    if mode == "P":
        Image.new("P", (40, 30), 0).save(tmp_path / "a.png", transparency=0)
    else:
        picture.convert(mode).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (255, 255, 255)


def test_half_clear_is_mixed_with_white(tmp_path):
    Image.new("RGBA", (40, 30), (0, 0, 0, 128)).save(tmp_path / "a.webp", lossless=True)
    assert np.allclose(pixel(tmp_path / "a.webp"), (127, 127, 127), atol=1)


def test_exif_turns_the_photo_upright(tmp_path):
    picture = solid(size=(40, 20))
    picture.paste((0, 0, 255), (0, 0, 20, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    found = read_picture(tmp_path / "a.png")
    assert found.size == (20, 40)
    assert found.getpixel((10, 5)) == (0, 0, 255)


def test_sixteen_bits_become_eight(tmp_path):
    numbers = np.full((30, 40), 257 * 100, dtype=np.uint16)
    Image.fromarray(numbers).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (100, 100, 100)


def test_floating_numbers_up_to_one(tmp_path):
    Image.fromarray(np.full((30, 40), 0.5, dtype=np.float32)).save(tmp_path / "a.tiff")
    assert pixel(tmp_path / "a.tiff") == (128, 128, 128)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "bmp", "gif", "tiff"])
def test_the_usual_formats(suffix, tmp_path):
    solid().save(tmp_path / f"a.{suffix}")
    assert np.allclose(pixel(tmp_path / f"a.{suffix}"), RED, atol=8)


def test_every_bad_file_is_named(tmp_path):
    write_photos(tmp_path)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "film.mp4").write_bytes(b"....")
    data = (tmp_path / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    solid(size=(8, 200)).save(tmp_path / "thin.png")
    with pytest.raises(FileError) as caught:
        read_photos(tmp_path)
    assert "5 of its files" in caught.value.cause
    for name in ("empty.jpg", "words.png", "film.mp4", "cut.png", "thin.png: is 8×200"):
        assert name in caught.value.cause


def test_what_lies_beside_photos_is_no_fault(tmp_path):
    write_photos(tmp_path)
    for name in (".DS_Store", "0.txt", "notes.md", "0.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "more.png").mkdir()
    assert [photo.path.name for photo in read_photos(tmp_path)] == ["0.png", "1.png", "2.png", "3.png"]


def test_too_few(tmp_path):
    with pytest.raises(UsageError, match="holds 2 photos"):
        read_photos(write_photos(tmp_path, 2))


def test_no_folder(tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        read_photos(tmp_path / "none")


def test_captions(tmp_path):
    photo = tmp_path / "a.jpg"
    assert caption_of(photo, "ohwx", "cat") == "photo of ohwx cat"
    assert caption_of(photo, "") == ""
    (tmp_path / "a.txt").write_text("\ufeffa cat,\n  red background\n", "utf-8")
    assert caption_of(photo, "ohwx", "cat") == "ohwx, a cat, red background"
    assert caption_of(photo, "") == "a cat, red background"
    (tmp_path / "a.txt").write_text("ohwx on a mat", "utf-8")
    assert caption_of(photo, "ohwx") == "ohwx on a mat"


def test_a_caption_that_is_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(FileError, match="cannot be read as text"):
        caption_of(tmp_path / "a.jpg", "")


def test_tags_are_counted():
    assert tag_frequency(["a cat, red", "red,  a cat", "red,,"], "cat") == {"cat": {"a cat": 2, "red": 3}}


def test_the_digest_knows_pixels_and_caption(tmp_path):
    first, second, *_ = read_photos(write_photos(tmp_path), trigger="a")
    assert first.digest != second.digest
    assert first.digest == read_photos(tmp_path, trigger="a")[0].digest != read_photos(tmp_path, trigger="b")[0].digest


def test_a_picture_that_would_fill_the_memory_is_told(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(FileError, match=r"bomb\.png: cannot be read: Image size .* attack\.$"):
        read_picture(tmp_path / "bomb.png")


def test_a_text_too_long_for_a_caption_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 10_001)
    with pytest.raises(FileError, match=r"a\.txt: holds 10001 characters"):
        caption_of(tmp_path / "a.png", "sks")
