"""`dq plan`: what to train next by laws fitted to a table of runs, and forecasts that are scored when they end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import (
    AsJson,
    Columns,
    Figures,
    Laws,
    Resamples,
    RunsTable,
    Where,
    columns_of,
    number_of,
    numbers_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dq.compare import RunTable
    from dq.scaling.plans import Forecast, Plans, Questions, Reply

Number = str | None
Several = list[str] | None


def plan(
    run_table: RunsTable,
    flops: Annotated[
        Number, typer.Option("--compute", metavar="FLOPS", help="How to split it, and what twice as much would buy.")
    ] = None,
    sizes: Annotated[
        Several, typer.Option("--n-params", metavar="N", help="Sizes of models, such as 350M,7B, for what follows.")
    ] = None,
    n_tokens: Annotated[
        Several, typer.Option("--n-tokens", metavar="D", help="Training tokens: what these sizes reach with them.")
    ] = None,
    loss: Annotated[
        Number, typer.Option("--target-loss", metavar="NATS", help="What tokens take these sizes to it.")
    ] = None,
    unique_tokens: Annotated[
        Number, typer.Option("--unique-tokens", metavar="U", help="A pool: with --compute, how often to repeat it.")
    ] = None,
    epochs: Annotated[
        Several, typer.Option("--epochs", metavar="K", help="Times the pool is seen: what they are worth.")
    ] = None,
    noise_exponent: Annotated[
        Number,
        typer.Option("--noise-exponent", metavar="G", help="Sets noisy text beside epochs (0.4: replaced tokens)."),
    ] = None,
    inference_tokens: Annotated[
        Number,
        typer.Option("--inference-tokens", metavar="T", help="Tokens of use: the cheapest model for a target loss."),
    ] = None,
    law: Laws = None,
    resamples: Resamples = None,
    forecast: Annotated[
        Path | None, typer.Option("--forecast", help="Write the losses of --n-params at --n-tokens before they run.")
    ] = None,
    score: Annotated[
        Path | None, typer.Option("--score", help="Compare a forecast's file with runs that have ended since.")
    ] = None,
    columns: Columns = None,
    where: Where = None,
    figures: Figures = None,
    as_json: AsJson = False,
) -> None:
    """Plan by laws: what to train, how often to repeat, what more buys, and which variant at another scale.

    Example: dq plan runs.csv --columns loss=val_loss --compute 1e21 --unique-tokens 20B
    """
    from dq.compare import read_runs
    from dq.scaling.plans import Questions

    asked = Questions(
        flops=number_of(flops, flag="--compute"),
        sizes=numbers_of(sizes, flag="--n-params"),
        n_tokens=numbers_of(n_tokens, flag="--n-tokens"),
        loss=number_of(loss, flag="--target-loss"),
        unique_tokens=number_of(unique_tokens, flag="--unique-tokens"),
        epochs=numbers_of(epochs, flag="--epochs"),
        noise_exponent=number_of(noise_exponent, flag="--noise-exponent"),
        inference_tokens=number_of(inference_tokens, flag="--inference-tokens"),
    )
    runs = read_runs(run_table, columns=columns_of(columns), where=where or ())
    if score is not None:
        if asked != Questions() or law or resamples or forecast or figures:
            raise typer.BadParameter("a forecast is scored on its own: leave out what is asked", param_hint="--score")
        _score(score, runs, as_json=as_json)
        return
    _plan(runs, asked, law=law or [], resamples=resamples, forecast=forecast, figures=figures, as_json=as_json)


def _plan(
    runs: RunTable,
    asked: Questions,
    *,
    law: list[str],
    resamples: int | None,
    forecast: Path | None,
    figures: Path | None,
    as_json: bool,
) -> None:
    from dq.scaling.plans import RESAMPLES, answer

    if forecast is not None and not asked.targets():
        raise typer.BadParameter("name the runs to come by --n-params and --n-tokens", param_hint="--forecast")
    found = answer(runs, asked, laws=law, resamples=resamples or RESAMPLES)
    written = _forecast(found, forecast) if forecast is not None else None
    page = None
    if figures is not None:
        from dq.report import build_plans

        page = build_plans(found, figures, name=runs.name)
    if as_json:
        show.json({**found.to_dict(), "forecast": written, "page": page})
        return
    _show(found)
    show.warnings(runs.warnings)
    if written is not None:
        show.line(f"forecast by law `{written.law}`: {forecast}; score it with --score once its runs have ended")
    if page is not None:
        show.line(f"figures: {page}")


def _forecast(found: Plans, path: Path) -> Forecast:
    from dq.scaling.plans import forecast as forecast_of
    from dq.scaling.plans import write_forecast

    if found.forecaster is None:
        raise typer.BadParameter(
            "a forecast is of one kind of text: keep the rows of one variant by --where", param_hint="--forecast"
        )
    written = forecast_of(found.surfaces[found.forecaster].fit, found.questions.targets())
    write_forecast(path, written)
    return written


def _show(found: Plans) -> None:
    from dq.scaling.plans import cautions_on

    for question, answers in found.by_question.items():
        show.line((question, "bold"), wrap=True)
        _show_answers(answers)
        for caution in cautions_on(answers):
            show.line((f"  {caution}", "dim"), wrap=True)
    show.line(("What the answers rest on (in brackets: 95 % intervals)", "bold"))
    for basis in found.bases:
        show.line(f"- {basis.in_words}", wrap=True)
    for note in found.notes:
        show.line(f"- {note}", wrap=True)


def _show_answers(answers: Sequence[Reply]) -> None:
    from dq.scaling.plans import RepeatOrNoise

    epochs = sorted((one for one in answers if isinstance(one, RepeatOrNoise)), key=lambda one: one.epochs)
    if not epochs:
        for one in answers:
            show.line(f"- {one.in_words}", wrap=True)
        return
    noise = epochs[0].noise
    rows = [
        (f"{one.epochs:g}", one.law, one.worth.in_words("%"), *([one.dose.in_words("%")] if noise else []))
        for one in epochs
    ]
    show.table(
        ("epochs", "law", "worth", *(["noise up to"] if noise else [])),
        rows,
        align="rlr" + "r" * bool(noise),
        title="worth of so many epochs, in as many new tokens"
        + (f"; up to which noise new text is better than they are, by {noise}" if noise else ""),
    )


def _score(path: Path, runs: RunTable, *, as_json: bool) -> None:
    from dq.scaling.plans import read_forecast, score_forecast

    found = score_forecast(read_forecast(path), runs)
    if as_json:
        show.json({**found.to_dict(), "summary": found.in_words})
        return
    rows = [
        (
            f"{one['n_params']:.4g}",
            f"{one['n_tokens']:.4g}",
            f"{one['forecast']:.4f}",
            f"[{one['low']:.4f}, {one['high']:.4f}]",
            f"{one['loss']:.4f}",
            f"{one['error']:+.2%}",
            "inside" if one["inside"] else "outside",
        )
        for one in found.scored.to_dicts()
    ]
    if rows:
        show.table(
            ("parameters", "tokens", "forecast", "95 %", "loss", "error", ""),
            rows,
            align="rrrrrrl",
            title=f"law `{found.law}`",
            more="targets",
        )
    show.line(f"{found.in_words}.", wrap=True)
