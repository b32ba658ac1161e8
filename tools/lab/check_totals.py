"""Which probe foretells the best total of a mix: predictions beside totals that were swept in the lab.

Run `python tools/lab/check_totals.py FILE`, where FILE lists for each set of models its person, the models' names, the
best strength of each alone (`singles`) and the best total at equal strengths (`best`). Needs minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from eleven.engines.diffusers import DiffusersEngine
from eleven.engines.engine import Shot
from eleven.engines.inputs import BANDS, noised, recorded
from eleven.engines.opening import Setup, open_engine
from eleven.engines.probing import Products, products, together
from eleven.lab.people import concept
from eleven.lab.shipped import concept_folder
from eleven.mix import Mix, Part, preset
from eleven.scorers.references import photos_of
from eleven.suggestions.probe import Probe, cosines, mean_of_pairs, mean_overlap, predicted_total

STEPS, GUIDANCE, PICTURES = 12, 3.0, 2
NEAR = 0.15
Row = Mapping[str, Any]


def main() -> None:
    """Prints how near each probe comes, set by set and in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    rows: list[Row] = json.loads(parser.parse_args().file.read_text("utf-8"))
    rows.sort(key=lambda row: row["person"])
    found: list[dict[str, float]] = []
    with open_engine(Setup("lab", "cpu", batch=24), print) as engine:
        for _, group in groupby(rows, lambda row: row["person"]):
            of_person = list(group)
            found += [ratios(row, guesses) for row, guesses in zip(of_person, foretold(engine, of_person), strict=True)]
    for row, each in zip(rows, found, strict=True):
        told = "  ".join(f"{name} {ratio:.2f}" for name, ratio in each.items())
        print(f"{row['person']} {' + '.join(row['models'])}: best {row['best']:.2f}; foretold over best: {told}")
    for name in found[0]:
        values = np.array([each[name] for each in found])
        print(f"{name}: {np.mean(np.abs(values - 1) <= NEAR):.0%} of {len(values)} within ±{NEAR:.0%}, ", end="")
        print(f"median {np.median(values):.2f}, spread {np.log(values).std():.2f}")


def ratios(row: Row, guesses: Mapping[str, float]) -> dict[str, float]:
    """Each guess over the best total."""
    return {name: guess / row["best"] for name, guess in guesses.items()}


def foretold(engine: DiffusersEngine, rows: Sequence[Row]) -> list[dict[str, float]]:
    """For each set of one person the totals that each probe foretells."""
    folder, prompt = concept_folder(rows[0]["person"]), f"photo of {concept(rows[0]['person']).trigger}"
    names = sorted({name for row in rows for name in row["models"]})
    mixes = [Mix(parts=(Part(file=str(folder / f"{rows[0]['person']}-{name}.safetensors")),)) for name in names]
    photos = products(engine, mixes, noised(engine, list(photos_of(folder / "references").values()), prompt))
    shots = [Shot(prompt, seed, steps=STEPS, guidance=GUIDANCE) for seed in range(PICTURES)]
    out: list[dict[str, float]] = []
    for row in rows:
        chosen = [names.index(name) for name in row["models"]]
        some = [mixes[index] for index in chosen]
        pictures = products(engine, some, recorded(engine, together(some, preset(len(some))), shots))
        out.append(totals(row, part_of(photos, chosen), pictures.probe()))
    return out


def part_of(found: Products, chosen: Sequence[int]) -> Products:
    """What concerns some of the models."""
    assert found.targets is not None
    grams, targets = found.grams[:, chosen][:, :, chosen], found.targets[:, chosen]
    return Products(found.bands, found.sources, grams, targets, found.errors)


def totals(row: Row, photos: Products, pictures: Probe) -> dict[str, float]:
    """What each way foretells of one set."""
    count, singles = len(row["models"]), [row["singles"][name] for name in row["models"]]
    probe = photos.probe()
    shared = {name: mean_of_pairs(cosines(band.gram)) for (name, *_), band in zip(BANDS, probe.bands, strict=True)}
    shared |= {"photos, all bands": mean_overlap(probe), "pictures": mean_overlap(pictures)}
    found = {name: predicted_total(float(np.mean(singles)), rho, count) for name, rho in shared.items()}
    return found | {"preset": sum(preset(count)), "growth": growth(probe, singles)}


def growth(probe: Probe, singles: Sequence[float]) -> float:
    """How much further than one model the mean of all goes along what the photos miss, times the best of one."""
    gram, target = (np.sum([getattr(band, name) for band in probe.bands], axis=0) for name in ("gram", "target"))
    own = np.array(singles) * gram.diagonal() / target
    return float(own.mean() * target.mean() / gram.mean())


if __name__ == "__main__":
    main()
