"""SVG elements whose texts and attributes are escaped and whose numbers are finite."""

from __future__ import annotations

from math import isfinite

from markupsafe import Markup, escape

from eleven.errors import UsageError

LETTER = 6.6
"""The mean width of a letter of the charts' text, of 12 pixels, rounded up."""


def element(name: str, *inside: str, **attributes: str | float) -> Markup:
    """One element; `class_` is class, other underscores are hyphens, and what is inside is escaped unless Markup."""
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), written(value))
        for key, value in attributes.items()
        if value != ""
    )
    return Markup("<{}{}>{}</{}>").format(Markup(name), told, Markup("").join(map(escape, inside)), Markup(name))


def written(value: str | float) -> str:
    """A number with at most two digits behind the point. UsageError where it is infinite or NaN."""
    if isinstance(value, str):
        return value
    if not isfinite(value):
        raise UsageError(f"a chart cannot show {value}.", hint="This is a bug; please report it.")
    told = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if told == "-0" else told


def picture(width: float, height: float, label: str, *inside: str) -> Markup:
    """A whole drawing, which screen readers announce by its label."""
    box = {"viewBox": f"0 0 {written(width)} {written(height)}"}
    size = {"width": width, "height": height}
    return element("svg", *inside, class_="chart", role="img", aria_label=label, **box, **size)


def text(words: str, x: float, y: float, **attributes: str | float) -> Markup:
    """Words that begin at a place, or end or centre there by `text_anchor`."""
    return element("text", words, x=x, y=y, **attributes)


def line(start: tuple[float, float], end: tuple[float, float], class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def fitted(words: str, width: float) -> str:
    """The words, cut to about a width in pixels."""
    most = max(3, int(width / LETTER))
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
