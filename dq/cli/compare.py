"""`dq compare`: the variants of finished studies or of any table of runs, with intervals, in tables and in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.grids import show_equivalences
from dq.cli.options import AsJson, Columns, Figures, Where, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dq.compare import Along, Difference, GroupComparison, Range, RunsComparison, TokenEquivalence

MAX_NOTES = 4


def compare(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", help="A workspace, or a table of runs: CSV or Parquet, a row a run.")
    ],
    only: Annotated[str | None, typer.Option("--study", help="One study of the workspace. Default: all.")] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="The variant of a table that others are judged against.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="The difference that matters, in the unit of a table's losses.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", help="A curve from elsewhere, CSV or Parquet of n_tokens and loss, to match."),
    ] = None,
    columns: Columns = None,
    where: Where = None,
    figures: Figures = None,
    as_json: AsJson = False,
) -> None:
    """Compare variants with intervals: against the baseline, in all pairs, and by what their tokens are worth.

    Example: dq compare runs.csv --columns loss=val_loss --baseline raw
    """
    if runs.is_dir():
        of_tables = {"--baseline": baseline, "--margin": margin, "--reference": reference}
        _only_of(runs, "a workspace", {**of_tables, "--columns": columns, "--where": where})
        from dq.store import Workspace
        from dq.study import compare_workspace

        found = compare_workspace(Workspace(runs), only=only)
    else:
        _only_of(runs, "a table", {"--study": only})
        from dq.compare import compare_runs, read_runs
        from dq.compare.runs import NEEDS

        names = columns_of(columns)
        table = read_runs(runs, columns=names, where=where or (), needs=NEEDS)
        mapped = {ours: theirs for ours, theirs in names.items() if ours in NEEDS}
        curve = None if reference is None else read_runs(reference, columns=mapped, needs=NEEDS)
        found = (compare_runs(table, baseline=baseline, margin=margin, reference=curve),)
    page = None
    if figures is not None:
        from dq.report import build_comparison

        page = build_comparison(found, figures)
    if as_json:
        from dq.compare import summary

        show.json({"comparisons": [{**one.to_dict(), "summary": summary(one)} for one in found], "page": page})
        return
    for one in found:
        _show(one, with_name=len(found) > 1)
    if page is not None:
        show.line(f"figures: {page}")


def _only_of(runs: Path, what: str, others: dict[str, object]) -> None:
    """Options that mean nothing for what is compared are refused."""
    if given := [name for name, value in others.items() if value]:
        raise typer.BadParameter(f"{runs} is {what}, which has no {given[0]}", param_hint=given[0])


def _show(found: RunsComparison, *, with_name: bool) -> None:
    from dq.compare import summary, tokens_of

    if with_name:
        show.line((f"study {found.name}", "bold"))
    _show_differences(found)
    _show_pairs(found)
    show_equivalences([one for group in found.groups if (one := _worth(group, found.baseline))])
    show_equivalences([(group.runs, group.matched) for group in found.groups if group.matched])
    _show_epochs(found)
    _show_along(found)
    _show_proxies(found)
    for group in found.groups:
        for cell in group.budgets:
            if cell.confirmed:
                show.line(
                    (f"{group.runs} {tokens_of(cell.n_tokens)} tokens: {cell.confirmed}".lstrip(), "bold"), wrap=True
                )
    for sentence in summary(found):
        show.line(sentence, wrap=True)
    notes = list(dict.fromkeys(note for group in found.groups for cell in group.budgets for note in cell.found.notes))
    for note in notes[:MAX_NOTES]:
        show.line((f"note: {note}", "dim"), wrap=True)
    if len(notes) > MAX_NOTES:
        show.line((f"and {len(notes) - MAX_NOTES:,} more notes (--json has all)", "dim"))
    show.warnings(found.notes)


def _show_differences(found: RunsComparison) -> None:
    from dq.compare import tokens_of

    named = ("runs",) if any(group.runs for group in found.groups) else ()
    rows = [
        (*((group.runs,) if named else ()), tokens_of(cell.n_tokens), *_row(one))
        for group in found.groups
        for cell in group.budgets
        for one in cell.found.differences
    ]
    if rows:
        show.table(
            (*named, "tokens", "variant", "seeds", "difference", "%", "interval", "verdict"),
            rows,
            align="l" * len(named) + "rlrrrrl",
            title=f"difference from {found.baseline}, {found.unit} (below 0 is better)",
            more="comparisons",
        )


def _row(one: Difference) -> tuple[str, ...]:
    interval = f"[{one.interval.low:+.3f}, {one.interval.high:+.3f}]" if one.interval else ""
    return one.variant, str(one.n_seeds), f"{one.difference:+.4f}", f"{100 * one.relative:+.2f}", interval, one.outcome


def _worth(group: GroupComparison, baseline: str) -> tuple[str, TokenEquivalence] | None:
    """What is not told again as the value of epochs."""
    if (found := group.equivalence) is None:
        return None
    told = {one.worth.variant for each in group.epochs if each.fresh == baseline for one in each.points}
    others = tuple(one for one in found.variants if one.variant not in told)
    return group.runs, dataclasses.replace(found, variants=others)


def _show_epochs(found: RunsComparison) -> None:
    """What tokens seen again are worth, and R*."""
    from dq.compare import tokens_of

    for group in found.groups:
        for one in group.epochs:
            rows = [
                (
                    f"{p.epochs:.3g}",
                    tokens_of(p.worth.tokens),
                    tokens_of(p.n_unique),
                    p.worth.in_words,
                    "harmful" if p.harmful else "",
                )
                for p in one.points
            ]
            show.table(
                ("epochs", "tokens", "unique", "worth", ""),
                rows,
                align="rrrll",
                title=f"{group.runs} tokens of {one.fresh} seen once, for one of text seen again".lstrip(),
                more="budgets",
            )
            show.line(one.r_star.in_words if one.r_star else str(one.missing), wrap=True)


def _show_along(found: RunsComparison) -> None:
    """The area between curves, and where they cross: in the table in short, below it who overtakes whom."""
    from dq.compare import tokens_of

    def crossing(one: Along) -> str:
        return one.in_words if one.crossover is None else f"at {tokens_of(one.crossover)} tokens"

    named = ("runs",) if any(group.runs for group in found.groups) else ()
    rows = [
        (*((group.runs,) if named else ()), one.variant, str(len(one.tokens)), one.mean_in_words, crossing(one))
        for group in found.groups
        for one in group.along
    ]
    if rows:
        show.table(
            (*named, "variant", "budgets", "mean", "crossover"),
            rows,
            align="l" * len(named) + "lrrl",
            title=f"along the budgets: mean difference from {found.baseline} (area between curves) and crossover",
            more="variants",
        )
    for group in found.groups:
        for one in group.along:
            if one.crossover is not None:
                show.line(f"{group.runs} {one.variant} {one.in_words}".lstrip(), wrap=True)


def _show_proxies(found: RunsComparison) -> None:
    """Which cheaper runs would have chosen the same."""
    from dq.compare import tokens_of

    if (judged := found.proxies) is None:
        return
    rows = [
        (
            " ".join(filter(None, [one.runs, tokens_of(one.n_tokens)])),
            f"{one.decision_accuracy:.0%}{_range(one.accuracy_range, '.0%')}",
            f"{one.told_accuracy:.0%}" if one.told_accuracy is not None else "none told",
            one.choice,
            f"{one.regret:.4f}{_range(one.regret_range, '.3f')}",
        )
        for one in judged.proxies
    ]
    target = " ".join(filter(None, [judged.runs, tokens_of(judged.n_tokens)]))
    show.table(
        ("proxy", "pairs in order", "told apart", "chooses", "regret"),
        rows,
        align="lrrlr",
        title=f"smaller runs as proxies of {target} tokens, with 95 % ranges over seeds",
        more="proxies",
    )
    if judged.smallest is not None:
        smallest = " ".join(filter(None, [judged.smallest.runs, tokens_of(judged.smallest.n_tokens)]))
        show.line(f"the smallest that keeps the order of what is told apart there: {smallest} tokens", wrap=True)


def _range(found: Range | None, form: str) -> str:
    return f" [{found.low:{form}}, {found.high:{form}}]" if found is not None else ""


def _show_pairs(found: RunsComparison) -> None:
    """All pairs of each cell that has three arms or more, the surest first."""
    from dq.compare import tokens_of

    several = len(found.groups) > 1 or any(len(group.budgets) > 1 for group in found.groups)
    rows: list[Sequence[str]] = [
        (
            *([" ".join(filter(None, [group.runs, tokens_of(cell.n_tokens)]))] if several else []),
            one.variant,
            one.baseline,
            f"{one.difference:+.4f}",
            f"{one.p_holm:.2g}",
            one.outcome,
        )
        for group in found.groups
        for cell in group.budgets
        for one in cell.found.pairs
        if one.p_holm is not None
    ]
    if rows:
        show.table(
            (*(["at"] if several else []), "variant", "against", "difference", "p", "verdict"),
            rows,
            align="l" * several + "llrrl",
            title="all pairs of a budget, its error of 5 % kept over all of them by Holm's rule",
            more="pairs",
        )
