"""What the pictures say that were guided from half of the best mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eleven.reports.study import Arm, Note, Taken

HELP = "--knob negative=0..1 searches for the best share; Eleven and ComfyUI draw such mixes, A1111 and Forge do not."


def notes_on_guidance(arms: Sequence[Arm], pictures: Sequence[Taken], winner: int) -> Iterator[Note]:
    """Advice where the guided arm was perfect more often than the winner on the same shots; no claim."""
    number = next((number for number, arm in enumerate(arms) if arm.role == "guided"), None)
    if number is None:
        return
    places = {one.shot for one in pictures if one.arm == number}
    hits = [sum(one.perfect for one in pictures if one.arm == arm and one.shot in places) for arm in (number, winner)]
    if hits[0] > hits[1]:
        share = f"With half of it for the negative prompt the best was perfect in {hits[0]} of {len(places)} pictures"
        yield Note("advice", f"{share}, without in {hits[1]}. {HELP}")
