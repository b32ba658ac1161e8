"""What a study says, in a word and in a sentence with its numbers: no more than was measured on fresh shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from eleven.reports.study import Arm, StudyView
from eleven.reports.study_measures import Difference, Interval, Rate

Outcome = Literal["confirmed", "no practical difference", "undecided", "worse", "single", "unverified"]

PRACTICAL = 0.05
"""A difference whose whole interval is nearer to 0 than this changes nothing in practice."""
SIGNIFICANT = 0.05
"""A corrected p-value above this proves nothing, whatever the interval of the one comparison."""
FEW_PROMPTS = 10
"""Below so many prompts, a result tells of these prompts and not of others."""


@final
@dataclass(frozen=True)
class Verdict:
    """A word for programs, and a sentence for people."""

    outcome: Outcome
    sentence: str


def verdict_of(study: StudyView) -> Verdict:
    """The outcome of a study and its sentence; the same data give the same words."""
    outcome = outcome_of(study)
    return Verdict(outcome, f"{_SENTENCES[outcome](study)}{_limits(study)}")


def outcome_of(study: StudyView) -> Outcome:
    """What has been shown about the winner, on fresh shots."""
    winner = study.arms[study.winner]
    if not study.fresh or not winner.perfect.shots:
        return "unverified"
    if _is_single(study):
        mix = _best_mix(study)
        return "undecided" if mix and mix.difference and _may_help(mix.difference) else "single"
    beside = _beside(study)
    return judge(beside[1]) if beside else "undecided"


def judge(found: Difference) -> Outcome:
    """What a difference shows by itself."""
    low, high = found.interval.low, found.interval.high
    if low > -PRACTICAL and high < PRACTICAL:
        return "no practical difference"
    is_proven = found.p is None or found.p <= SIGNIFICANT
    if low > 0 and is_proven:
        return "confirmed"
    return "worse" if high < 0 and is_proven else "undecided"


def _may_help(found: Difference) -> bool:
    """Whether the mix may still be better than its single model by what counts in practice."""
    return judge(found) == "undecided" and found.interval.high >= PRACTICAL


def strengths_text(arm: Arm) -> str:
    """The strengths as people say them: `0.72 + 0.61`."""
    return " + ".join(number(arm.strengths[one]) for one in arm.active) or "without models"


def number(value: float) -> str:
    """A strength with two digits behind the point, a likeness likewise, with a minus sign of full width."""
    return f"{value:.2f}".replace("-", "−")


def percent(share: float) -> str:
    """A share as `46 %`."""
    return f"{100 * share:.0f} %"


def points(share: float) -> str:
    """A difference of shares as `+15 points`."""
    rounded = round(100 * share)
    sign = "−" if rounded < 0 else "+" if rounded else "±"
    return f"{sign}{abs(rounded)} {'point' if abs(rounded) == 1 else 'points'}"


def span(interval: Interval) -> str:
    """An interval of shares in per cent: `39–53`, or `−3 to 4` where there is a minus sign."""
    low, high = (str(round(100 * end)).replace("-", "−") for end in (interval.low, interval.high))
    return f"{low} to {high}" if "−" in low + high else f"{low}–{high}"


def _confirmed(study: StudyView) -> str:
    return f"{_compared(study)}, confirmed {_measured(study)}.{_preset_ahead(study)}"


def _no_difference(study: StudyView) -> str:
    return f"{_compared(study)}, no practical difference {_measured(study)}."


def _undecided(study: StudyView) -> str:
    told = f"; about {study.enough:,} of each arm would decide" if study.enough else ""
    if _is_single(study):
        return f"It is not decided whether mixing helps: {_beside_mix(study)}{told}. Until then, one model will do."
    if _beside(study) is None:
        alone = _begun(_rated(study, study.arms[study.winner]))
        return f"{alone} {_measured(study)}; nothing was measured beside it{told}."
    return f"{_compared(study)}, which is not decided {_measured(study)}{told}.{_preset_ahead(study)}"


def _worse(study: StudyView) -> str:
    rival = _rival(study)
    alone = f" Use {_alone(study, rival)} alone." if len(rival.active) == 1 else f" Use {rival.name}."
    return f"{_compared(study)}: worse {_measured(study)}.{alone}"


def _single(study: StudyView) -> str:
    mix = _best_mix(study)
    if mix is None or mix.difference is None:
        winner = study.arms[study.winner]
        said = f"{_alone(study, winner)} is perfect in {_share(study, winner.perfect)}"
        return f"A single model is best: {said} {_measured(study)}."
    best = "a single model is best" if judge(mix.difference) == "worse" else "a single model is enough"
    return f"Mixing does not help, {best}: {_beside_mix(study)}."


def _beside_mix(study: StudyView) -> str:
    """The single model that won, with the best mix beside it."""
    winner, mix = study.arms[study.winner], _best_mix(study)
    assert mix is not None and mix.difference is not None
    said = f"{_alone(study, winner)} is perfect in {_share(study, winner.perfect)}"
    rest = f"the best mix, {strengths_text(mix)}{_knobs(study, mix)}, in {percent(mix.perfect.share)}"
    return f"{said}, {rest}: {points(mix.difference.share)} ({span(mix.difference.interval)}) {_measured(study)}"


def _preset_ahead(study: StudyView) -> str:
    """Where the usual strengths are recommended, what is known of the mix that the search found."""
    winner, ahead = study.arms[study.winner], study.preset_ahead
    mix = next((arm for arm in study.arms if arm.role == "mix"), None)
    if winner.role != "preset" or mix is None or ahead is None:
        return ""
    is_proven = ahead.interval.low > 0 and outcome_of(study) == "confirmed"
    proven = "and they are better" if is_proven else "too near to tell them apart"
    said = f"the mix that the search found, {strengths_text(mix)}, was perfect in {percent(mix.perfect.share)}"
    return f" They are handed over: {said}; {points(ahead.share)} ({span(ahead.interval)}), {proven}."


def _unverified(study: StudyView) -> str:
    winner = study.arms[study.winner]
    if not winner.perfect.shots:
        return f"Unverified: {_called(winner)} was never measured."
    told = f"Unverified: {_rated(study, winner)} on the {winner.perfect.shots} shots that the search chose it by."
    return f"{told} On fresh ones the best of a search usually does worse."


def _compared(study: StudyView) -> str:
    beside = _beside(study)
    assert beside is not None
    other, found = beside
    called = "the best single model at its own best strength" if other.role == "single" else other.name
    said = f"{_begun(_rated(study, study.arms[study.winner]))}, {called} in {percent(other.perfect.share)}"
    return f"{said}: {points(found.share)} ({span(found.interval)})"


def _beside(study: StudyView) -> tuple[Arm, Difference] | None:
    """What the winner is compared with, and how far it is ahead: the rival, or where it is that, the next best."""
    winner = study.arms[study.winner]
    if winner.difference is not None:
        return _rival(study), winner.difference
    others = [arm for arm in study.arms if arm.difference is not None and arm.role != "guided"]
    if study.winner != study.rival or not others:
        return None
    best = max(others, key=lambda arm: arm.perfect.share)
    assert best.difference is not None
    return best, _turned(best.difference)


def _turned(found: Difference) -> Difference:
    """The second less the first."""
    within = Interval(-found.interval.high, -found.interval.low)
    return Difference(-found.share, within, found.p, found.losses, found.ties, found.wins)


def _is_single(study: StudyView) -> bool:
    """Whether one model of several is recommended by a search."""
    winner = study.arms[study.winner]
    return len(winner.active) == 1 and len(study.models) > 1 and winner.role == "single"


def _best_mix(study: StudyView) -> Arm | None:
    """The mix, the search's or the usual strengths, that is perfect most often of those compared with the rival."""
    mixes = [arm for arm in study.arms if len(arm.active) > 1 and arm.difference and arm.role != "guided"]
    return max(mixes, key=lambda arm: arm.perfect.share, default=None)


