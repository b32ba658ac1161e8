"""The verdict says what was shown on fresh shots, in words with numbers, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eleven.reports.study import Arm, Model, Shot, Spending, StudyView
from eleven.reports.study_measures import Difference, Interval, Rate
from eleven.reports.verdict import points, span, verdict_of

PERFECT = Rate(110, 240, Interval(0.394, 0.527))
SINGLE = Rate(74, 240, Interval(0.25, 0.37))


def found(share, low, high, p=0.001):
    return Difference(share, Interval(low, high), p, 60, 150, 30)


def arm(name, role, strengths, rate, difference=None):
    return Arm(name, role, strengths, rate, rate, 0.0, difference)


CONFIRMED = found(0.15, 0.06, 0.24)


def study(difference=CONFIRMED, **changes):
    models = tuple(Model(name, f"{name}.safetensors", "0" * 64, "LoRA") for name in ("a", "b"))
    mix = arm("found mix", "mix", (0.72, 0.61), PERFECT, difference)
    single = arm("best single", "single", (0.95, 0.0), SINGLE)
    shots = tuple(Shot(f"prompt {at % 40}", at) for at in range(240))
    told = {"concept": "eve", "made": "2026", "version": "1", "base": "sd15", "models": models, "arms": (mix, single)}
    told |= {"winner": 0, "rival": 1, "fresh": True, "level": 0.95, "shots": shots, "pictures": ()}
    told |= {"spending": Spending("300", 88, 480, 90.0, 80.0)}
    return StudyView(**{**told, **changes})


MIX = "The mix 0.72 + 0.61 is perfect in 46 % of pictures (95 % interval 39–53), the best single model at its own best"
MIX += " strength in 31 %: "
FRESH = "on 240 fresh pictures of 40 prompts"
CASES = [
    (found(0.15, 0.06, 0.24), "confirmed", f"{MIX}+15 points (6–24), confirmed {FRESH}."),
    (found(0.01, -0.03, 0.04), "no practical difference", f"{MIX}+1 point (−3 to 4), no practical difference {FRESH}."),
    (found(0.06, -0.04, 0.16), "undecided", f"{MIX}+6 points (−4 to 16), which is not decided {FRESH}."),
    (found(0.15, 0.01, 0.29, 0.2), "undecided", f"{MIX}+15 points (1–29), which is not decided {FRESH}."),
    (
        found(-0.2, -0.3, -0.1),
        "worse",
        f"{MIX}−20 points (−30 to −10): worse {FRESH}. Use best single at 0.95 alone.",
    ),
]


@pytest.mark.parametrize(("difference", "outcome", "sentence"), CASES, ids=[case[1] for case in CASES])
def test_a_mix_against_the_best_single(difference, outcome, sentence):
    verdict = verdict_of(study(difference))
    assert (verdict.outcome, verdict.sentence) == (outcome, sentence)


def test_what_is_not_decided_says_how_many_pictures_would_decide():
    told = verdict_of(study(found(0.06, -0.04, 0.16), enough=1400)).sentence
    assert told.endswith("of 40 prompts; about 1,400 of each arm would decide.")


def test_shots_that_the_search_saw_prove_nothing():
    verdict = verdict_of(study(fresh=False))
    assert verdict.outcome == "unverified"
    assert verdict.sentence == (
        "Unverified: the mix 0.72 + 0.61 is perfect in 46 % of pictures (95 % interval 39–53) on the 240 shots that the"
        " search chose it by. On fresh ones the best of a search usually does worse."
    )


def test_a_winner_without_pictures_is_unverified():
    nothing = arm("found mix", "mix", (0.72, 0.61), Rate(0, 0, Interval(0, 1)))
    verdict = verdict_of(study(arms=(nothing,), rival=None))
    assert (verdict.outcome, verdict.sentence) == (
        "unverified",
        "Unverified: the mix 0.72 + 0.61 was never measured.",
    )


@pytest.mark.parametrize(
    ("difference", "outcome", "begins", "ends"),
    [
        (found(-0.15, -0.24, -0.06), "single", "Mixing does not help, a single model is best: ", "."),
        (found(-0.01, -0.04, 0.03), "single", "Mixing does not help, a single model is enough: ", "."),
        (found(-0.02, -0.08, 0.04, 0.6), "single", "Mixing does not help, a single model is enough: ", "."),
        (
            found(-0.01, -0.1, 0.08),
            "undecided",
            "It is not decided whether mixing helps: ",
            ". Until then, one model will do.",
        ),
    ],
)
def test_a_single_model_that_wins_is_told_beside_the_best_mix(difference, outcome, begins, ends):
    verdict = verdict_of(study(difference, winner=1))
    told = (
        "best single at 0.95 is perfect in 31 % of pictures (95 % interval 25–37), the best mix, 0.72 + 0.61, in 46 %: "
    )
    assert verdict.outcome == outcome
    assert verdict.sentence == f"{begins}{told}{points(difference.share)} ({span(difference.interval)}) {FRESH}{ends}"


AHEAD = "The usual strengths, 0.70 + 0.70, are perfect in 46 % of pictures (95 % interval 39–53), the best single model"
AHEAD += " at its own best strength in 31 %: "


@pytest.mark.parametrize(
    ("against", "ahead", "outcome", "ends"),
    [
        (found(0.15, 0.06, 0.24), found(0.05, -0.03, 0.13, None), "confirmed", "too near to tell them apart."),
        (found(0.15, 0.06, 0.24), found(0.12, 0.03, 0.21, None), "confirmed", "and they are better."),
        (found(0.08, -0.02, 0.18), found(0.12, 0.03, 0.21, None), "undecided", "too near to tell them apart."),
    ],
)
def test_usual_strengths_that_are_ahead_are_told_beside_the_mix_of_the_search(against, ahead, outcome, ends):
    mix = arm("the mix", "mix", (0.72, 0.61), SINGLE, found(0.0, -0.08, 0.08, 1.0))
    usual = arm("the usual strengths", "preset", (0.7, 0.7), PERFECT, against)
    single = arm("best single", "single", (0.95, 0.0), SINGLE)
    verdict = verdict_of(study(arms=(mix, single, usual), winner=2, preset_ahead=ahead))
    assert verdict.outcome == outcome
    assert verdict.sentence.startswith(AHEAD)
    told = " They are handed over: the mix that the search found, 0.72 + 0.61, was perfect in 31 %; "
    assert verdict.sentence.endswith(f"{told}{points(ahead.share)} ({span(ahead.interval)}), {ends}")


def test_the_first_of_given_arms_is_told_beside_the_next_best():
    first = arm("mine", "given", (0.72, 0.61), PERFECT)
    others = (
        arm("weak", "given", (0.3, 0.0), SINGLE, found(-0.3, -0.4, -0.2)),
        arm("other", "given", (0.7, 0.7), replace(SINGLE, hits=90), found(-0.08, -0.16, -0.01)),
    )
    verdict = verdict_of(study(arms=(first, *others), winner=0, rival=0))
    assert verdict.outcome == "confirmed"
    assert ", other in 38 %: +8 points (1–16), confirmed" in verdict.sentence


def test_a_single_model_without_mixes_beside_it():
    verdict = verdict_of(study(winner=0, arms=(arm("a alone", "single", (1.0, 0.0), SINGLE),), rival=None))
    assert verdict.sentence.startswith("A single model is best: a alone at 1.00 is perfect in 31 % of pictures")


def test_an_arm_with_nothing_beside_it_claims_nothing():
    verdict = verdict_of(study(arms=(arm("x", "given", (0.7, 0.7), PERFECT),), rival=None))
    assert verdict.outcome == "undecided"
    assert verdict.sentence.endswith(f"{FRESH}; nothing was measured beside it.")


@pytest.mark.parametrize(
    ("count", "ends"),
    [(1, " of 1 prompt. This holds for this prompt only."), (3, " of 3 prompts. This holds for these 3 prompts only.")],
)
def test_few_prompts_are_told(count, ends):
    shots = tuple(Shot(f"prompt {at % count}", at) for at in range(240))
    assert verdict_of(study(shots=shots)).sentence.endswith(ends)


def test_a_rival_that_is_no_single_is_named():
    one = study()
    given = replace(one, arms=(one.arms[0], replace(one.arms[1], role="preset", name="preset", strengths=(0.7, 0.7))))
    assert ", preset in 31 %: +15 points" in verdict_of(given).sentence
    worse = replace(given, arms=(replace(given.arms[0], difference=found(-0.2, -0.3, -0.1)), given.arms[1]))
    assert verdict_of(worse).sentence.endswith("Use preset.")


def test_numbers_are_spelled_for_people():
    assert [points(share) for share in (0.01, -0.01, 0.001, 0.154)] == [
        "+1 point",
        "−1 point",
        "±0 points",
        "+15 points",
    ]
    assert span(Interval(-0.001, 0.03)) == "0–3"
