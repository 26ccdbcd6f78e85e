"""The page of `dq compare`, and its figures as files: differences by budget, and what tokens are worth.

Every panel is an SVG file of its own, with its title in it; the page saves any of them as PNG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dq.compare import RunsComparison, summary, tokens_of
from dq.report.colors import INK, colors_of
from dq.report.equivalence import equivalence_panel
from dq.report.page import Figure, write_page, write_panels
from dq.report.svg import TOP, WIDTH, Scale, dot, interval, line, linear_ticks, panel, tag, text, x_axis

ROW = 36
LOOKED_UP = ("equivalence", "matched")
"""Arms on the baseline's curve, and on one from elsewhere."""
MAX_ROWS = 40
"""Arms of one panel; the rest are in the table."""


def build_comparison(found: Sequence[RunsComparison], folder: Path) -> Path:
    """Write the page and its panels into a folder, and return the page's path.

    Raises:
        MissingExtraError: the `report` extra is not installed.
    """
    parts = [(one, list(_figures(one))) for one in found]
    page = write_page(
        folder,
        "compared.html",
        name=", ".join(Path(one.name).name for one in found),
        values={"parts": [(one.to_dict(), summary(one), figures) for one, figures in parts]},
    )
    write_panels(folder, ((Path(one.name).stem, figure) for one, figures in parts for figure in figures))
    return page


def _figures(found: RunsComparison) -> Iterator[Figure]:
    record = found.to_dict()
    judged = {
        one["variant"]
        for group in record["groups"]
        for cell in group["budgets"]
        for one in cell["found"]["differences"]
    }
    looked_up = {name: [one for one in record["groups"] if one[name] and one[name]["variants"]] for name in LOOKED_UP}
    arms = {
        name: {one["variant"] for each in groups for one in each[name]["variants"]}
        for name, groups in looked_up.items()
    }
    colors = colors_of(sorted(judged.union(*arms.values())), baseline=found.baseline)
    panels = [
        _differences(_title(group, cell["n_tokens"]), cell["found"]["differences"], colors, margin=found.margin)
        for group in record["groups"]
        for cell in group["budgets"]
    ]
    if panels:
        yield Figure(
            "differences",
            f"Difference from {found.baseline}, {found.unit}",
            "Below 0 is better. Bars are the intervals that hold for all variants of a panel together"
            + ("; the band is the margin." if found.margin else "."),
            panels,
            [(name, colors[name]) for name in sorted(judged)],
        )
    for name, groups in looked_up.items():
        if arms[name]:
            curve = groups[0][name]["baseline"]
            yield Figure(
                name,
                f"What tokens are worth in tokens of {curve}",
                f"The line is {curve}; read across from a variant's mark to it and down: that many of its tokens reach "
                "the same loss. Beyond the line nothing is said.",
                [equivalence_panel(one["runs"] or "all budgets", one[name], colors) for one in groups],
                [(curve, INK), *((arm, colors[arm]) for arm in sorted(arms[name]))],
            )


def _title(group: Mapping[str, Any], n_tokens: float) -> str:
    return ", ".join(filter(None, [group["runs"], f"{tokens_of(n_tokens)} tokens"]))


def _differences(
    title: str, rows: Sequence[Mapping[str, Any]], colors: Mapping[str, str], *, margin: float | None
) -> str:
    rows = rows[:MAX_ROWS]
    ends = [end for one in rows if one["interval"] for end in (one["interval"]["low"], one["interval"]["high"])]
    band = [-1.5 * margin, 1.5 * margin] if margin else []
    values = [*ends, *(one["difference"] for one in rows), *band, 0.0]
    scale = Scale(min(values), max(values), 12, WIDTH - 12)
    bottom = TOP + ROW * len(rows) + 4
    marks = ""
    for number, one in enumerate(rows):
        y, color = TOP + ROW * number, colors[one["variant"]]
        if margin:
            low, high = scale(-margin), scale(margin)
            marks += tag("rect", x=low, y=y + 18, width=high - low, height=16, fill=INK, fill_opacity=0.1)
        marks += line((scale(0), y + 18), (scale(0), y + 34))
        marks += text(12, y + 13, one["variant"][:30], size=12)
        marks += text(WIDTH - 12, y + 13, f"{one['difference']:+.4f}, {one['outcome']}", anchor="end", soft=True)
        if found := one["interval"]:
            marks += interval(scale, (found["low"], found["high"]), color, at=y + 26, across=True)
        marks += dot(scale(one["difference"]), y + 26, color, tip=f"{one['variant']}: {one['difference']:+.4f}")
    marks += x_axis(scale, linear_ticks(scale.low, scale.high), y=bottom)
    marks += text(12, bottom + 32, "← better", soft=True) + text(
        WIDTH - 12, bottom + 32, "worse →", anchor="end", soft=True
    )
    return panel(title, marks, height=bottom + 40)
