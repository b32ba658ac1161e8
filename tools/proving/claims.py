"""What people say of mixing, and whether the lab bears it out: claims over the differences of all people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

LEVEL = 1.96
DECIDES = "likeness"
SMALL = {"likeness": 0.05, "overall": 0.01, "detail": 0.01}
"""A difference whose whole interval is nearer to 0 than this is none in practice."""


@dataclass(frozen=True)
class Claim:
    """A sentence, and which way its difference has to point: up, down, or nowhere up."""

    key: str
    sentence: str
    points: str = "up"


CLAIMS = (
    Claim("pair", "Two LoRA at 0.7 are a better likeness than the better of them at its own best strength."),
    Claim("mixed pair", "So are a LoRA and a LyCORIS (LoHa) at 0.7."),
    Claim("three", "So are all three at 0.5."),
    Claim("three over pair", "Three at 0.5 are better than two at 0.7."),
    Claim("turned up", "One model turned up to 1.4 times its best strength collapses.", "down"),
    Claim("disjoint", "Two models of different photos do better than two of the same photos."),
    Claim("checkpoints", "Two states of one run bring nothing over the later one at its best.", "nowhere"),
    Claim("equal compute", "Two LoRA do better than one with all photos, steps and rank of both."),
    Claim("lora overall", "A LoRA carries the overall look better than a LoHa does."),
    Claim("lycoris detail", "A LoHa carries detail better than a LoRA does."),
    Claim("lycoris detail (lokr)", "A LoKr carries detail better than a LoRA does."),
    Claim("old face", "The gain of the pair is larger for the old face (otto) than for the young one (ada)."),
    Claim("word", "A textual inversion beside the pair helps."),
    Claim("dreambooth", "DreamBooth and a LoRA at 0.7 are better than the better of the two."),
    Claim("guided", "Two LoRA at 0.5 with half of it for the negative prompt are better than at 0.7."),
    Claim("guided alone", "So is one LoRA at 0.8, than at its own best strength without."),
    Claim("guided pair", "Then too the pair is better than one."),
    Claim("stranger", "Another person's model beside one's own hurts.", "down"),
    Claim("random", "Random directions of the same size beside one's own model hurt.", "down"),
)
OLD, YOUNG = "otto", "ada"
Three = tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """A claim with what each person shows by its measure, all together, the verdict, and all together by hit-rate.

    Claims about how often a likeness is perfect are decided by the mean likeness that a search goes by, of which a
    picture tells more than of a hit.
    """

    claim: Claim
    measure: str
    each: Mapping[str, Three]
    together: Three
    verdict: str
    perfect: Three | None = None


def findings(people: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Every claim that something was measured of."""
    found: dict[str, dict[str, dict[str, Three]]] = {}
    for name, person in people.items():
        for one in person["contrasts"]:
            found.setdefault(one["claim"], {}).setdefault(one["measure"], {})[name] = tuple(one["difference"])
    told = [finding(claim, found[claim.key]) for claim in CLAIMS if claim.key in found]
    return [*told, *([ages(found["pair"])] if {OLD, YOUNG} <= found.get("pair", {}).get(DECIDES, {}).keys() else [])]


def finding(claim: Claim, measured: Mapping[str, Mapping[str, Three]]) -> Finding:
    """One claim over all people, by likeness where it was measured."""
    measure = DECIDES if DECIDES in measured else next(iter(measured))
    together = mean([*measured[measure].values()])
    hits = measured.get("perfect")
    apart = disagree([*measured[measure].values()])
    told = "differs by person" if apart else verdict(claim, together, SMALL[measure])
    return Finding(claim, measure, measured[measure], together, told, hits and mean([*hits.values()]))


def ages(pairs: Mapping[str, Mapping[str, Three]]) -> Finding:
    """The gain of the old face less that of the young one."""
    claim = next(one for one in CLAIMS if one.key == "old face")
    likeness, hits = (less(pairs[measure][OLD], pairs[measure][YOUNG]) for measure in (DECIDES, "perfect"))
    return Finding(claim, DECIDES, {}, likeness, verdict(claim, likeness, SMALL[DECIDES]), hits)


def less(first: Three, second: Three) -> Three:
    """The difference of two independent differences."""
    middle, error = first[0] - second[0], sqrt(half(first) ** 2 + half(second) ** 2)
    return middle, middle - error, middle + error


def disagree(each: Sequence[Three]) -> bool:
    """Whether one person's interval is above 0 and another's below."""
    return any(low > 0 for _, low, _ in each) and any(high < 0 for _, _, high in each)


def mean(each: Sequence[Three]) -> Three:
    """The mean of independent differences with its interval."""
    middle = sum(one[0] for one in each) / len(each)
    error = sqrt(sum(half(one) ** 2 for one in each)) / len(each)
    return middle, middle - error, middle + error


def half(one: Three) -> float:
    """Half of an interval's width."""
    return (one[2] - one[1]) / 2


def verdict(claim: Claim, together: Three, small: float) -> str:
    """Whether the claim holds, does not hold, or is unclear."""
    _, low, high = together
    if claim.points == "nowhere":
        return "holds" if high < small else "does not hold" if low > 0 else "unclear"
    toward, against = (low > 0, high < 0) if claim.points == "up" else (high < 0, low > 0)
    none = -small < low and high < small
    return "holds" if toward else "does not hold" if against or none else "unclear"
