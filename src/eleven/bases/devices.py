"""The device and the number type of a base: as asked, or what suits the machine."""

from __future__ import annotations

import torch

from eleven.errors import UsageError

DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
KINDS = ("cuda", "mps", "cpu")


def choose_device(name: str) -> torch.device:
    """The device of that name; for `auto` CUDA, then MPS, then the CPU. UsageError where it is not there."""
    if name == "auto":
        return torch.device(next(kind for kind in KINDS if available(kind)))
    kind, colon, number = name.partition(":")
    if kind not in KINDS or (colon and not number.isdecimal()):
        raise UsageError(f"{name}: is no device.", hint=f"Devices are auto, {', '.join(KINDS)} and cuda:1.")
    if not available(kind, int(number or 0)):
        raise UsageError(f"{name}: this machine, or its torch, has no such device.", hint="Use auto or cpu.")
    return torch.device(name)


def available(kind: str, number: int = 0) -> bool:
    """Whether torch can use that device here."""
    if kind == "cuda":
        return torch.cuda.is_available() and number < torch.cuda.device_count()
    return number == 0 and (kind == "cpu" or torch.backends.mps.is_available())


def choose_dtype(name: str, device: torch.device, *, wide: bool) -> torch.dtype:
    """The type of that name; for `auto` float32 on the CPU, else half precision.

    `wide` asks for bfloat16's range where the device has it: transformers as denoisers overflow in float16.
    """
    if name != "auto":
        if name not in DTYPES:
            raise UsageError(f"{name}: is no number type.", hint=f"Types are auto, {', '.join(DTYPES)}.")
        return DTYPES[name]
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if wide and has_bfloat16(device) else torch.float16


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 by itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" or torch.backends.mps.is_macos_or_newer(14, 0)
