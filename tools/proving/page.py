"""docs/evidence.md from docs/evidence.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proving.claims import Finding, findings

Data = Mapping[str, Any]
ENOUGH = 0.1
"""A perfect share from which on its loss can be told on a few shots."""

HEAD = """# Evidence from the concept lab

What mixing does for the lab's people, measured on pictures: every arm of a person draws the same fresh prompts and
seeds (12 steps, guidance 3), none of which was used to choose a strength.

- *Perfect* is an overall and a detail likeness that three of four held-out photos have among themselves (as the base's
  autoencoder returns them), and at least half of what the prompt asks for. *Good* is what nineteen of twenty photos
  have, and more than what 99.9 % of other people's have.
- Intervals are of 95 %, with prompts as clusters. p-values and verdicts are not corrected for their number.
- Single models stand at their own best strength of 0.8, 1, 1.2 and 1.4 by likeness, on 24 other shots. *The best
  single* is the best of an arm's own models on the very shots that it is compared on.

Made by `python tools/evidence.py --work DIR` (hours, resumable); the numbers are in evidence.json.
"""
CLAIMS = """## What people say of mixing

Differences of the mean likeness that a search goes by, in spreads of real photos, which decide, as a picture tells more
of it than a hit does; or of overall and detail likeness in hundredths where the claim is about those. *Together* is the
mean over people; a claim differs by person where one's interval is above 0 and another's below. The last column is the
difference of perfect shares, over all people.
"""
TOTALS = """## Over the total

Equal strengths on 32 shots: the total at which the mean likeness is highest, the perfect share there, and the first
total beyond at which a third of it is lost.
"""
RULES = """## Rules that combine deltas

The two LoRA by every rule, each at its own best total by likeness on 12 other shots (uphill over 0.5 to 4), on the
same 80 fresh shots, in bfloat16; *gain* is against the plain sum. `functional` is left out: it needs activations, which
no command collects. *Predictions mixed* is v₀ + Σ s·(vᵢ − v₀) at every step. No file alone can hold that, nor the
rules over steps and for the negative prompt.
"""
STEERING = """## Steering detail

A mix of three models that a search of 170 pictures found, moved by `--detail`, on the same fresh shots; the interval of
the change is of pairs. Made by `python tools/measure_steering.py --work DIR --json FILE`.
"""
TUNING = """## The main job on newcomers

People whom nothing was built with: `eleven tune` with its usual budget, then the mix and its rival, the best single, on
1,000 further shots of other seeds, in bfloat16.
"""


GUIDED = """### With the share for the negative prompt searched too

Five further newcomers with two LoRA each: `eleven tune --knob negative=0..1` with its usual budget, and on 400 further
shots what it hands over, the best single model with a share of its own, and the best single model as people use it: at
its own best strength, guided as usual.
"""


def page(data: Data) -> str:
    """The page: a section for everything that was measured."""
    parts = [HEAD]
    if people := data.get("arms", {}):
        parts += [CLAIMS, claims_table(people), *(person(one) for one in people.values())]
    if found := data.get("totals", {}):
        parts += [TOTALS, totals_table([row for rows in found.values() for row in rows])]
    if found := data.get("rules", {}):
        parts += [RULES, *(rules_table(name, rows) for name, rows in found.items())]
    if found := data.get("steering", {}):
        parts += [STEERING, *(steering_table(name, one) for name, one in found.items())]
    if found := data.get("tuning", {}):
        parts += [TUNING, tuning_table([*found.values()])]
    if found := data.get("guided", {}):
        parts += [GUIDED, guided_table([*found.values()])]
    return "\n".join(parts)


def claims_table(people: Data) -> str:
    """Every claim with its verdict."""
    head = table_head("claim", "verdict", "together", *people, "perfect, points")
    return "\n".join([head, *(claim_row(one, people) for one in findings(people)), ""])


def claim_row(one: Finding, people: Data) -> str:
    """One claim."""
    scale, form = (1, "+.2f") if one.measure == "likeness" else (100, "+.1f")
    each = [within(one.each[name], scale, form) if name in one.each else "" for name in people]
    hits = within(one.perfect, 100, "+.0f") if one.perfect else ""
    return cells(one.claim.sentence, f"**{one.verdict}**", within(one.together, scale, form), *each, hits)


def person(one: Data) -> str:
    """One person's arms."""
    photos = one["photos"]
    told = f"Photos among themselves: overall {photos['overall']:.3f}, detail {photos['detail']:.3f}.\n"
    head = table_head("arm", "strengths", "shots", "perfect %", "good %", "overall", "detail")
    rows = [cells(row["arm"], strengths(row["strengths"]), str(row["shots"]), *measures(row)) for row in one["rows"]]
    return "\n".join([f"## {one['name'].capitalize()}\n", told, head, *rows, ""])


def measures(row: Data) -> list[str]:
    """Rates and likenesses with their intervals."""
    rates = [within(row[rate], 100, ".0f") for rate in ("perfect", "good")]
    return [*rates, *(within(row[part], 1, ".3f") for part in ("overall", "detail"))]


