"""What `dq fit` checks in place of one fit: whether variants share parameters, and whether runs were tuned alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dq.cli import show

if TYPE_CHECKING:
    from dq.compare import RunTable


def show_sharing(
    law: str, runs: RunTable, shared: list[str], *, delta: float, fixed: dict[str, float], as_json: bool
) -> None:
    """Test parameters together, and each alone where there are several."""
    from dq.scaling import fits_by_variant, sharing

    fits = fits_by_variant(law, runs, delta=delta, fixed=fixed)
    asked = [shared, *([[one] for one in shared] if len(shared) > 1 else [])]
    found = [sharing(fits, one) for one in asked]
    if as_json:
        show.json({"fits": fits, "sharing": found})
        return
    names = next(iter(fits.values())).fitted
    show.table(
        ("variant", "runs", *names),
        [(name, str(one.n_runs), *(f"{one.params[p]:.4g}" for p in names)) for name, one in fits.items()],
        title=f"law `{law}` fitted to each variant alone",
        more="variants",
    )
    show.table(
        ("shared", "rise", "saves", "p by F", "p", "verdict"),
        [
            (
                ", ".join(one.parameters),
                f"{one.rise:.3g}",
                str(one.df),
                f"{one.p_f:.2g}",
                f"{one.p:.2g}",
                "refused" if one.refused else "may be",
            )
            for one in found
        ],
        align="lrrrrl",
        title="one value for all variants: rise of the objective, and its chance where they do share it (p by refits)",
    )
    for each in found:
        show.line(f"{each.in_words}.", wrap=True)
    show.warnings(list(dict.fromkeys(note for one in fits.values() for note in one.advice)))


def show_collapse(runs: RunTable, *, figures: Path | None, as_json: bool) -> None:
    """Compare normalised curves."""
    from dq.scaling import collapse

    found = collapse(runs)
    page = None
    if figures is not None:
        from dq.report import build_collapse

        page = build_collapse(found, figures, name=runs.name)
    if as_json:
        show.json({**found.to_dict(), "summary": found.in_words, "page": page})
        return
    rows = [
        (
            one["run"],
            f"{one['n_tokens']:.3g}",
            "" if one["ratio"] is None else f"{one['ratio']:.3g}",
            "" if one["distance"] is None else f"{100 * one['distance']:.2f}",
            "" if one["off_trend"] is None else f"{100 * one['off_trend']:.2f}",
            "odd" if one["odd"] else "",
        )
        for one in found.runs.sort("odd", "off_trend", descending=True, nulls_last=True).to_dicts()
    ]
    show.table(
        ("run", "tokens", "a parameter", "distance, %", "off trend", ""),
        rows,
        align="lrrrrl",
        title="curves over their final loss: distance from the others of as many tokens a parameter",
        more="runs",
    )
    for sentence in found.in_words:
        show.line(f"{sentence}.", wrap=True)
    show.warnings(found.notes)
    if page is not None:
        show.line(f"figures: {page}")
