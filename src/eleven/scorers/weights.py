"""Network weights that ship inside the package, checked against the checksums beside them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from eleven.errors import FileError


def checked(path: Path) -> bytes:
    """The file's content. FileError where it is missing, or not what `SHA256SUMS` beside it says."""
    try:
        lines = (path.parent / "SHA256SUMS").read_text("utf-8").splitlines()
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path.name}: cannot be read: {error.strerror}.", hint=AGAIN) from error
    known = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    found = sha256(content).hexdigest()
    if known.get(path.name) != found:
        raise FileError(f"{path.name}: its SHA-256 is {found}, not {known.get(path.name)}.", hint=AGAIN)
    return content


AGAIN = "Install Eleven again: pip install --force-reinstall --no-deps eleven-mix"