def totals_table(rows: Sequence[Data]) -> str:
    """Where each set is best, and where it falls off."""
    head = table_head("person", "models", "best alone", "best total", "perfect % there", "a third lost at")
    told = []
    for row in rows:
        top = max(range(len(row["totals"])), key=lambda at: row["likeness"][at])
        lost = next(
            (total for total, share in zip(row["totals"], row["perfect"], strict=True) if is_lost(row, total, share)),
            None,
        )
        alone = ", ".join(f"{row['singles'][kind]:.2g}" for kind in row["models"])
        told.append(
            cells(
                row["person"],
                " + ".join(row["models"]),
                alone,
                f"{row['best']:.2f}",
                f"{100 * row['perfect'][top]:.0f}",
                f"{lost:g}" if lost else "–",
            )
        )
    return "\n".join([head, *told, ""])


def is_lost(row: Data, total: float, share: float) -> bool:
    """Whether a third of the highest perfect share is lost at a total beyond it; not told where few are perfect."""
    top = max(row["perfect"])
    return top >= ENOUGH and total > row["totals"][row["perfect"].index(top)] and share <= top * 2 / 3


def rules_table(name: str, rows: Sequence[Data]) -> str:
    """One person's rules."""
    head = table_head("rule", "best total", "perfect %", "gain in likeness", "p", "gain in perfect, points", "p")
    told = [
        cells(
            row["arm"],
            f"{row['total']:g}",
            within(row["perfect"], 100, ".0f"),
            *gain(row["gains"]["likeness"], 1, "+.2f"),
            *gain(row["gains"]["perfect"], 100, "+.0f"),
        )
        for row in rows
    ]
    return "\n".join([f"### {name.capitalize()}\n", head, *told, ""])


def gain(found: Data | None, scale: float, form: str) -> tuple[str, str]:
    """A difference and its p-value."""
    return ("–", "–") if found is None else (within(found["difference"], scale, form), f"{found['p']:.3f}")


def steering_table(name: str, one: Data) -> str:
    """One person's settings of detail."""
    head = table_head("--detail", "strengths", "shots", "overall", "detail", "change of detail")
    told = [
        cells(
            f"{row['detail']:+g}",
            " + ".join(f"{at:.2f}" for at in row["strengths"]),
            str(row["shots"]),
            *(within(row[part], 1, ".3f") for part in ("overall", "detail_score")),
            within(row["detail_change"], 1, "+.4f"),
        )
        for row in one["settings"]
    ]
    return "\n".join([f"### {name.capitalize()}\n", head, *told, ""])


def tuning_table(rows: Sequence[Data]) -> str:
    """What was said, and what is so."""
    head = table_head(
        "case",
        "mix",
        "verdict of `tune`",
        "mix less single, tuned",
        "further shots",
        "mix %, direct",
        "single %, direct",
        "mix less single, direct",
    )
    told = [
        cells(
            row["name"],
            " + ".join(f"{at:.2g}" for at in row["mix"]),
            row["outcome"],
            points(row["tuned"]["difference"]),
            str(row["direct"]["mix"]["shots"]),
            percent(row["direct"]["mix"]),
            percent(row["direct"]["rival"]),
            points(row["direct"]["difference"]),
        )
        for row in rows
    ]
    return "\n".join([head, *told, ""])


def guided_table(rows: Sequence[Data]) -> str:
    """What was found, beside single models."""
    head = table_head(
        "newcomer",
        "handed over",
        "perfect %",
        "plain single",
        "perfect %",
        "gain",
        "single, own share",
        "perfect %",
        "gain",
    )
    return "\n".join([head, *(cells(row["name"], *guided_cells(row)) for row in rows), ""])


def guided_cells(row: Data) -> list[str]:
    """The mix and its perfect share; those of each kind of single, and how much less they have."""
    arms, direct = row["arms"], row["direct"]
    found = "found" if "found" in arms else "single"
    told = [guided_mix(arms[found]), percent(direct[found])]
    for name in ("plain single", "single"):
        told += [guided_mix(arms[name]), percent(direct[name]), points(row["difference"][name])]
    return told


def guided_mix(arm: Data) -> str:
    """Strengths of a mix, and the share for the negative prompt where that is one."""
    told = " + ".join(f"{at:.2g}" for at in arm["strengths"])
    return told if arm["share"] == 1 else f"{told}, × {arm['share']:.2g}"


def percent(rate: Data) -> str:
    """A share of the results file."""
    return f"{100 * rate['hits'] / rate['shots']:.0f}"


def points(difference: Data | None) -> str:
    """A difference of the results file."""
    if difference is None:
        return "–"
    interval = difference["interval"]
    return within((difference["share"], interval["low"], interval["high"]), 100, "+.0f")


def strengths(told: Mapping[str, float]) -> str:
    """Strengths in the order of models."""
    return " + ".join(f"{at:.3g}" for at in told.values()) or "–"


def within(three: Sequence[float], scale: float, form: str) -> str:
    """An estimate and its interval."""
    middle, low, high = (format(scale * one, form).replace("-", "−") for one in three)
    return f"{middle} ({low} to {high})"


def table_head(*names: str) -> str:
    """The first two lines of a table."""
    return f"{cells(*names)}\n{'|---' * len(names)}|"


def cells(*texts: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(texts)} |"
