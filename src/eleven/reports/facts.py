"""What a file says before any tensor is decoded: its modules with ranks and alphas, and what its values are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import unpack

from eleven.files.container import Container
from eleven.files.dtypes import bytes_of
from eleven.files.sidecars import Triggers, trigger_words
from eleven.files.values import Values, scan_values
from eleven.finetunes.adapter import Adapter, Contents
from eleven.finetunes.difference import Difference
from eleven.finetunes.finetune import FineTune
from eleven.layers.layer import Place
from eleven.tensors import Shape

SCALED = frozenset({"lora", "loha", "lokr", "glora", "tlora"})
"""The techniques whose change is scaled by alpha / rank; elsewhere an alpha limits a rotation."""

NUMBERS = {
    "F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i", "I16": "<h", "I8": "<b", "BOOL": "<?",
    "U64": "<Q", "U32": "<I", "U16": "<H", "U8": "<B",
}  # fmt: skip
"""How struct reads one number of each type; BF16 is the upper half of an F32."""


@dataclass(frozen=True)
class Module:
    """One module of an adapter: tensors by this project's names, and what scales its change.

    `alpha` is what the file stores, `scale` the factor that results (alpha / rank); None where nothing scales.
    """

    prefix: str
    keys: Mapping[str, str]
    shapes: Mapping[str, Shape]
    techniques: tuple[str, ...]
    shape: tuple[int | None, ...]
    rank: int | None
    alpha: float | None
    scale: float | None
    peft: bool
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Facts:
    """All that the checks look at; `values` is empty where the data were not to be read."""

    tune: FineTune
    modules: tuple[Module, ...]
    triggers: Triggers
    values: Mapping[str, Values] = field(default_factory=dict[str, Values])

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        return self.tune.container.metadata

    @property
    def dialects(self) -> Mapping[str, int]:
        """How many modules each program's spelling names."""
        return self.tune.recognition.dialects if isinstance(self.tune, Adapter) else {}


def gather(tune: FineTune, *, values: bool) -> Facts:
    """The facts of an opened file; whole models, which may be huge, are never read for their values."""
    modules = _modules(tune) if isinstance(tune, Adapter) else ()
    read = values and not isinstance(tune, Difference)
    triggers = trigger_words(tune.path, tune.container.metadata)
    return Facts(tune, modules, triggers, dict(scan_values(tune.container)) if read else {})


def stored_number(container: Container, key: str) -> float | None:
    """The number in a tensor that holds one, read without torch; None for other tensors and types."""
    entry = container.entries[key]
    size = bytes_of(entry)
    if any(count != 1 for count in entry.shape) or not (entry.dtype in NUMBERS or entry.dtype == "BF16"):
        return None
    data = bytearray(size)
    container.read_into(key, memoryview(data))
    if entry.dtype == "BF16":
        return float(unpack("<f", b"\0\0" + data)[0])
    return float(unpack(NUMBERS[entry.dtype], data)[0])


def _modules(tune: Adapter) -> tuple[Module, ...]:
    contents, places = tune.contents, tune.recognition.places
    return tuple(_module(tune.container, contents, prefix, places.get(prefix, ())) for prefix in contents.measures)


def _module(container: Container, contents: Contents, prefix: str, places: tuple[Place, ...]) -> Module:
    keys, marks, known = contents.keys[prefix], contents.markers.get(prefix, {}), contents.measures[prefix]
    shapes = {suffix: container.entries[key].shape for suffix, key in keys.items()}
    names = contents.techniques[prefix]
    scaled = bool(SCALED & set(names))
    alpha = stored_number(container, keys["alpha"]) if scaled and "alpha" in keys else None
    told = stored_number(container, keys["scale"]) if scaled and "scale" in keys else marks.get("scale")
    scale = told if told is not None else _scale(names, alpha, known.rank)
    peft = "dora_peft" in marks
    return Module(prefix, keys, shapes, names, known.shape, known.rank, alpha, scale, peft, places)


def _scale(names: tuple[str, ...], alpha: float | None, rank: int | None) -> float | None:
    """alpha / rank; 1 without alpha, and where both factors of a LoKr are whole."""
    if not SCALED & set(names):
        return None
    return alpha / rank if alpha is not None and rank else 1.0
