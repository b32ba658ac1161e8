"""Opening any model file as a fine-tune: the header is read and sorted, no tensor is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from eleven import techniques
from eleven.errors import ElevenError, FileError
from eleven.files import peft
from eleven.files.container import Container
from eleven.files.opening import open_container
from eleven.finetunes.adapter import Adapter, Contents, Keys
from eleven.finetunes.checkpoint import Checkpoint, as_checkpoint, open_checkpoint
from eleven.finetunes.difference import Difference
from eleven.finetunes.finetune import FineTune
from eleven.layers.claims import claimed
from eleven.layers.family import FAMILIES, Family
from eleven.layers.recognise import recognise
from eleven.layers.suffixes import group
from eleven.techniques.technique import Measure
from eleven.techniques.textual_inversion import find_words
from eleven.tensors import Shape

PEFT_PREFIX, PEFT_STEM = "base_model.model.", "adapter_model"
"""By either PEFT's own files are known: `adapter_config.json` says nothing of others that lie beside it."""
KOHYA_OFT = "oft_unet_"


class Kind(NamedTuple):
    """What modules with tensors of these names and shapes are; without a measure where they cannot be read."""

    techniques: tuple[str, ...]
    measure: Measure | None
    fault: str
    left: frozenset[str]


def open_finetune(
    path: str | Path, base: str | Path | Checkpoint | None = None, *, families: Sequence[Family] = FAMILIES
) -> FineTune:
    """The fine-tune in a file or folder, bound to `base` where one is given; one given by its path is closed with it.

    It is of one of `families`, or of none.
    FileError where the file cannot be read, or holds nothing that any technique or dialect explains.
    """
    with ExitStack() as guard:
        weights = guard.enter_context(open_checkpoint(base)) if isinstance(base, str | Path) else base
        found = _sorted(guard.enter_context(open_container(path)), weights, families)
        return replace(found, opened=guard.pop_all())


def _sorted(container: Container, base: Checkpoint | None, families: Sequence[Family]) -> Adapter | Difference:
    shapes = {key: entry.shape for key, entry in container.entries.items()}
    dtypes = {key: entry.dtype for key, entry in container.entries.items()}
    found = find_words(shapes, container.metadata, name=container.path.stem, dtypes=dtypes)
    words = found.words
    tuned = None if words else as_checkpoint(container, families)
    if tuned is not None:
        return Difference(tuned, base)
    grouped = group(key for key in container.entries if key not in found.keys)
    contents, unread = _measured(container, grouped.modules)
    told = {prefix: each.matrix if each.side is None else each.side for prefix, each in contents.measures.items()}
    recognition = recognise(told, prefer=claimed(container.metadata), families=families)
    unplaced = [key for prefix in recognition.unplaced for key in contents.keys[prefix].values()]
    unread = (*grouped.rest, *unread, *unplaced)
    if not words and not contents.measures and not contents.faults:
        first = f" (first key: {next(iter(container.entries))[:80]})" if container.entries else ""
        told = f"{container.path}: no technique explains any of its {len(container.entries)} tensors{first}."
        raise FileError(told, hint="Is it an adapter, an embedding or a model of a diffusion program?")
    return Adapter(container, contents, recognition, words, unread, base)


def _measured(container: Container, modules: Mapping[str, Keys]) -> tuple[Contents, tuple[str, ...]]:
    """Every prefix's shape and rank; what contradicts itself is a fault, what no technique knows is unread."""
    contents = Contents({}, {}, {}, {}, {})
    place = container.path
    written = place.is_dir() or place.stem == PEFT_STEM or any(key.startswith(PEFT_PREFIX) for key in container.entries)
    configs = peft.beside(place) if written else {}
    configs |= peft.embedded(container.metadata, str(container.path))
    unread: list[str] = []
    alike: dict[tuple[tuple[str, Shape], ...], Kind] = {}
    for prefix, tensors in modules.items():
        shapes = tuple((suffix, container.entries[key].shape) for suffix, key in tensors.items())
        kind = alike[shapes] if shapes in alike else alike.setdefault(shapes, _kind(dict(shapes)))
        unread += [tensors[suffix] for suffix in kind.left]
        if kind.fault:
            contents.faults[prefix] = kind.fault
        if kind.measure is None:
            continue
        known = {suffix: key for suffix, key in tensors.items() if suffix not in kind.left}
        contents.keys[prefix], contents.measures[prefix] = known, kind.measure
        contents.techniques[prefix] = kind.techniques
        try:
            contents.markers[prefix] = _markers(configs, prefix, kind.measure.rank, known)
        except FileError as error:
            raise error.at(container.path) from None
    return contents, tuple(unread)


def _kind(shapes: Mapping[str, Shape]) -> Kind:
    """What one module's tensors are, from their names and shapes."""
    parts, left = techniques.recognise(shapes.keys(), shapes)
    if not parts:
        return Kind((), None, "", left)
    try:
        measure = techniques.measure({suffix: shape for suffix, shape in shapes.items() if suffix not in left})
    except ElevenError as error:
        return Kind((), None, str(error), left)
    return Kind(tuple(technique.NAME for technique, _ in parts), measure, "", left)


def _markers(configs: Mapping[str, peft.Config], prefix: str, rank: int | None, known: Keys) -> dict[str, float]:
    """The numbers told beside one module's tensors."""
    markers = peft.markers(configs, prefix, rank)
    if prefix.startswith(KOHYA_OFT):
        markers["oft_kohya"] = 1.0
    if any("lora_magnitude_vector" in key for key in known.values()):
        markers["dora_peft"] = 1.0
    return markers
