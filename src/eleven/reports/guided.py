"""What the pictures say that were guided from half of the best mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eleven.reports.study import Arm, Note, Taken
from eleven.reports.verdict import strengths_text

HELP = "--knob negative=0..1 searches for the best share; Eleven and ComfyUI draw such mixes, A1111 and Forge do not."
CLEAR = 2
"""So many pictures more are worth a word."""


def notes_on_guidance(arms: Sequence[Arm], pictures: Sequence[Taken]) -> Iterator[Note]:
    """Advice where the guided arm was perfect more often than the mix that it was made of, on the same shots."""
    number = next((number for number, arm in enumerate(arms) if arm.role == "guided"), None)
    source = None if number is None else _source_of(arms, arms[number])
    if number is None or source is None:
        return
    guided = arms[number]
    places = {one.shot for one in pictures if one.arm == number}
    hits = [sum(one.perfect for one in pictures if one.arm == arm and one.shot in places) for arm in (number, source)]
    if hits[0] >= hits[1] + CLEAR:
        share = f"{strengths_text(guided)} with {guided.share:g} of it for the negative prompt was perfect in {hits[0]}"
        plain = f"{strengths_text(arms[source])} without in {hits[1]}"
        yield Note("advice", f"{share} of {len(places)} pictures, {plain}. {HELP}")


def _source_of(arms: Sequence[Arm], guided: Arm) -> int | None:
    """The mix or the single of the same models; None where that one was not measured, as of a fifth single."""
    same = (number for number, arm in enumerate(arms) if arm.active == guided.active and arm.role in ("mix", "single"))
    return next(same, None)
