"""The losses of a training as a picture: an SVG that any browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eleven.files.atomic import AtomicFile
from eleven.training.resume import State

WIDTH, HEIGHT, LEFT, TOP = 720, 360, 60, 40
POINTS = 600
SMOOTHING = 0.95

Points = Sequence[tuple[float, float]]


def curve_file(to: Path) -> Path:
    """Where the curve of a training that writes `to` lies."""
    return to.with_name(f"{to.stem}.loss.svg")


def write_curve(to: Path, state: State, title: str) -> Path:
    """The curve beside the trained file, over one from before. OutputError where it cannot be written."""
    path, data = curve_file(to), curve(state, title).encode()
    with AtomicFile(path, size=len(data), force=True) as file:
        file.write(0, memoryview(data))
        file.commit()
    return path


def curve(state: State, title: str) -> str:
    """Each step's loss thin, their running mean thick, held-out losses as dots, the best of them ringed."""
    losses = list(enumerate(state.losses, 1))
    shown = smoothed(state.losses)
    high = max([*_upper(state.losses), *(loss for _, loss in state.held)]) or 1.0
    last = max(2, len(losses))

    def at(point: tuple[float, float]) -> str:
        step, loss = point
        across = LEFT + (step - 1) / (last - 1) * (WIDTH - 2 * LEFT)
        return f"{across:.1f},{TOP + (1 - min(loss, high) / high) * (HEIGHT - 2 * TOP):.1f}"

    dots = [at(point).split(",") for point in state.held]
    best = [at(point).split(",") for point in state.held if point[0] == state.best_step]
    text = 'font-family="sans-serif" font-size="13"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" {text}>{_safe(title)}: loss by step</text>',
        _frame(high, last, text),
        _line([at(point) for point in thinned(losses)], "#b8c4d6", 1),
        _line([at(point) for point in thinned(list(enumerate(shown, 1)))], "#1f4e9c", 2),
        *(f'<circle cx="{x}" cy="{y}" r="3" fill="#c2571a"/>' for x, y in dots),
        *(f'<circle cx="{x}" cy="{y}" r="6" fill="none" stroke="#c2571a" stroke-width="2"/>' for x, y in best),
        _legend(text, held=bool(dots)),
        "</svg>",
    ]
    return "\n".join(line for line in lines if line)


def smoothed(losses: Sequence[float]) -> list[float]:
    """The running mean, without a bias towards the first."""
    found, mean, weight = list[float](), 0.0, 0.0
    for loss in losses:
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        found.append(mean / weight)
    return found


def thinned(points: Points) -> Points:
    """At most as many points as can be told apart."""
    every = -(-len(points) // POINTS)
    return points[::every]


def _upper(losses: Sequence[float]) -> list[float]:
    """A loss that most are below, so that one high step does not flatten the rest."""
    return [sorted(losses)[int(0.98 * (len(losses) - 1))] * 1.1] if losses else [1.0]


def _line(points: Sequence[str], colour: str, width: int) -> str:
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _frame(high: float, last: int, text: str) -> str:
    right, bottom = WIDTH - LEFT, HEIGHT - TOP
    return (
        f'<path d="M{LEFT},{TOP} V{bottom} H{right}" fill="none" stroke="#444"/>'
        f'<text x="{LEFT - 8}" y="{TOP + 5}" text-anchor="end" {text}>{high:.3g}</text>'
        f'<text x="{LEFT - 8}" y="{bottom}" text-anchor="end" {text}>0</text>'
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end" {text}>{last}</text>'
    )


def _legend(text: str, *, held: bool) -> str:
    told = "thin: each step, thick: running mean" + (", dots: held-out photos, ring: kept" if held else "")
    return f'<text x="{LEFT}" y="{HEIGHT - 12}" {text} fill="#444">{told}</text>'


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
