"""`dq fit`: laws of the loss fitted to a table of runs, and what the runs determine of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.fit_checks import show_collapse, show_sharing
from dq.cli.options import AsJson, Columns, Figures, Laws, Resamples, RunsTable, Where, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dq.compare import RunTable
    from dq.scaling import Bootstrap, Fit, Identification, Selection
    from dq.scaling.plans import Approaches

DEFAULT_LAW = "chinchilla"
DELTA = 1e-3
CURVES = ("n_tokens", "loss")  # what evaluations along a run have


def fit(
    run_table: RunsTable,
    law: Laws = None,
    fixed: Annotated[
        list[str] | None, typer.Option("--fix", metavar="NAME=VALUE", help="A parameter that is not fitted.")
    ] = None,
    tied: Annotated[
        list[str] | None, typer.Option("--tie", metavar="NAME=OTHER", help="A parameter that equals another.")
    ] = None,
    delta: Annotated[
        float, typer.Option("--delta", help="Where the Huber loss turns from a square to a line, in log loss.")
    ] = DELTA,
    overestimate_penalty: Annotated[
        float,
        typer.Option("--overestimate-penalty", help="Factor where the law lies above a run: 10 for a ladder."),
    ] = 1.0,
    resamples: Resamples = None,
    isoflop: Annotated[
        bool, typer.Option("--isoflop", help="The best size by compute without a law too: parabolas, envelope.")
    ] = False,
    shared: Annotated[
        list[str] | None,
        typer.Option("--share", metavar="NAME", help="Test whether variants share a parameter, such as beta."),
    ] = None,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Check tuning: do curves, over their final loss, fall on one another?")
    ] = False,
    columns: Columns = None,
    where: Where = None,
    figures: Figures = None,
    as_json: AsJson = False,
) -> None:
    """Fit laws to runs: parameters with intervals, and in words what the runs determine and what they do not.

    Example: dq fit runs.csv --columns loss=val_loss --law chinchilla --law coupled
    """
    from dq.compare import read_runs

    mapped = columns_of(columns)
    if collapse:
        if law or fixed or tied or resamples or isoflop or shared or delta != DELTA or overestimate_penalty != 1.0:
            raise typer.BadParameter(
                "curves are checked without a law: leave out what is of one", param_hint="--collapse"
            )
        show_collapse(
            read_runs(run_table, columns=mapped, where=where or (), needs=CURVES), figures=figures, as_json=as_json
        )
        return
    runs, names = read_runs(run_table, columns=mapped, where=where or ()), law or [DEFAULT_LAW]
    if shared:
        if len(names) > 1 or isoflop or figures or resamples or tied or overestimate_penalty != 1.0:
            raise typer.BadParameter("one law of each variant: only --fix and --delta go with it", param_hint="--share")
        show_sharing(names[0], runs, shared, delta=delta, fixed=_numbers(fixed), as_json=as_json)
        return
    fits, selection = _fitted(
        names, runs, delta=delta, overestimate_penalty=overestimate_penalty, fixed=fixed, tied=tied
    )
    asked = [(one, one.identified()) for one in fits]
    ways = _ways(fits) if isoflop else None
    page = _page(figures, name=runs.name, asked=asked, ways=ways) if figures is not None else None
    boots = [one.bootstrap(resamples=resamples) if resamples is not None else None for one in fits]
    if as_json:
        show.json({"fits": _records(asked, boots), "selection": selection, "approaches": ways, "page": page})
        return
    for (one, found), boot in zip(asked, boots, strict=True):
        drawn = None if boot is None else {name: boot.interval(name) for name in one.fitted}
        _show(one, found, {name: (i.low, i.high) for name, i in drawn.items()} if drawn else {})
    if selection is not None:
        _show_selection(selection)
    if ways is not None:
        _show_ways(ways)
    if page is not None:
        show.line(f"figures: {page}")


def _fitted(
    names: Sequence[str],
    runs: RunTable,
    *,
    delta: float,
    overestimate_penalty: float,
    fixed: Sequence[str] | None,
    tied: Sequence[str] | None,
) -> tuple[Sequence[Fit], Selection | None]:
    """One law fitted, or several compared."""
    from dq.scaling import FitOptions, select
    from dq.scaling import fit as fit_law

    options = FitOptions(overestimate_penalty=overestimate_penalty)
    if len(names) == 1:
        return [
            fit_law(names[0], runs, delta=delta, fixed=_numbers(fixed), tied=_pairs(tied, "--tie"), options=options)
        ], None
    if fixed or tied:
        raise typer.BadParameter(
            "parameters belong to one law: give one --law", param_hint="--fix" if fixed else "--tie"
        )
    selection = select(names, runs, delta=delta, options=options)
    return selection.fits, selection


def _records(
    asked: Sequence[tuple[Fit, tuple[Identification, ...]]], boots: Sequence[Bootstrap | None]
) -> list[dict[str, object]]:
    from dq.scaling import summary

    return [
        {**one.to_dict(), "identified": found, "bootstrap": boot, "summary": summary(one, found)}
        for (one, found), boot in zip(asked, boots, strict=True)
    ]


def _pairs(given: Sequence[str] | None, flag: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise typer.BadParameter(f"{name + sign + value!r} is not NAME=VALUE, such as beta=alpha", param_hint=flag)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _numbers(given: Sequence[str] | None) -> dict[str, float]:
    found = {}
    for name, value in _pairs(given, "--fix").items():
        try:
            found[name] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is no number (for {name})", param_hint="--fix") from None
    return found


def _ways(fits: Sequence[Fit]) -> Approaches:
    from dq.scaling.plans import Surface, approaches

    fresh = [one for one in fits if set(one.solution.problem.law.columns) == {"n_params", "n_tokens"}]
    if not fresh:
        raise typer.BadParameter("give a --law of parameters and tokens, such as chinchilla", param_hint="--isoflop")
    return approaches([Surface.of(one) for one in fresh])


def _page(
    folder: Path,
    *,
    name: str,
    asked: Sequence[tuple[Fit, tuple[Identification, ...]]],
    ways: Approaches | None,
) -> Path:
    from dq.report import Fitted, build_fits
    from dq.scaling import summary

    parts = [Fitted(one, [one.profile(p) for p in one.fitted], summary(one, found)) for one, found in asked]
    return build_fits(parts, folder, name=name, ways=ways)


def _show(one: Fit, found: Sequence[Identification], drawn: dict[str, tuple[float | None, float | None]]) -> None:
    from dq.scaling import summary

    show.line((f"{one.law}", "bold"), f": {one.formula}", wrap=True)
    rows = [
        (
            part.interval.name,
            f"{part.interval.estimate:.5g}",
            _ends(part.interval.low, part.interval.high),
            *([_ends(*drawn[part.interval.name])] if drawn else []),
            part.verdict.value,
        )
        for part in found
    ]
    rows += [(name, f"{one.params[name]:.5g}", "", *([""] if drawn else []), "fixed") for name in one.fixed]
    rows += [
        (name, f"{one.params[name]:.5g}", "", *([""] if drawn else []), f"tied to {other}")
        for name, other in one.tied.items()
    ]
    more = ("resampled",) if drawn else ()
    show.table(
        ("parameter", "estimate", "95 %", *more, "the runs"),
        rows,
        align="lrr" + "r" * len(more) + "l",
        title=f"objective {one.objective:.9g}, {one.status}, {one.agreeing:.0%} of starts agree",
    )
    for sentence in summary(one, found):
        show.line(f"{sentence}.", wrap=True)
    show.warnings(one.advice)


def _ends(low: float | None, high: float | None) -> str:
    ends = ("open" if end is None else f"{end:.4g}" for end in (low, high))
    return " to ".join(ends)


def _show_selection(found: Selection) -> None:
    rows = [
        (
            one.law,
            str(one.parameters),
            f"{one.aic:.1f}",
            f"{one.bic:.1f}",
            *("" if part is None else f"{part.median_error:.2%}" for part in (one.held_out, one.left_out, one.rollout)),
        )
        for one in found.candidates
    ]
    show.table(
        ("law", "fitted", "AIC", "BIC", "most compute", "each size", "rollout"),
        rows,
        title="median error on runs that were left out: the fifth of most compute, each size in turn, each size by the "
        "smaller ones",
    )
    show.line(f"{found.words}.", wrap=True)


def _show_ways(found: Approaches) -> None:
    if found.isoflop is not None:
        rows = [
            (
                f"{one['flops']:.3g}",
                str(one["runs"]),
                f"{one['smallest']:.3g}",
                f"{one['largest']:.3g}",
                f"{one['n_params']:.3g}",
                f"{one['n_tokens']:.3g}",
                f"{one['loss']:.4f}",
                f"{one['off_centre']:+.2f}",
            )
            for one in found.isoflop.levels.to_dicts()
        ]
        show.table(
            ("FLOPs", "runs", "sizes from", "to", "best N", "its D", "loss", "off centre"),
            rows,
            align="r" * 8,
            title="isoFLOP: the least loss by a parabola in log N a level (off centre: 0 amid the sizes, 1 at an end)",
            more="levels",
        )
    for sentence in found.in_words:
        show.line(f"{sentence}.", wrap=True)
    show.warnings([*(found.isoflop.warnings if found.isoflop else ()), *found.notes])
