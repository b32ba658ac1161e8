"""What a file is that holds no tensors, told from its first bytes."""

from __future__ import annotations

LOOKS = (
    (b"version https://git-lfs", "a git-lfs pointer: the real file was never fetched"),
    (b"<!doctype", "a web page: the download needed a login or a confirmation"),
    (b"<html", "a web page: the download needed a login or a confirmation"),
    (b"<?xml", "an XML answer of a server"),
    (b"\x89png", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"riff", "a WebP picture or a sound"),
    (b"gif8", "a GIF picture"),
    (b"gguf", "a GGUF model, a kind that Eleven does not read"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"rar!", "a RAR archive"),
    (b"%pdf", "a PDF"),
    (b"\x89hdf", "an HDF5 file"),
)


def looks_like(start: bytes) -> str | None:
    """A noun for the message, or None where the bytes tell nothing."""
    plain = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "empty"
    if not start.strip(b"\0"):
        return "nothing but zeros: the download broke off"
    known = [what for magic, what in LOOKS if plain.startswith(magic) or start.lower().startswith(magic)]
    if known:
        return known[0]
    return "a tar archive" if start[257:262] == b"ustar" else None


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether the first eight bytes are a length that fits and a JSON object follows."""
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def is_zip(start: bytes) -> bool:
    """Whether a zip archive begins here."""
    return start.startswith(b"PK\x03\x04")


def is_pickle(start: bytes) -> bool:
    """Whether a pickle of protocol 2 or later begins here."""
    return start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
