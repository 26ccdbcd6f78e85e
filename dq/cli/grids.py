"""How `dq ablate` shows a study of several sizes, budgets, rates or decays: one table, a row a cell and variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dq.cli import show
from dq.cli.log import amount, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dq.compare import TokenEquivalence
    from dq.study import CellResult, GridForecast, GridResult, StudyConfig, StudyForecast

MUCH_SCORING = 0.25  # of a run
Row = tuple[str, ...]


def show_grid(found: GridResult) -> None:
    """Verdicts of every cell, what is to be known of it, and its controls."""
    config = found.config
    keys = _keys(found.cells)
    rows: list[Row] = []
    for number, cell in enumerate(found.cells):
        rows += [(), *_rows(cell, config, keys=keys)] if number else _rows(cell, config, keys=keys)
    looks = ("seeds",) if config.looks else ()
    show.table(
        (*keys, "variant", "difference", "interval", *looks, "verdict"),
        rows,
        align="r" * len(keys) + "lrr" + "r" * len(looks) + "l",
        title=f"difference from {config.baseline} on the neutral sets, bits per byte (below 0 is better)",
    )
    show.line(
        f"each cell is judged by its own runs: an error of 5 % is that of one cell, not of all {len(found.cells)}",
        wrap=True,
    )
    show_equivalences([(" ".join(one.listed.values()), one.found) for one in found.equivalences])
    for cell in found.cells:
        _show_fate(cell)
    _show_notes(found.cells)
    _show_controls(found.cells)
    show.warnings([f"since the study was registered: {change}" for change in found.changes])


def show_equivalences(groups: Sequence[tuple[str, TokenEquivalence]]) -> None:
    """What the tokens of every variant are worth, a row a budget; each group of runs has a name, or is the only one."""
    from dq.compare import tokens_of

    if not groups:
        return
    named = ("runs",) if any(name for name, _ in groups) else ()
    rows = [
        (*((name,) if named else ()), one.variant, tokens_of(one.tokens), one.in_words)
        for name, found in groups
        for one in found.variants
    ]
    if rows:
        baseline = groups[0][1].baseline
        show.table(
            (*named, "variant", "tokens", f"worth in {baseline}"),
            rows,
            align="l" * len(named) + "lrl",
            title=f"tokens of {baseline} that do what one token of the variant does, by loss",
            more="variants",
        )
    for name, found in groups:
        if found.missing:
            show.line(f"{name}: {found.missing}" if name else found.missing, wrap=True)


def _keys(cells: Sequence[CellResult]) -> tuple[str, ...]:
    """The columns that tell cells apart: the budget, and what the study lists beside it."""
    listed = tuple(cells[0].listed)
    return (*(name for name in listed if name == "size"), "tokens", *(name for name in listed if name != "size"))


def _rows(cell: CellResult, config: StudyConfig, *, keys: tuple[str, ...]) -> list[Row]:
    """A row a variant; what the cell is stands in the first one."""
    about = tuple(f"{cell.budget_tokens:,}" if key == "tokens" else cell.listed[key] for key in keys)
    found = {} if cell.result is None else {one.variant: one for one in cell.result.comparison.variants}
    rows: list[Row] = []
    for name, verdict in cell.verdicts(config).items():
        numbers: Row = ("", "")
        if name in found:
            judged = found[name].neutral
            interval = judged.family_interval
            bounds = f"[{interval.low:+.3f}, {interval.high:+.3f}]" if interval else "too few seeds"
            numbers = (f"{judged.difference:+.4f}", bounds)
        seeds = (str(found[name].neutral.n_seeds) if name in found else "",) if config.looks else ()
        rows.append((*(("",) * len(keys) if rows else about), name, *numbers, *seeds, verdict))
    return rows


def _show_fate(cell: CellResult) -> None:
    """What diverged, fresh seeds of the best variant, and what is not as it was fixed."""
    if cell.result is None:
        show.line((f"{cell.label}: {cell.failed}", "bold red"), wrap=True)
        return
    if cell.result.confirmed:
        show.line((f"{cell.label}: {cell.result.confirmed}", "bold"), wrap=True)
    show.warnings([f"{cell.label}: {warning}" for warning in cell.result.warnings])


def _show_notes(cells: Sequence[CellResult]) -> None:
    """Each once, with the cells that it is about unless these are all."""
    judged = [cell for cell in cells if cell.result is not None]
    about: dict[str, list[str]] = {}
    for cell in judged:
        for note in cell.result.comparison.notes if cell.result else ():
            about.setdefault(note, []).append(cell.label)
    for note, labels in about.items():
        where = "" if len(labels) == len(judged) else f"{'; '.join(labels)}: "
        show.line((f"note: {where}{note}", "dim"), wrap=True)


def _show_controls(cells: Sequence[CellResult]) -> None:
    """How many passed; those that did not, one by one."""
    bare = [cell.label for cell in cells if cell.result is not None and len(cell.result.controls) <= 1]
    if bare:
        where = "any cell" if len(bare) == len(cells) else "; ".join(bare)
        alone = "halves of the baseline's seeds alone check it"
        show.line((f"no control was trained in {where}: {alone}", "yellow"), wrap=True)
    judged = [(cell.label, control) for cell in cells if cell.result is not None for control in cell.result.controls]
    passed = sum(control.status == "passed" for _, control in judged)
    show.line(f"controls: {passed:,} of {len(judged):,} passed", wrap=True)
    for label, control in judged:
        if control.status != "passed":
            show.line((f"{label}: control {control.kind}: {control.status}: {control.reason}", "bold red"), wrap=True)


def show_grid_forecast(found: GridForecast) -> None:
    """Runs, time and smallest detectable difference of every cell, and the sums."""
    show.table(
        ("cell", "runs", "done", "time", "detectable"),
        list(_forecast_rows(found)),
        align="lrrrr",
        title="what is to be trained, and the smallest difference that the last seeds detect, bits per byte",
    )
    show.line(f"in all: about {duration(found.seconds)}; disk: {amount(found.disk_bytes, 'bytes')}")
    show_scoring(max(found.cells, key=lambda cell: cell.scoring_share))
    tokens, shared = (sum(getattr(cell, name) for cell in found.cells) for name in ("tokens", "shared_tokens"))
    if shared:
        show.line(f"shared trunks spare {shared:,} of {tokens + shared:,} tokens")


def show_scoring(cell: StudyForecast) -> None:
    """What held-out sets cost, where it is much, and how to have it cheaper."""
    if cell.scoring_share > MUCH_SCORING:
        said = f"scoring takes up to {cell.scoring_share:.0%} of a run (held-out sets: {cell.scored_sets})"
        show.line(f"{said}; less with `score: [SET]` or fewer `training.curve_points` in the study", wrap=True)


def _forecast_rows(found: GridForecast) -> Iterator[Row]:
    for cell in found.cells:
        detectable = f"{cell.detectable[-1]:.3g}" if cell.detectable else "unknown"
        yield cell.cell, f"{cell.runs:,}", f"{cell.runs_done:,}", duration(cell.seconds), detectable
