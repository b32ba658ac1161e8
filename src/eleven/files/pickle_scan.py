"""Looking through the instructions of a pickle before anything executes them: its imports, and what it asks for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from pickletools import genops
from typing import BinaryIO

from eleven.errors import FileError, UnsafePickle
from eleven.files.pickle_machine import Machine, Senseless
from eleven.files.strict_json import DAMAGED, shorten

MOST_STEPS = 1_000_000
"""Instructions in one pickle; a Stable Diffusion checkpoint has some 60,000."""

MOST_JUDGED = 5_000_000
"""Bytes of a refused pickle that picklescan looks at, to name what it would run."""
STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
NUMBERS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz")
WHOLE_NUMBERS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
ALLOWED = frozenset(
    {
        *("collections OrderedDict", "torch.nn.parameter Parameter", "torch Size", "torch device"),
        *("torch.storage UntypedStorage", "torch.serialization _get_layout", "builtins set", "__builtin__ set"),
        *(f"torch._utils _rebuild_{name}" for name in ("tensor", "tensor_v2", "tensor_v3", "parameter")),
        *(f"torch {name}Storage" for name in STORAGES),
        *(f"torch {name}" for name in (*NUMBERS, *WHOLE_NUMBERS)),
    }
)
"""What a file of plain tensors needs: a subset of what torch.load(weights_only=True) lets through."""
NOT_WEIGHTS = {
    "torch._utils _rebuild_qtensor": "quantized",
    "torch._utils _rebuild_sparse_tensor": "sparse",
    "torch._utils _rebuild_nested_tensor": "nested",
    **{f"torch per_{name}": "quantized" for name in ("tensor_affine", "tensor_symmetric", "channel_affine")},
    "torch ComplexFloatStorage": "complex",
    "torch ComplexDoubleStorage": "complex",
    **{f"torch {name}Storage": "quantized" for name in ("QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4")},
}
IMPORTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL"})
CALLS = frozenset({"OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"})
READABLE = frozenset(
    {
        *("NEWOBJ", "REDUCE", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK", "TUPLE"),
        *("TUPLE1", "TUPLE2", "TUPLE3", "NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT"),
        *(
            "EMPTY_SET",
            "BININT",
            "BININT1",
            "BININT2",
            "BINFLOAT",
            "BINUNICODE",
            "SHORT_BINSTRING",
            "BINPERSID",
            "BINGET",
        ),
        *("LONG_BINGET", "BINPUT", "LONG_BINPUT", "LONG1", "PROTO", "STOP", "GLOBAL"),
    }
)
"""Instructions that torch's weights-only reader knows (torch/_weights_only_unpickler.py, Unpickler.load)."""


@dataclass(slots=True)
class Scan:
    """What the instructions of one pickle are about to do."""

    imports: set[str] = field(default_factory=set[str])
    foreign: set[str] = field(default_factory=set[str])
    machine: Machine = field(default_factory=Machine)
    fault: str = ""


def scan(stream: BinaryIO) -> Scan:
    """Reads instructions up to the first STOP, executing none; `fault` says what is wrong with them."""
    found = Scan()
    try:
        for count, (code, argument, _) in enumerate(genops(stream)):
            if count >= MOST_STEPS:
                found.fault = f"its pickle has more than {MOST_STEPS} instructions"
                break
            _note(found, code.name, argument)
    except (ValueError, OverflowError) as error:
        found.fault = f"its pickle is broken ({shorten(str(error))})"
    return found


def _note(found: Scan, name: str, argument: object) -> None:
    """Files one instruction, and plays it through as long as all make sense."""
    if name in IMPORTS:
        found.imports.add(str(argument) if argument else "a computed name")
    if name not in READABLE or (name == "PROTO" and argument != 2):
        found.foreign.add(name)
    if found.foreign or found.fault:
        return
    try:
        found.machine.step(name, argument)
    except (LookupError, Senseless) as error:
        found.fault = f"its pickle is broken ({error})"


def together(scans: Sequence[Scan]) -> Scan:
    """The imports and foreign instructions of several pickles in one file, with the first fault."""
    imports, foreign = (
        set[str]().union(*sets) for sets in zip(*((one.imports, one.foreign) for one in scans), strict=True)
    )
    return Scan(imports, foreign, scans[0].machine, next((one.fault for one in scans if one.fault), ""))


def refuse_unsafe(path: Path, found: Scan, pickle: bytes) -> None:
    """UnsafePickle for anything but plain tensors, with picklescan's verdict; FileError for tensors of no use."""
    unsafe = found.imports - ALLOWED - NOT_WEIGHTS.keys()
    if unsafe or found.foreign & CALLS:
        told = _verdict(pickle[:MOST_JUDGED], unsafe) or ", ".join(sorted(found.foreign & CALLS))
        raise UnsafePickle(
            f"{path}: loading this pickle would run code: {told}.",
            hint="Nothing was run. Ask for a safetensors version of the file.",
        )
    kinds = {NOT_WEIGHTS[name] for name in found.imports & NOT_WEIGHTS.keys()}
    if kinds:
        raise FileError(f"{path}: holds {' and '.join(sorted(kinds))} tensors, which no technique uses.")
    if found.foreign:
        raise FileError(
            f"{path}: its pickle uses {', '.join(sorted(found.foreign)[:4])}, which torch's safe reader does not know.",
            hint="Convert it to safetensors where it was made.",
        )


def refuse_broken(path: Path, found: Scan) -> None:
    """FileError for instructions that make no sense."""
    if found.fault:
        raise FileError(f"{path}: {found.fault}.", hint=DAMAGED)


def _verdict(pickle: bytes, unsafe: Iterable[str]) -> str:
    """The imports by name with what picklescan thinks of each."""
    from picklescan.scanner import scan_pickle_bytes

    named = [name for name in unsafe if name.count(" ") and "\n" not in name]
    plain = "".join(f"c{name.replace(' ', chr(10), 1)}\n" for name in named).encode(errors="replace") + b"."
    log = logging.getLogger("picklescan")
    was, log.disabled = log.disabled, True
    try:
        result = scan_pickle_bytes(BytesIO(pickle or plain), "pickle", multiple_pickles=True)
    except (ValueError, IndexError, TypeError):
        return shorten(", ".join(sorted(unsafe)))
    finally:
        log.disabled = was
    judged = [one for one in result.globals if f"{one.module} {one.name}" not in ALLOWED]
    told = sorted(f"{shorten(one.module)}.{shorten(one.name)} ({one.safety.value})" for one in judged)
    return shorten(", ".join(told) or ", ".join(sorted(unsafe)))
