"""How `dq ablate` shows a study of several sizes, budgets, rates or decays: one table, a row a cell and variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dq.cli import show
from dq.cli.log import amount, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dq.compare import TokenEquivalence
    from dq.study import CellResult, GridForecast, GridResult, StudyConfig, StudyForecast, StudyResult

MUCH_SCORING = 0.25  # of a run
CONTROL_STYLES = {"passed": "dim", "not judged": "yellow", "failed": "bold red"}
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
    judged = [(cell.label, cell.result) for cell in found.cells if cell.result is not None]
    for note in _each_once([(label, note) for label, one in judged for note in one.comparison.notes], of=len(judged)):
        show.line((f"note: {note}", "dim"), wrap=True)
    _show_controls(judged, config)
    warnings = _each_once([(label, warning) for label, one in judged for warning in one.warnings], of=len(judged))
    show.warnings([*warnings, *(f"since the study was registered: {change}" for change in found.changes)])


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
    """Why it has no result, or fresh seeds of the best variant."""
    if cell.result is None:
        show.line((f"{cell.label}: {cell.failed}", "bold red"), wrap=True)
        return
    if cell.result.confirmed:
        show.line((f"{cell.label}: {cell.result.confirmed}", "bold"), wrap=True)


def _each_once(said: Sequence[tuple[str, str]], *, of: int) -> list[str]:
    """What cells have to say, each sentence once behind the cells that it is about, unless these are all."""
    about: dict[str, list[str]] = {}
    for label, sentence in said:
        about.setdefault(sentence, []).append(label)
    return [sentence if len(labels) == of else f"{'; '.join(labels)}: {sentence}" for sentence, labels in about.items()]


def _show_controls(judged: Sequence[tuple[str, StudyResult]], config: StudyConfig) -> None:
    """How many passed; those that did not, one by one."""
    bare = [label for label, one in judged if len(one.controls) <= 1]
    if bare:
        where = "any cell" if len(bare) == len(judged) else "; ".join(bare)
        show.line((without_controls(config, where), "yellow"), wrap=True)
    controls = [(label, control) for label, one in judged for control in one.controls]
    passed, unknown = (sum(one.status == status for _, one in controls) for status in ("passed", "not judged"))
    show.line(
        f"controls: {passed:,} of {len(controls):,} passed" + (f", {unknown:,} not judged" if unknown else ""),
        wrap=True,
    )
    for status, style in CONTROL_STYLES.items():
        if status != "passed":
            said = [(label, f"control {one.kind}: {one.reason}") for label, one in controls if one.status == status]
            for sentence in _each_once(said, of=len(judged)):
                show.line((f"{status}: {sentence}", style), wrap=True)


def without_controls(config: StudyConfig, where: str = "") -> str:
    """That no control was trained, why, and what is left of them."""
    from dq.study.config import MIN_CONTROL_TOKENS

    why = "the study has `controls: null`" if config.controls is None else f"below {MIN_CONTROL_TOKENS:,} tokens"
    place = f" in {where}" if where else ""
    return f"no control was trained{place} ({why}): halves of the baseline's seeds alone check it"


def show_grid_forecast(found: GridForecast, config: StudyConfig) -> None:
    """Runs, time and smallest detectable difference of every cell, and the sums."""
    show.table(
        ("cell", "runs", "done", "time", "detectable"),
        list(_forecast_rows(found)),
        align="lrrrr",
        title="what is to be trained, and the smallest difference that the last seeds detect, bits per byte",
    )
    show_seeds(config)
    show.line(f"in all: about {duration(found.seconds)}; disk: {amount(found.disk_bytes, 'bytes')}")
    show_scoring(max(found.cells, key=lambda cell: cell.scoring_share), config)
    tokens, shared = (sum(getattr(cell, name) for cell in found.cells) for name in ("tokens", "shared_tokens"))
    if shared:
        show.line(f"shared trunks spare {shared:,} of {tokens + shared:,} tokens")


def show_seeds(config: StudyConfig) -> None:
    """At how many seeds variants are judged, and by which margin."""
    seeds = f"{'looks at ' if config.looks else ''}{', '.join(f'{n:,}' for n in config.stops)}"
    show.line(f"seeds: {seeds}; margin {config.margin_bits_per_byte:g} bits per byte")


def show_scoring(cell: StudyForecast, config: StudyConfig) -> None:
    """What held-out sets cost, where it is much, and how to have it cheaper."""
    if cell.scoring_share > MUCH_SCORING:
        said = f"scoring takes up to {cell.scoring_share:.0%} of a run (held-out sets: {cell.scored_sets})"
        fewer = "" if config.score is not None else "`score: [SET]` or "  # that has been done
        show.line(f"{said}; less with {fewer}fewer `training.curve_points` in the study", wrap=True)


def _forecast_rows(found: GridForecast) -> Iterator[Row]:
    from dq.compare import MIN_SEEDS

    for cell in found.cells:
        detectable = f"{cell.detectable[-1]:.3g}" if cell.detectable else "unknown"
        detectable = detectable if cell.seeds[-1] >= MIN_SEEDS else f"below {MIN_SEEDS} seeds none"
        yield cell.cell, f"{cell.runs:,}", f"{cell.runs_done:,}", duration(cell.seconds), detectable
