"""Shots as people type them: seeds `1-8` or `3,5,9`, sizes `768x512`, files of prompts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eleven.engines.engine import Shot
from eleven.engines.samplers import SCHEDULES, find_names
from eleven.errors import FileError, UsageError
from eleven.mix_text import TAG

LAST_SEED = 2**32 - 1
"""The largest that A1111 takes too."""
MOST = 10_000
"""Shots of one command."""
STEP, LARGEST = 8, 8192
"""Sizes are whole multiples of what a picture decoder enlarges by."""
SEEDS = "Write numbers and ranges, as in 1-8 or 3,5,9."


def shots_of(prompts: Sequence[str], seeds: Sequence[int], template: Shot) -> list[Shot]:
    """Every prompt with every seed, everything else as in the template. UsageError for more than 10,000."""
    if len(prompts) * len(seeds) > MOST:
        told = f"{len(prompts)} prompts with {len(seeds)} seeds each are more than {MOST:,} pictures."
        raise UsageError(told, hint="Ask for fewer at a time.")
    return [replace(template, prompt=prompt, seed=seed) for prompt in prompts for seed in seeds]


def parse_seeds(text: str) -> list[int]:
    """The seeds of `1-8`, `3,5,9` or both together. UsageError for what is none, and for one that comes twice."""
    seeds: list[int] = []
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", piece, re.ASCII)
        if match is None:
            raise UsageError(f"--seeds is {text!r}.", hint=SEEDS)
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= LAST_SEED:
            raise UsageError(f"--seeds is {text!r}: {piece.strip()} is no range up to {LAST_SEED}.", hint=SEEDS)
        if last - first >= MOST:
            raise UsageError(f"--seeds is {text!r}: more than {MOST:,} seeds.", hint="Ask for fewer at a time.")
        seeds += range(first, last + 1)
    twice = next((seed for at, seed in enumerate(seeds) if seed in seeds[:at]), None)
    if twice is not None:
        raise UsageError(f"--seeds is {text!r}: {twice} comes twice.", hint="Write each seed once.")
    return seeds


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of `768x512`. UsageError for what is none, or no multiple of 8."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*[xX]\s*(\d{1,5})\s*", text, re.ASCII)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(0 < side <= LARGEST and side % STEP == 0 for side in size):
        told = f"--size is {text!r}."
        raise UsageError(told, hint=f"Write WIDTHxHEIGHT in multiples of {STEP} up to {LARGEST}, as in 768x512.")
    return size


def sampled_by(sampler: str, schedule: str) -> tuple[str, str]:
    """Both names as A1111 writes them, from any case, ComfyUI's names, or "DPM++ 2M Karras"; "" is the base's own.

    UsageError for names in no table.
    """
    row, spread = find_names(sampler, schedule)
    own = SCHEDULES[0]
    return row.name if row else "", "" if spread is own else spread.name


def all_prompts(given: Sequence[str], file: Path | None) -> list[str]:
    """The prompts given and those of a file, one a line, without empty lines. UsageError for none, or with tags."""
    prompts = [*given, *(_read_prompts(file) if file is not None else [])]
    if not prompts:
        raise UsageError("there is no prompt.", hint="Give --prompt TEXT, or --prompts FILE with one a line.")
    for prompt in prompts:
        tag = TAG.search(prompt)
        if tag:
            told = f"the prompt has {tag[0]} in it, and a mix is the same for all prompts."
            raise UsageError(told, hint=f"Give it as a part: '{tag[0]}' --models FOLDER.")
        if not prompt.isprintable() and not all(char.isprintable() or char in "\n\t" for char in prompt):
            raise UsageError(f"the prompt {prompt!r} has characters that cannot be printed.", hint="Leave them out.")
    return list(dict.fromkeys(prompts))


def _read_prompts(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FileError(f"{file}: cannot be read: {reason}.", hint="Check the path.") from error
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise FileError(f"{file}: has no prompt in it.", hint="Write one prompt a line.")
    return prompts
