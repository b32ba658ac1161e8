"""What is wrong with a machine and the commands that mend it: facts in, findings out, nothing looked up here."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from eleven.reports.machine import Device, Driver, Machine, Torch, pair

Level = Literal["problem", "warning", "note"]

OLDEST_TORCH = (2, 6)
ENOUGH_DISK = 5 << 30
PYTORCH_INDEX = "https://download." + "pytorch.org/whl/"
BUILDS = (((13, 0), "cu130"), ((12, 8), "cu128"), ((12, 0), "cu126"))
"""The oldest CUDA version of the driver that runs each build of torch, newest first."""

OLD_CARDS = (7, 5)
"""CUDA 13 builds have no code for devices below this capability."""


@dataclass(frozen=True)
class Finding:
    """One sentence, and the commands that mend it, to be run in order."""

    level: Level
    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extra:
    """Optional packages and what they add."""

    name: str
    packages: tuple[str, ...]
    adds: str


EXTRAS = (
    Extra("face", ("opencv-python-headless", "onnxruntime"), "finding faces and measuring their likeness"),
    Extra("web", ("fastapi", "uvicorn", "websockets", "python-multipart"), "the page in the browser"),
    Extra("ray", ("ray",), "work spread over several machines"),
)


NEEDED = ("diffusers", "transformers", "accelerate", "peft", "lycoris-lora", "pillow")
"""What a sound installation has beside torch."""


@dataclass(frozen=True)
class ExtraState:
    """Whether an extra is there, and the command that adds what is missing."""

    name: str
    adds: str
    missing: tuple[str, ...]
    command: str | None


@dataclass(frozen=True)
class Report:
    """What `eleven doctor` shows."""

    machine: Machine
    extras: tuple[ExtraState, ...]
    findings: tuple[Finding, ...]


def diagnose(machine: Machine) -> Report:
    """The machine with its extras and everything that needs attention, problems first."""
    order = ("problem", "warning", "note")
    findings = [*about_torch(machine), *about_packages(machine), *about_folders(machine)]
    findings.sort(key=lambda finding: order.index(finding.level))
    return Report(machine, tuple(state_of(extra, machine) for extra in EXTRAS), tuple(findings))


def state_of(extra: Extra, machine: Machine) -> ExtraState:
    """Which of its packages are missing."""
    missing = tuple(name for name in extra.packages if machine.packages.get(name) is None)
    return ExtraState(extra.name, extra.adds, missing, pip(machine, "install", *missing) if missing else None)


def about_torch(machine: Machine) -> Iterator[Finding]:
    """Torch itself, then whether it is the build for this hardware."""
    torch = machine.torch
    if torch is None:
        yield Finding("problem", "torch is not installed; only `eleven inspect` works.", reinstall(machine))
    elif torch.error:
        yield Finding("problem", f"torch {torch.version} does not import: {torch.error}.", reinstall(machine))
    elif (pair(torch.version) or OLDEST_TORCH) < OLDEST_TORCH:
        yield Finding("problem", f"torch {torch.version} is older than 2.6.", reinstall(machine))
    elif machine.nvidia is not None and machine.nvidia.error:
        text = f"nvidia-smi fails: {machine.nvidia.error.rstrip('.')}. Reinstall NVIDIA's driver, or restart."
        yield Finding("warning" if torch.devices else "problem", text)
    elif machine.nvidia is not None and machine.nvidia.devices:
        yield from about_nvidia(machine, torch, machine.nvidia)
    else:
        yield from about_other_hardware(machine, torch)


def about_nvidia(machine: Machine, torch: Torch, driver: Driver) -> Iterator[Finding]:
    """An NVIDIA device: a build without CUDA, a driver too old for the build, a device too old or too new for it."""
    names = ", ".join(device.name for device in driver.devices)
    if torch.cuda is None:
        yield Finding("problem", f"torch {torch.version} cannot use {names}: it is no CUDA build.", reinstall(machine))
    elif not torch.devices and machine.hidden in ("", "-1"):
        yield Finding("note", f"CUDA_VISIBLE_DEVICES='{machine.hidden}' hides {names}.")
    elif not torch.devices and driver.cuda is not None and driver.cuda < (pair(torch.cuda) or driver.cuda):
        text = f"driver {driver.version} runs CUDA up to {dotted(driver.cuda)}; torch is built for {torch.cuda}."
        yield Finding("problem", f"{text} Update the driver, or install an older build.", reinstall(machine))
    elif not torch.devices:
        text = f"the driver lists {names}, but torch {torch.version} finds no device. Restart, or reinstall the driver."
        yield Finding("problem", text)
    for device in torch.devices:
        if not is_covered(device, torch.architectures):
            text = f"torch {torch.version} has no code for {device.name} (capability {dotted(device.capability)})."
            yield Finding("problem", text, reinstall(machine))


def about_other_hardware(machine: Machine, torch: Torch) -> Iterator[Finding]:
    """AMD's and Apple's devices, and a large build that nothing here can use."""
    if machine.amd and torch.rocm is None:
        yield Finding(
            "problem", f"torch {torch.version} cannot use the AMD GPU: it is no ROCm build.", reinstall(machine)
        )
    elif torch.cuda is not None and not torch.devices:
        text = f"torch {torch.version} is a CUDA build without an NVIDIA device; the CPU build is gigabytes smaller."
        yield Finding("note", text, reinstall(machine))
    elif machine.system.startswith("Darwin") and machine.processor == "arm64" and not torch.mps:
        yield Finding("warning", f"torch {torch.version} cannot use the Apple GPU.", reinstall(machine))


def about_packages(machine: Machine) -> Iterator[Finding]:
    """Packages that every command for pictures and training needs, and one that does harm."""
    missing = [name for name in NEEDED if machine.packages.get(name) is None]
    if missing:
        text = f"not installed: {', '.join(missing)}; `eleven generate` and `eleven train` need them."
        yield Finding("problem", text, (pip(machine, "install", *missing),))
    version = machine.packages.get("torchvision")
    if version is not None:
        text = f"torchvision {version} is installed: Eleven needs none, and one made for another torch breaks imports."
        yield Finding("warning", text, (pip(machine, "uninstall", "--yes", "torchvision"),))


def about_folders(machine: Machine) -> Iterator[Finding]:
    """Folders on a disk that is nearly full."""
    for folder in machine.folders:
        if folder.free < ENOUGH_DISK:
            yield Finding("warning", f"{folder.what}: {folder.free / (1 << 30):.1f} GiB free at {folder.path}.")


def reinstall(machine: Machine) -> tuple[str, ...]:
    """The commands that put the right build of torch in place of any other."""
    index = ["--index-url", PYTORCH_INDEX + build_for(machine)] if not machine.system.startswith("Darwin") else []
    remove = [pip(machine, "uninstall", "--yes", "torch")] if machine.torch else []
    return (*remove, pip(machine, "install", f"torch>={dotted(OLDEST_TORCH)}", *index))


def build_for(machine: Machine) -> str:
    """The build of torch that fits the hardware, as PyTorch's index names it."""
    driver = machine.nvidia
    if driver is None or not driver.devices:
        return "rocm7.2" if machine.amd else "cpu"
    if any(device.capability is not None and device.capability < OLD_CARDS for device in driver.devices):
        return "cu126"
    newest = driver.cuda or (13, 0)
    return next((build for oldest, build in BUILDS if newest >= oldest), "cpu")


def is_covered(device: Device, architectures: tuple[str, ...]) -> bool:
    """Whether one of these architectures runs on the device: sm_ of its major number, or any older compute_."""
    if device.capability is None or not architectures or not architectures[0].startswith(("sm_", "compute_")):
        return True
    major, minor = device.capability
    for kind, digits in (name.rstrip("af").split("_") for name in architectures):
        built = divmod(int(digits), 10)
        if built <= (major, minor) and (kind == "compute" or built[0] == major):
            return True
    return False


def pip(machine: Machine, *arguments: str) -> str:
    """A pip command line for this Python, quoted for this system's shell."""
    command = [str(machine.executable), "-m", "pip", *arguments]
    return subprocess.list2cmdline(command) if machine.system.startswith("Windows") else shlex.join(command)


def dotted(version: tuple[int, int] | None) -> str:
    """A version as people write it."""
    return ".".join(map(str, version or ()))
