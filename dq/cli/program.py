"""The command line: parses, calls the Python API, prints. Adds nothing to the API.

Exit codes: 0 done; 1 an error, on one line that says what to do; 2 wrong usage; 130 or 143 interrupted. Heavy
modules are imported by the command that needs them.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.main import get_command

from dq import __version__
from dq.cli import (
    about,
    compare,
    decontaminate,
    duplicates,
    fit,
    inspect,
    jobs,
    ngram,
    noise,
    passages,
    plan,
    quality,
    recipes,
    rules,
    runs,
    semantic,
    send,
    show,
    studies,
    variants,
)
from dq.cli.elsewhere import made_here
from dq.cli.options import explained, flags
from dq.errors import DqError

# Imports make a million objects that stay: looking through them for garbage again and again took 6 % of `dq dedup`.
RARE_COLLECTIONS = (100_000, 50, 1000)
COMPLETION = "_DQ_COMPLETE"  # what a shell sets, by the name of the program
# Click's error: click is a part of typer, or stands beside it, depending on typer's version.
UsageError: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "UsageError")


def _group(what: str, **commands: Callable[..., None]) -> typer.Typer:
    """A group of commands by name."""
    group = typer.Typer(help=what, no_args_is_help=True, callback=lambda: None)
    for name, command in commands.items():
        group.command(name)(command)
    return group


app = typer.Typer(
    name="dq",
    help="Decide which training data is better: filter, deduplicate, build variants, train small models, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        show.line(f"dq {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("quickstart")(studies.quickstart)
app.command("run")(jobs.run)
app.command("ablate")(studies.ablate)
app.command("runs")(runs.runs)
app.command("noise")(noise.noise)
app.command("fit")(fit.fit)
app.command("plan")(plan.plan)
app.command("compare")(compare.compare)
app.command("score")(quality.score)
app.command("filter")(quality.filter_documents)
app.command("dedup")(duplicates.dedup)
app.command("semdedup")(semantic.semdedup)
app.command("decontaminate")(decontaminate.decontaminate)
app.command("train-ngram")(ngram.train_ngram)
app.command("send")(send.send)
app.command("passages")(passages.passages)
app.command("signals")(quality.signals)
app.command("presets")(about.presets)
app.command("doctor")(about.doctor)
app.add_typer(
    _group(
        "Ask what rules would do, from the signals of `dq score`.",
        attribution=rules.attribution,
        sweep=rules.sweep,
        solve=rules.solve,
    ),
    name="rules",
)
app.add_typer(
    _group(
        "Look at what a step did to documents.",
        document=inspect.inspect_document,
        dropped=inspect.inspect_dropped,
        duplicates=inspect.inspect_duplicates,
    ),
    name="inspect",
)
app.add_typer(
    _group(
        "Check what a step did against the truth.",
        duplicates=duplicates.audit_duplicates,
        passages=passages.audit_passages,
        semdedup=semantic.audit_semdedup,
    ),
    name="audit",
)
app.add_typer(
    _group(
        "Look at the streams of a study, prove what is in them, write them for other trainers.",
        list=variants.list_variants,
        show=variants.show_variant,
        verify=variants.verify_variants,
        export=variants.export_variant,
    ),
    name="variants",
)
app.add_typer(
    _group(
        "Recipes that ship with dq.", list=recipes.list_recipes, show=recipes.show_recipe, copy=recipes.copy_recipes
    ),
    name="recipes",
)


def run(arguments: Sequence[str]) -> int:
    """Run a command: every error that a user can meet is one line, never a traceback. Returns the exit code."""
    gc.set_threshold(*RARE_COLLECTIONS)
    show.prepare()
    if COMPLETION in os.environ:  # the shell asks what could come next: typer answers
        get_command(app).main(prog_name="dq")
    # Typer's own way of ending is not used: it prints names as they are, and hides interruptions.
    program = get_command(app)
    try:
        words, elsewhere = made_here(arguments)
        with program.make_context("dq", words) as context:
            program.invoke(context)
        if elsewhere:
            elsewhere.send()
    except typer.Exit as end:
        return end.exit_code
    except UsageError as error:
        show.usage_error(error)
        return 2
    except DqError as error:
        show.error(explained(error, flags(program)))
        return 1
    except BrokenPipeError:
        show.broken_pipe()
        return 1
    return 0
