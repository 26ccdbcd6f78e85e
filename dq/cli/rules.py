"""`dq rules`: questions about thresholds, answered from the table that `dq score` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, Preset, RulesFile, rule_set

if TYPE_CHECKING:
    import polars as pl

    from dq.quality import RuleSet

Table = Annotated[Path, typer.Argument(help="The Parquet file that `dq score` wrote.")]
Weight = Annotated[str | None, typer.Option(help="Column to count in place of documents, such as char_count.")]
Reason = Annotated[str, typer.Option(help="The reason of the rule whose bound is moved.")]


def attribution(
    table: Table, preset: Preset = None, rules: RulesFile = None, weight: Weight = None, as_json: AsJson = False
) -> None:
    """What each rule drops: in all, alone (what would come back without it), and first in a chain.

    Example: dq rules attribution signals.parquet --preset fineweb
    """
    from dq.quality import attribution as ask

    judging, scores = _open(table, preset, rules)
    found = ask(scores, judging, weight=weight)
    if as_json:
        show.json(found.to_dicts())
        return
    suffix = "" if weight is None else f"_{weight}"
    columns = [f"{name}{suffix}" for name in ("drops", "drops_alone", "first")]
    show.line(f"{judging.name}: {len(scores):,} documents; {weight or 'documents'} that a rule drops")
    rows = [(row["reason"], *(f"{row[name]:,.0f}" for name in columns)) for row in found.to_dicts()]
    show.table(("reason", "drops", "alone", "first"), rows)


def sweep(
    table: Table,
    reason: Reason,
    values: Annotated[str, typer.Option(help="Values of the bound to try, with commas.")],
    preset: Preset = None,
    rules: RulesFile = None,
    weight: Weight = None,
    as_json: AsJson = False,
) -> None:
    """What the whole set would keep at each value of one rule's bound.

    Example: dq rules sweep signals.parquet --preset c4 --reason too_few_sentences --values 1,3
    """
    from dq.quality import sweep as ask

    judging, scores = _open(table, preset, rules)
    found = ask(scores, judging, reason, values=_numbers(values), weight=weight)
    if as_json:
        show.json(found.to_dicts())
        return
    rows = [
        (f"{row['value']:g}", f"{row['kept_documents']:,}", f"{row['kept_weight']:,.0f}", f"{row['kept_fraction']:.1%}")
        for row in found.to_dicts()
    ]
    show.table((reason, "documents kept", weight or "of documents", "share"), rows)


def solve(
    table: Table,
    reason: Reason,
    target: Annotated[float, typer.Option(min=0, help="How much to keep: documents, or of --weight.")],
    preset: Preset = None,
    rules: RulesFile = None,
    weight: Weight = None,
    as_json: AsJson = False,
) -> None:
    """The strictest bound of one rule with which the whole set still keeps the target.

    Example: dq rules solve signals.parquet --preset c4 --reason too_few_sentences --target 1000
    """
    from dq.quality import solve as ask

    judging, scores = _open(table, preset, rules)
    found = ask(scores, judging, reason, target=target, weight=weight)
    bound = "minimum" if found.rule.minimum is not None else "maximum"
    value = getattr(found.rule, bound)
    if as_json:
        kept = {"kept_documents": found.kept_documents, "kept_weight": found.kept_weight}
        show.json({"reason": reason, "signal": found.rule.signal, "bound": bound, "value": value, **kept})
        return
    show.line(f"{reason}: {found.rule.signal} {bound} {value:.6g}")
    counted = "" if weight is None else f", {found.kept_weight:,.0f} {weight}"
    show.line(f"keeps {found.kept_documents:,} of {len(scores):,} documents{counted}")


def _open(table: Path, preset: str | None, rules: Path | None) -> tuple[RuleSet, pl.DataFrame]:
    """The rules, and the table; signals that files of rules name need not be registered, but in the table."""
    import polars as pl

    from dq.errors import InputError

    try:
        scores = pl.read_parquet(table, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{table}: cannot be read ({' '.join(str(error).split())}); give a file of `dq score`"
        ) from None
    judging = rule_set(preset, rules, models=scores.columns)
    judging.judge(scores.head(0))  # says which column is missing, if one is
    return judging, scores


def _numbers(values: str) -> list[float]:
    try:
        return [float(value) for value in values.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--values {values}: numbers with commas between them") from None
