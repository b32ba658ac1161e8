"""Opening any model file as a fine-tune: the header is read and sorted, no tensor is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eleven import techniques
from eleven.errors import ElevenError, FileError
from eleven.files import peft
from eleven.files.container import Container
from eleven.files.opening import open_container
from eleven.finetunes.adapter import Adapter, Contents, Keys
from eleven.finetunes.checkpoint import Checkpoint, as_checkpoint, open_checkpoint
from eleven.finetunes.difference import Difference
from eleven.finetunes.finetune import FineTune
from eleven.layers.recognise import recognise
from eleven.layers.suffixes import group
from eleven.techniques.technique import Measure
from eleven.techniques.textual_inversion import find_words

KOHYA_OFT = "oft_unet_"


def open_finetune(path: str | Path, base: str | Path | Checkpoint | None = None) -> FineTune:
    """The fine-tune in a file or folder, bound to `base` where one is given.

    FileError where the file cannot be read, or holds nothing that any technique or dialect explains.
    """
    weights = open_checkpoint(base) if isinstance(base, str | Path) else base
    container = open_container(path)
    try:
        return _sorted(container, weights)
    except BaseException:
        container.close()
        raise


def _sorted(container: Container, base: Checkpoint | None) -> FineTune:
    shapes = {key: entry.shape for key, entry in container.entries.items()}
    dtypes = {key: entry.dtype for key, entry in container.entries.items()}
    found = find_words(shapes, container.metadata, name=container.path.stem, dtypes=dtypes)
    words = found.words
    tuned = None if words else as_checkpoint(container)
    if tuned is not None:
        return Difference(tuned, base)
    grouped = group(key for key in container.entries if key not in found.keys)
    contents, unread = _measured(container, grouped.modules)
    recognition = recognise({prefix: measure.matrix for prefix, measure in contents.measures.items()})
    unplaced = [key for prefix in recognition.unplaced for key in contents.keys[prefix].values()]
    unread = (*grouped.rest, *unread, *unplaced)
    if not words and not contents.measures and not contents.faults:
        first = f" (first key: {next(iter(container.entries))[:80]})" if container.entries else ""
        told = f"{container.path}: no technique explains any of its {len(container.entries)} tensors{first}."
        raise FileError(told, hint="Is it an adapter, an embedding or a model of a diffusion program?")
    return Adapter(container, contents, recognition, words, unread, base)


def _measured(container: Container, modules: Mapping[str, Keys]) -> tuple[Contents, tuple[str, ...]]:
    """Every prefix's shape and rank; what contradicts itself is a fault, what no technique knows is unread."""
    keys, measures, markers, faults = (
        dict[str, Keys](),
        dict[str, Measure](),
        dict[str, dict[str, float]](),
        dict[str, str](),
    )
    configs = peft.beside(container.path) | peft.embedded(container.metadata, str(container.path))
    unread: list[str] = []
    for prefix, tensors in modules.items():
        parts, left = techniques.recognise(tensors.keys())
        unread += [tensors[suffix] for suffix in left]
        known = {suffix: key for suffix, key in tensors.items() if suffix not in left}
        if not parts:
            continue
        shapes = {suffix: container.entries[key].shape for suffix, key in known.items()}
        try:
            measures[prefix] = techniques.measure(shapes)
        except ElevenError as error:
            faults[prefix] = str(error)
            continue
        keys[prefix] = known
        markers[prefix] = peft.markers(configs, prefix, measures[prefix].rank)
        if prefix.startswith(KOHYA_OFT):
            markers[prefix]["oft_kohya"] = 1.0
        if any("lora_magnitude_vector" in key for key in known.values()):
            markers[prefix]["dora_peft"] = 1.0
    return Contents(keys, measures, markers, faults), tuple(unread)
