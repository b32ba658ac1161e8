"""Which of several models belong together, where of every two it is known, or not, whether they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Groups = tuple[tuple[int, ...], ...]
"""Models by number."""


def groups_of(numbers: Sequence[int], same: Callable[[int, int], bool | None]) -> Groups:
    """The numbers in groups: those that are the same, through others too, joined where nothing sets any two apart.

    `same` tells of two whether they are, None where it is not known.
    """
    alike: list[tuple[int, ...]] = []
    for number in sorted(numbers):
        joined = [group for group in alike if any(same(number, other) for other in group)]
        alike = [group for group in alike if group not in joined]
        alike.append((*(other for group in joined for other in group), number))
    whole: list[tuple[int, ...]] = []
    for group in sorted(map(sorted, alike)):
        home = next((kept for kept in whole if not apart(kept, group, same)), ())
        whole = [kept for kept in whole if kept != home]
        whole.append(tuple(sorted((*home, *group))))
    return tuple(sorted(whole))


def apart(first: Sequence[int], second: Sequence[int], same: Callable[[int, int], bool | None]) -> bool:
    """Whether anything sets one of the first apart from one of the second."""
    return any(same(one, other) is False for one in first for other in second)
