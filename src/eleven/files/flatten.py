"""Nested dicts and lists, as pickles hold them, turned into one flat list of tensors and one of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from eleven.errors import FileError
from eleven.files.strict_json import shorten
from eleven.tensors import Tensor

MOST_NODES = 300_000
MOST_DEPTH = 32
Flat = tuple[dict[str, Tensor], dict[str, str]]


def flatten(tree: object) -> Flat:
    """Tensors and texts by dotted path; a list counts from 0, and what a `state_dict` holds loses that prefix.

    FileError where two paths are spelled alike, or the tree is endless.
    """
    import torch

    tensors: dict[str, Tensor] = {}
    texts: dict[str, str] = {}
    for key, leaf in _leaves(_unwrapped(tree)):
        if key in tensors or key in texts:
            raise FileError(f"{shorten(key)}: stands twice in the file.")
        if isinstance(leaf, torch.Tensor):
            tensors[key] = leaf
        elif leaf is not None:
            texts[key] = str(leaf) if isinstance(leaf, (str, int, float)) else f"<{type(leaf).__name__}>"
    return tensors, texts


def _unwrapped(tree: object) -> object:
    """A checkpoint's `state_dict` at the root, what stood beside it after it."""
    if not isinstance(tree, dict):
        return tree
    listed = cast(dict[object, object], tree)
    inner = listed.get("state_dict")
    if not isinstance(inner, dict):
        return listed
    beside = {key: value for key, value in listed.items() if key != "state_dict"}
    return _Both(cast(dict[object, object], inner), beside)


class _Both:
    """Two dicts, one after the other; a key may stand in both."""

    def __init__(self, *parts: Mapping[object, object]) -> None:
        self.parts = parts


def _leaves(tree: object) -> Iterator[tuple[str, object]]:
    """Every leaf by its path, depth first, in order."""
    waiting: list[tuple[str, object, int]] = [("", tree, 0)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        path, node, depth = waiting.pop()
        branches = _branches(node)
        if branches is None:
            yield path or "0", node
        elif depth >= MOST_DEPTH:
            break
        else:
            start = f"{path}." if path else ""
            waiting.extend((f"{start}{_name(key)}", child, depth + 1) for key, child in reversed(branches))
    raise FileError("its pickle is nested without end.", hint="The file is damaged; fetch it again.")


def _branches(node: object) -> list[tuple[object, object]] | None:
    if isinstance(node, _Both):
        return [pair for part in node.parts for pair in part.items()]
    if isinstance(node, dict):
        return list(cast(dict[object, object], node).items())
    if isinstance(node, (list, tuple)):
        return list(enumerate(cast(list[object], node)))
    return None


def _name(key: object) -> str:
    if not isinstance(key, (str, int)):
        raise FileError(f"a {type(key).__name__} stands where a name should.")
    name = str(key)
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise FileError(f"{shorten(name)}: holds half a character.")
    return name
