"""Dense float64 formulas of every method, written in numpy from the papers; they share no code with Eleven."""

from itertools import combinations

import numpy as np


def weighted_sum(parts, strengths, given):
    return np.tensordot(strengths, parts, axes=1)


def largest(matrix, density):
    count = max(1, round(density * matrix.size))
    order = np.argsort(-np.abs(matrix), axis=None, kind="stable")
    mask = np.zeros(matrix.size)
    mask[order[:count]] = 1
    return matrix * mask.reshape(matrix.shape)


def elected(parts, strengths):
    result = np.zeros(parts.shape[1:])
    for place in np.ndindex(result.shape):
        pulls = [strength * part[place] for strength, part in zip(strengths, parts, strict=True)]
        sign = np.sign(sum(pulls))
        agreeing = [(pull, abs(strength)) for pull, strength in zip(pulls, strengths, strict=True) if pull * sign > 0]
        if agreeing:
            result[place] = sum(pull for pull, _ in agreeing) / sum(size for _, size in agreeing)
    return result * np.abs(strengths).sum()


def magnitude(parts, strengths, given):
    return weighted_sum([largest(part, given["density"]) for part in parts], strengths, given)


def ties(parts, strengths, given):
    return elected(np.stack([largest(part, given["density"]) for part in parts]), strengths)


def drawn(parts, given):
    return np.where(given["draws"] < given["density"], parts / given["density"], 0)


def dare(parts, strengths, given):
    return weighted_sum(drawn(parts, given), strengths, given)


def dare_ties(parts, strengths, given):
    return elected(drawn(parts, given), strengths)


def della(parts, strengths, given):
    kept = np.zeros_like(parts)
    for index, part in enumerate(parts):
        for row, values in enumerate(part if part.shape[1] > 1 else part.T):
            for column, value in enumerate(values):
                smaller = np.sum(np.abs(values) < np.abs(value))
                chance = given["density"] + given["epsilon"] * ((smaller + 0.5) / len(values) - 0.5)
                place = (index, row, column) if part.shape[1] > 1 else (index, column, row)
                kept[place] = value / chance if given["draws"][place] < chance else 0
    return elected(kept, strengths)


def unanimous(parts, strengths, given):
    pulls = strengths[:, None, None] * parts
    alike = np.all(pulls >= 0, axis=0) | np.all(pulls <= 0, axis=0)
    return pulls.sum(0) * alike


def model_stock(parts, strengths, given):
    pulls = [
        (strength * part).ravel() for strength, part in zip(strengths, parts, strict=True) if strength * part.any()
    ]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in combinations(pulls, 2)]
    cosine, count = max(np.mean(cosines), 0) if cosines else 1.0, max(len(pulls), 1)
    return weighted_sum(parts, strengths, given) * count * cosine / (1 + (count - 1) * cosine)


def knots(parts, strengths, given):
    left, values, right = np.linalg.svd(np.concatenate(parts, axis=1), full_matrices=False)
    rank = int(np.sum(values > 1e-6 * values[0]))
    pieces = np.split(values[:rank, None] * right[:rank], len(parts), axis=1)
    rule = ties if given["merge"] == "ties" else weighted_sum
    return left[:, :rank] @ rule(np.stack(pieces), strengths, given)


def functional(parts, strengths, given):
    total = weighted_sum(parts, strengths, given)
    inputs = given["activations"] if parts.shape[2] > 1 else np.ones((1, 1))
    outputs = [inputs @ (strength * part).T for strength, part in zip(strengths, parts, strict=True)]
    outputs = [output / np.linalg.norm(output) for output in outputs if output.any()]
    count, size = len(outputs), len(total)
    if count < 2:
        return total
    each = sum(output.T @ output for output in outputs) / count
    mean = sum(outputs) / count
    values, vectors = np.linalg.eigh((count * mean.T @ mean - each) / (count - 1))
    shared = vectors @ np.diag(np.maximum(values, 0)) @ vectors.T
    ridge = given["ridge"] * np.trace(each) / size * np.eye(size)
    wiener = shared @ np.linalg.inv(shared + (each - shared) / count + ridge)
    operator = np.eye(size) + given["beta"] * (wiener - np.eye(size)) + given["gain"] * wiener
    return operator @ total


REFERENCES = {
    "sum": weighted_sum,
    "magnitude": magnitude,
    "ties": ties,
    "dare": dare,
    "dare_ties": dare_ties,
    "della": della,
    "unanimous": unanimous,
    "model_stock": model_stock,
    "knots": knots,
    "functional": functional,
}
