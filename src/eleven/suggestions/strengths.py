"""The strengths to start from, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

from eleven.mix import Mix, Part, preset
from eleven.suggestions.findings import STRONG, WEAK, Finding, relative_norm
from eleven.suggestions.groups import Groups
from eleven.suggestions.models import Case
from eleven.suggestions.probe import Probe, predicted_total, prediction_norms, ratios, restricted, shared

HIGHEST = 1.8
"""A total above this was never best; a smaller overlap than it stands for is that of strangers."""
FAINT, TAMED = 0.3, 0.4
"""The strength of a weak model, and the least that is left of a strong one's."""
MILD = 0.6, 1.6
"""How far the size of its effect may move a model from an even share."""


@final
@dataclass(frozen=True)
class Suggestion:
    """A strength for each model, their total, why that total, and a reason for each model.

    Words have a strength of 1, which is part of no total. `overlap` is ρ of the models that count, None where no base
    was asked; `by_photos` tells whether photos decided the proportions.
    """

    strengths: tuple[float, ...]
    total: float
    overlap: float | None
    by_photos: bool
    reason: str
    reasons: tuple[str, ...]

    def mix(self, parts: Sequence[Part]) -> Mix:
        """The mix of these parts, which come in the order of the models; those at 0 are left out."""
        pairs = zip(parts, self.strengths, strict=True)
        return Mix(parts=tuple(part.model_copy(update={"strength": at}) for part, at in pairs if at != 0))


def suggest(case: Case, findings: Sequence[Finding], single_best: float = 1.0) -> Suggestion:
    """Where to start; `single_best` is the strength at which one of the models is best alone."""
    groups = grouped(case, findings)
    probe = _probe_of(case, groups)
    overlap = shared(probe) if probe else None
    total, reason = _total(len(groups), overlap, single_best)
    if any(one.kind == "different-concepts" for one in findings):
        reason = f"{reason} It holds only if all are of one concept."
    photos = _by_photos(probe, groups)
    shares = photos or _by_size(case, groups)
    given, reasons = list[float](), list[str]()
    for number, model in enumerate(case.models):
        group = next((group for group in groups if number in group), ())
        given.append(round(total * shares[number], 2) if group else float(not model.changes))
        reasons.append(_reason(case, number, group, by_photos=bool(photos)))
    whole = sum(at for at, model in zip(given, case.models, strict=True) if model.changes)
    return Suggestion(
        tuple(given), round(whole, 2), overlap if len(groups) > 1 else None, bool(photos), reason, tuple(reasons)
    )


def grouped(case: Case, findings: Sequence[Finding]) -> Groups:
    """The models that count, those that count as one together; strangers are set aside where two others are left."""
    aside = {number for one in findings if one.kind == "stranger" for number in one.files}
    counted = [number for number, model in enumerate(case.models) if model.changes]
    kept = [number for number in counted if number not in aside]
    home = {number: number for number in (kept if len(kept) > 1 else counted)}
    for one in findings:
        if one.kind == "redundant" and all(number in home for number in one.files):
            first, second = sorted(home[number] for number in one.files)
            home = {number: first if at == second else at for number, at in home.items()}
    return tuple(tuple(number for number in home if home[number] == first) for first in dict.fromkeys(home.values()))


def _total(count: int, overlap: float | None, single_best: float) -> tuple[float, str]:
    """The total and its reason."""
    if count < 2:
        return single_best * count, "As for one model alone." if count else "Nothing here has a strength."
    if overlap is None:
        each = single_best * preset(count)[0]
        told = f"The usual start for {count} models: {each:.2f} each."
        return each * count, f"{told} How much they overlap is not known without a base."
    total = predicted_total(single_best, overlap, count)
    shown = f"{single_best:g} · {count} / (1 + {count - 1} · {overlap:.2f}) ≈ {total:.2f}"
    told = f"{shown}, from the overlap of predictions in high noise."
    return min(total, HIGHEST), told if total <= HIGHEST else f"{told} {HIGHEST:g} is the most that is suggested."


def _probe_of(case: Case, groups: Groups) -> Probe | None:
    """What the first of each group changes in predictions; None without a base, and where nobody counts."""
    return restricted(case.probe, [group[0] for group in groups]) if case.probe and groups else None


def _by_photos(probe: Probe | None, groups: Groups) -> dict[int, float]:
    """Shares of the total as photos lean, each group's split evenly; empty without photos, or if none helps."""
    found = ratios(probe) if probe else ()
    return _split(groups, found) if found else {}


def _by_size(case: Case, groups: Groups) -> dict[int, float]:
    """Even shares; a weak model gets little and a strong one less; with a base by what they do to predictions."""
    each = 1 / max(len(groups), 1)
    probe = _probe_of(case, groups)
    if probe is None:
        return _split(groups, [each * _tempered(case, group[0], len(groups)) for group in groups])
    sizes = prediction_norms(probe)
    middle = median(sizes)
    scales = [min(max(middle / size, MILD[0]), MILD[1]) if size > 0 else 1.0 for size in sizes]
    return _split(groups, [scale / sum(scales) for scale in scales])


def _tempered(case: Case, number: int, count: int) -> float:
    """The factor on a model's even share that its norm justifies."""
    ratio, alike = relative_norm(case, number)
    if ratio < WEAK:
        return min(1.0, FAINT / preset(count)[0])
    return max(TAMED, 1 / ratio) if alike > 2 and ratio > STRONG else 1.0


def _split(groups: Groups, shares: Sequence[float]) -> dict[int, float]:
    return {number: share / len(group) for group, share in zip(groups, shares, strict=True) for number in group}


def _reason(case: Case, number: int, group: tuple[int, ...], *, by_photos: bool) -> str:
    """Why a model has its strength."""
    if not case.models[number].changes:
        return "a word: its strength is set in the prompt"
    if not group:
        return "set aside: a stranger to the others"
    if len(group) > 1:
        others = ", ".join(case.models[other].name for other in group if other != number)
        return f"shares one place with {others}"
    if case.probe is not None:
        return (
            "half by how much it helps with the photos, half an even share"
            if by_photos
            else "by how much it changes predictions"
        )
    ratio, alike = relative_norm(case, number)
    if ratio < WEAK:
        return "weak: it changes little"
    return "strong: it changes more than the others" if alike > 2 and ratio > STRONG else "an even share"