def _rated(study: StudyView, arm: Arm) -> str:
    verb = "are" if arm.role == "preset" else "is"
    return f"{_called(arm)}{_knobs(study, arm)} {verb} perfect in {_share(study, arm.perfect)}"


def _alone(study: StudyView, arm: Arm) -> str:
    return f"{arm.name} at {strengths_text(arm)}{_knobs(study, arm)}"


def _knobs(study: StudyView, arm: Arm) -> str:
    knobs = [f"{knob.name} × {number(value)}" for knob, value in zip(study.knobs, arm.knobs, strict=False)]
    knobs += [f"negative × {number(arm.share)}"] if arm.share != 1 else []
    return f" with {', '.join(knobs)}" if knobs else ""


def _begun(words: str) -> str:
    """As a sentence begins."""
    return f"{words[0].upper()}{words[1:]}"


def _called(arm: Arm) -> str:
    mixed = len(arm.active) > 1
    if arm.role == "preset":
        return f"the usual strengths, {strengths_text(arm)},"
    return f"the mix {strengths_text(arm)}" if mixed else f"{arm.name} ({strengths_text(arm)})"


def _share(study: StudyView, rate: Rate) -> str:
    return f"{percent(rate.share)} of pictures ({percent(study.level)} interval {span(rate.interval)})"


def _measured(study: StudyView) -> str:
    shots, prompts = study.arms[study.winner].perfect.shots, len(study.prompts)
    return f"on {shots:,} fresh {_many(shots, 'picture')} of {prompts} {_many(prompts, 'prompt')}"


def _limits(study: StudyView) -> str:
    count = len(study.prompts)
    if count >= FEW_PROMPTS:
        return ""
    return f" This holds for {'this prompt' if count == 1 else f'these {count} prompts'} only."


def _many(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _rival(study: StudyView) -> Arm:
    return study.arms[study.rival or 0]


_SENTENCES = {
    "confirmed": _confirmed,
    "no practical difference": _no_difference,
    "undecided": _undecided,
    "worse": _worse,
    "single": _single,
    "unverified": _unverified,
}
