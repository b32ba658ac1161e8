"""The table of jobs: what Eleven does, what it is measured against, and the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["faster", "cpu", "wall", "peak"]
MIB = 2**20


@dataclass(frozen=True)
class Bar:
    """The peer's CPU at least `limit` times Eleven's, or Eleven's CPU, wall or peak memory (MiB) at most `limit`.

    CPU and wall are then counted in those of the peer.
    """

    kind: Kind
    limit: float


@dataclass(frozen=True)
class Job:
    """Input names with strengths into one adapter (of a rank, 0: exact) or `into` a checkpoint; no parts: extract.

    `sampled` peers do one layer of each shape, also without --quick; `slow` ones run once.
    """

    name: str
    title: str
    family: str
    peer: str
    against: str
    parts: tuple[tuple[str, float], ...] = ()
    rank: int = 0
    into: bool = False
    cores: int = 1
    bars: tuple[Bar, ...] = ()
    sampled: bool = False
    slow: bool = False


TWO = (("lora32-a", 0.7), ("lora32-b", 0.5))
FOUR = (*TWO, ("lora32-c", 0.4), ("lora32-d", -0.3))
WIDE = (("lora128-a", 0.7), ("lora128-b", 0.5))
MIXED = (("lora32-a", 0.7), ("loha8", 0.5), ("lokr8", 0.4))
SVD, COPY = "dense SVD of every layer", "cp of the checkpoint"
INTO_CPU = (Bar("cpu", 3), Bar("peak", 400))
INTO_WALL = (Bar("wall", 1.5), Bar("peak", 400))

JOBS: tuple[Job, ...] = (
    Job(
        "sdxl-lora32", "SDXL, 2 LoRA r32 → r32", "sdxl", "merge", SVD, TWO, 32, bars=(Bar("faster", 300),), sampled=True
    ),
    Job("sd15-lora32", "SD1.5, 2 LoRA r32 → r32", "sd1", "merge", SVD, TWO, 32, bars=(Bar("faster", 60),), slow=True),
    Job(
        "sdxl-lora128",
        "SDXL, 2 LoRA r128 → r32",
        "sdxl",
        "merge",
        SVD,
        WIDE,
        32,
        bars=(Bar("faster", 75),),
        sampled=True,
    ),
    Job("sdxl-mixed", "SDXL, LoRA + LoHa + LoKr → r32", "sdxl", "cp", COPY, MIXED, 32, bars=(Bar("cpu", 4),)),
    Job(
        "sd15-extract",
        "SD1.5, tuned − base → r32",
        "sd1",
        "extract",
        SVD,
        rank=32,
        bars=(Bar("faster", 25),),
        sampled=True,
    ),
    Job("sdxl-into", "SDXL, 2 LoRA r32 into the checkpoint", "sdxl", "cp", COPY, TWO, into=True, bars=INTO_CPU),
    Job(
        "sdxl-into-2-cores",
        "SDXL, 2 LoRA r32 into the checkpoint, two cores",
        "sdxl",
        "cp",
        COPY,
        TWO,
        into=True,
        cores=2,
        bars=INTO_WALL,
    ),
    Job("sdxl-into-4", "SDXL, 4 LoRA r32 into the checkpoint", "sdxl", "cp", COPY, FOUR, into=True, bars=INTO_CPU),
    Job(
        "sdxl-into-4-2-cores",
        "SDXL, 4 LoRA r32 into the checkpoint, two cores",
        "sdxl",
        "cp",
        COPY,
        FOUR,
        into=True,
        cores=2,
        bars=INTO_WALL,
    ),
    Job(
        "sdxl-exact",
        "SDXL, 2 LoRA r32 → exact r64",
        "sdxl",
        "join",
        "reading and writing with safetensors",
        TWO,
        bars=(Bar("cpu", 1.5),),
    ),
    Job(
        "sd15-into",
        "SD1.5, 2 LoRA r32 into the checkpoint",
        "sd1",
        "whole",
        "the whole model in memory",
        TWO,
        into=True,
    ),
    Job(
        "sd15-into-locon",
        "SD1.5, LoCon r32 into the checkpoint",
        "sd1",
        "lycoris-bake",
        "lycoris-lora's merge",
        (("locon32-a", 1.0),),
        into=True,
    ),
    Job(
        "sd15-into-loha",
        "SD1.5, LoHa r8 into the checkpoint",
        "sd1",
        "lycoris-bake",
        "lycoris-lora's merge",
        (("loha8", 1.0),),
        into=True,
    ),
    Job(
        "sd15-lora32-peft",
        "SD1.5, 2 LoRA r32 → r32",
        "sd1",
        "peft-merge",
        "PEFT's add_weighted_adapter, svd",
        TWO,
        32,
        slow=True,
    ),
    Job(
        "sd15-extract-lycoris",
        "SD1.5, tuned − base → r32",
        "sd1",
        "lycoris-extract",
        "lycoris-lora's extract_linear",
        rank=32,
        sampled=True,
    ),
)
