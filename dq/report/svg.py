"""Small SVG panels: scales, honest ticks, marks. Text keeps its size on a phone, because a panel is as wide as one.

Ink is ``currentColor``, so that a panel follows the page into the dark; colours of variants are attributes, so that a
panel looks the same in a file of its own. What a mark says on hovering is its ``data-tip``.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 340
LEFT, RIGHT, TOP = 46, 8, 26
Ticks = Sequence[tuple[float, str]]
Place = tuple[float, float]


def tag(name: str, text: str = "", /, **attributes: object) -> str:
    """An element with everything escaped; ``stroke_width`` is the attribute ``stroke-width``."""
    written = "".join(f' {key.replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{html.escape(text)}</{name}>"


def group(inside: str, **attributes: object) -> str:
    """Elements that share attributes."""
    empty = tag("g", **attributes)
    return f"{empty[: -len('</g>')]}{inside}</g>"


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else html.escape(str(value))


@dataclass(frozen=True)
class Scale:
    """From values to places on the panel."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; beyond the ends it stays at the end, so that nothing leaves the panel."""
        low, high, value = (math.log(one) if self.is_log else one for one in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the panel."""
        return self.low <= value <= self.high


def linear_ticks(low: float, high: float, *, most: int = 6) -> Ticks:
    """At most so many round numbers between two values, with their names."""
    if not high > low:
        return [(low, f"{low:g}")]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def log_ticks(low: float, high: float, *, most: int = 6) -> Ticks:
    """1, 2 and 5 times the powers of ten between two values; fewer where these are many."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    found: Ticks = []
    for factors in ((1, 2, 5), (1, 5), (1,)):
        found = [
            (f * 10.0**p, short_number(f * 10.0**p)) for p in powers for f in factors if low <= f * 10.0**p <= high
        ]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


def power_ticks(low: float, high: float, *, most: int = 6) -> Ticks:
    """Powers of ten between two values as 1e18: for numbers that have no letter."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [(10.0**p, f"1e{p}") for p in powers[:: max(1, math.ceil(len(powers) / most))]]


def short_number(value: float) -> str:
    """Such as 500, 20k, 1.5M, 1.4T."""
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def panel(title: str, marks: str, *, height: int) -> str:
    """A whole panel; ``title`` stands in it, so that it goes along into a file."""
    if len(title) > 40:
        title = f"{title[:39]}…"
    heading = tag("text", title, x=2, y=14, font_size=13, font_weight=600, fill="currentColor")
    shape = {
        "viewBox": f"0 0 {WIDTH} {height}",
        "role": "img",
        "aria-label": title,
        "font-family": "system-ui, sans-serif",
    }
    whole = "".join(f' {name}="{html.escape(value)}"' for name, value in shape.items())
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="panel"{whole}>{heading}{marks}</svg>'


def text(x: float, y: float, words: str, *, anchor: str = "start", soft: bool = False, size: int = 11) -> str:
    """Words on a panel."""
    opacity = 0.65 if soft else 1
    return tag(
        "text", words, x=x, y=y, font_size=size, text_anchor=anchor, fill="currentColor", fill_opacity=opacity
    )  # fmt: skip


def below(words: str, *, height: int, right: float = WIDTH - RIGHT) -> str:
    """What the axis below a panel measures."""
    return text((LEFT + right) / 2, height - 8, words, anchor="middle", soft=True)


def across(low: float, high: float) -> Scale:
    """The logarithmic scale of a panel's whole width."""
    return Scale(low, high, LEFT + 8, WIDTH - RIGHT - 8, is_log=True)


def line(start: Place, end: Place, **attributes: object) -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": "currentColor", **attributes})


def path(points: Sequence[tuple[float, float]], color: str) -> str:
    """A line through points."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return tag("polyline", points=places, fill="none", stroke=color, stroke_width=1.8, stroke_linejoin="round")


def interval(
    scale: Scale, ends: tuple[float, float], color: str, *, at: float, across: bool = False, width: float = 1.8
) -> str:
    """An interval upright at x = ``at``, or ``across`` at y = ``at``; an end without a cap lies beyond the panel."""
    low, high = (scale(end) for end in ends)
    lines = [((low, at), (high, at))]
    lines += [((scale(end), at - 3), (scale(end), at + 3)) for end in ends if scale.holds(end)]
    if not across:
        lines = [((y1, x1), (y2, x2)) for (x1, y1), (x2, y2) in lines]
    return "".join(line(*one, stroke=color, stroke_width=width) for one in lines)


def dot(x: float, y: float, color: str, *, tip: str, size: float = 4.0, diamond: bool = False) -> str:
    """A point that says something on hovering; a larger, invisible one around it makes it easy to hit."""
    shape = (
        tag("path", d=f"M{x:.1f} {y - size:.1f}l{size} {size}l-{size} {size}l-{size} -{size}z", fill=color)
        if diamond
        else tag("circle", cx=x, cy=y, r=size, fill=color)
    )
    return group(shape + tag("circle", cx=x, cy=y, r=10, fill="transparent"), data_tip=tip)


def y_axis(scale: Scale, ticks: Ticks, *, right: float) -> str:
    """Names of values at the left, with faint lines across."""
    return "".join(
        line((LEFT, scale(value)), (right, scale(value)), stroke_opacity=0.12)
        + text(LEFT - 5, scale(value) + 4, name, anchor="end", soft=True)
        for value, name in ticks
    )


def x_axis(scale: Scale, ticks: Ticks, *, y: float) -> str:
    """Names of values below."""
    return line((scale.start, y), (scale.end, y), stroke_opacity=0.5) + "".join(
        line((scale(value), y), (scale(value), y + 4), stroke_opacity=0.5)
        + text(scale(value), y + 16, name, anchor="middle", soft=True)
        for value, name in ticks
    )
