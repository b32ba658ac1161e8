"""What this machine has, as plain facts; nothing here judges them, and nothing is changed or fetched."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from eleven import __version__

PACKAGES = (
    "torch", "safetensors", "numpy", "torchvision", "opencv-python-headless", "onnxruntime", "diffusers",
    "transformers", "peft", "accelerate", "lycoris-lora", "pillow", "fastapi", "uvicorn", "websockets",
    "python-multipart", "ray",
)  # fmt: skip
"""The packages whose versions are of interest."""


@dataclass(frozen=True)
class Device:
    """One accelerator; memory in bytes, capability as CUDA counts it."""

    name: str
    memory: int | None = None
    capability: tuple[int, int] | None = None


@dataclass(frozen=True)
class Torch:
    """The torch that imports, or why it does not; `devices` are those that it can use."""

    version: str
    cuda: str | None = None
    rocm: str | None = None
    architectures: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    mps: bool = False
    error: str = ""


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver: its version, the newest CUDA it runs, and the devices it lists, or why it does not answer."""

    version: str = ""
    cuda: tuple[int, int] | None = None
    devices: tuple[Device, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Folder:
    """A place where files go, who says so, and the bytes free there."""

    what: str
    path: Path
    source: str
    free: int


@dataclass(frozen=True)
class Machine:
    """Everything that a diagnosis needs; memory in bytes."""

    system: str
    processor: str
    cpus: int
    memory: int | None
    python: str
    executable: Path
    torch: Torch | None
    nvidia: Driver | None
    amd: bool
    hidden: str | None
    packages: Mapping[str, str | None]
    folders: tuple[Folder, ...]
    eleven: str = __version__


def look() -> Machine:
    """This machine; imports torch, which takes a second or two."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=platform.machine(),
        cpus=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        memory=memory(),
        python=platform.python_version(),
        executable=Path(sys.executable),
        torch=torch_here(),
        nvidia=nvidia_driver(),
        amd=Path("/dev/kfd").exists(),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        packages={name: version_of(name) for name in PACKAGES},
        folders=folders(os.environ),
    )


def version_of(package: str) -> str | None:
    """The version that is installed, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def torch_here() -> Torch | None:
    """What torch says of itself and its devices; None where it is not installed."""
    version = version_of("torch")
    if version is None:
        return None
    try:
        import torch
    except (ImportError, OSError) as error:
        return Torch(version, error=str(error).splitlines()[0])
    cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return Torch(
        version=torch.__version__,
        cuda=torch.version.cuda,
        rocm=torch.version.hip,
        architectures=tuple(torch.cuda.get_arch_list()),
        devices=tuple(Device(card.name, card.total_memory, (card.major, card.minor)) for card in cards),
        mps=torch.backends.mps.is_available(),
    )


def nvidia_driver() -> Driver | None:
    """What nvidia-smi tells; None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    columns = "driver_version,name,memory.total,compute_cap"
    try:
        rows = ask(program, f"--query-gpu={columns}", "--format=csv,noheader,nounits")
        return read_driver(rows, ask(program))
    except (OSError, subprocess.SubprocessError) as error:
        return Driver(error=str(getattr(error, "stdout", "") or error).strip().splitlines()[0])


def ask(*command: str) -> str:
    """What a program prints within ten seconds."""
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout


def read_driver(rows: str, overview: str) -> Driver:
    """The driver from nvidia-smi's rows (version, name, MiB, capability) and its overview, which names CUDA."""
    cells = [[cell.strip() for cell in row.split(",")] for row in rows.strip().splitlines()]
    devices = [Device(name, mebibytes(size), pair(capability)) for _, name, size, capability in cells]
    cuda = re.search(r"CUDA (?:UMD )?Version:\s*([\d.]+)", overview)
    return Driver(cells[0][0] if cells else "", pair(cuda[1]) if cuda else None, tuple(devices))


def pair(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version, or None where there are none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None


def mebibytes(text: str) -> int | None:
    """MiB as bytes; None where the driver does not tell."""
    return int(text) << 20 if text.isdigit() else None


def memory() -> int | None:
    """The main memory in bytes, or None where the system does not tell."""
    if sys.platform != "win32":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    import ctypes

    kibibytes = ctypes.c_ulonglong()
    told = ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kibibytes))
    return kibibytes.value << 10 if told else None


def folders(environment: Mapping[str, str]) -> tuple[Folder, ...]:
    """Where Eleven and the libraries below it keep files, and the current and the temporary folder."""
    own = environment.get("ELEVEN_HOME")
    hub_home = environment.get("HF_HOME") or str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    hub = environment.get("HF_HUB_CACHE") or str(Path(hub_home) / "hub")
    hub_source = next(
        (name for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME") if environment.get(name)), "default"
    )
    places = (
        ("current folder", Path.cwd(), "current folder"),
        (
            "Eleven's cache",
            Path(own) / "cache" if own else user_cache_path("eleven"),
            "ELEVEN_HOME" if own else "default",
        ),
        ("Eleven's data", Path(own) / "data" if own else user_data_path("eleven"), "ELEVEN_HOME" if own else "default"),
        ("Hugging Face hub", Path(hub), hub_source),
        ("temporary files", Path(tempfile.gettempdir()), "system"),
    )
    return tuple(Folder(what, path.expanduser(), source, free_at(path.expanduser())) for what, path, source in places)


def free_at(path: Path) -> int:
    """Bytes free where this path is, or would be made."""
    present = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    return shutil.disk_usage(present).free
