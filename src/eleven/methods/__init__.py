"""Methods: how the deltas of one layer become one; every method is a row of `METHODS`."""

from __future__ import annotations

from difflib import get_close_matches

from eleven.errors import UsageError
from eleven.methods.consensus import add, elect, merging, unanimous
from eleven.methods.functional import functional
from eleven.methods.linear import model_stock, weighted_sum
from eleven.methods.method import Method, Option, Row, Setting, Value, settle
from eleven.methods.sparsify import drop, drop_by_rank, keep_all, trim
from eleven.methods.subspace import RULES, knots

__all__ = ["METHODS", "Method", "Option", "Row", "Setting", "Value", "find_method", "settle"]

TRIMMED = Option("density", 0.2, "the share of each part's entries that stays, largest first", low=0.001)
DRAWN = Option("density", 0.5, "the chance of each entry to stay", low=0.001)

METHODS: tuple[Row, ...] = (
    Row(
        "sum",
        weighted_sum,
        "Ilharco et al. 2022, arXiv 2212.04089",
        "The sum of strength times delta, exact and lazy; every other method must beat it in measurement.",
    ),
    Row(
        "magnitude",
        merging(trim, add),
        "Han et al. 2015, arXiv 1506.02626",
        "The sum of each part's largest entries.",
        (TRIMMED,),
    ),
    Row(
        "ties",
        merging(trim, elect),
        "Yadav et al. 2023, arXiv 2306.01708",
        "Each part's largest entries; the mean of those with the elected sign, times the summed strengths.",
        (TRIMMED,),
    ),
    Row(
        "dare",
        merging(drop, add),
        "Yu et al. 2023, arXiv 2311.03099",
        "The sum of entries drawn at random, each scaled up by the chance it had.",
        (DRAWN,),
    ),
    Row(
        "dare_ties",
        merging(drop, elect),
        "Yu et al. 2023, arXiv 2311.03099",
        "Entries drawn and scaled as dare, then the elected sign and the mean as ties.",
        (DRAWN,),
    ),
    Row(
        "della",
        merging(drop_by_rank, elect),
        "Deep et al. 2024, arXiv 2406.11617",
        "As dare_ties, with larger entries of an output likelier to stay.",
        (DRAWN, Option("epsilon", 0.2, "the chance of the largest entry to stay less that of the smallest")),
    ),
    Row(
        "unanimous",
        merging(keep_all, unanimous),
        "Parascandolo et al. 2020, arXiv 2009.00329",
        "The sum where no two parts pull an entry opposite ways, and zero elsewhere.",
    ),
    Row(
        "model_stock",
        model_stock,
        "Jang et al. 2024, arXiv 2403.19522",
        "The sum, shrunk in each layer by how little its parts point the same way.",
    ),
    Row(
        "knots",
        knots,
        "Stoica et al. 2024, arXiv 2410.19735",
        "Ties or the sum in the basis of all parts' outputs; keeps factors, at most of the summed rank.",
        (
            Option("merge", "ties", "the rule inside the basis", choices=tuple(RULES)),
            Option("density", 0.2, "the share of each part's coordinates that stays under ties", low=0.001),
        ),
    ),
    Row(
        "functional",
        functional,
        "Wiener's filter (1949) on the outputs; this project's own",
        "The sum, filtered towards what the parts do alike on calibration inputs.",
        (
            Option("beta", 0.1, "how far what is not shared is filtered out: 0 not at all, 1 wholly"),
            Option("gain", 0.0, "how much of what is shared is added on top"),
            Option("ridge", 1e-3, "regularisation, relative to the mean power of an output", low=1e-9),
        ),
        needs_activations=True,
    ),
)


def find_method(name: str) -> Row:
    """The row of this name. UsageError with the nearest name and all others."""
    rows = {row.name: row for row in METHODS}
    if name in rows:
        return rows[name]
    near = get_close_matches(name.lower().replace("-", "_"), rows, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no method {name!r}.", hint=f"{guess}There are {', '.join(rows)}.")
