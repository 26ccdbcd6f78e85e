"""What the commands share: every option that more than one of them has, and what an error calls it.

An option has one name, one type and one meaning in every command that has it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dq.errors import DqError

if TYPE_CHECKING:
    from dq.cards import CardConfig
    from dq.config import StrictModel
    from dq.corpus import InputSpec
    from dq.dedup import Resources
    from dq.executors import Executor
    from dq.jobs import Nodes
    from dq.quality import RuleSet
    from dq.quality.rule_kinds import AnyRule

_IN = typer.Argument(metavar="IN", help="Files, quoted patterns or folders: JSON, Parquet, Arrow, CSV, WARC.")
Inputs = Annotated[list[str], _IN]
OptionalInputs = Annotated[list[str] | None, _IN]
DeduplicatedFolder = Annotated[Path, typer.Argument(help="A folder that `dq dedup` or `dq run` made.")]
WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of the results, instead of the file's.")
]
TrainedWorkspace = Annotated[
    Path, typer.Argument(metavar="WORKSPACE", help="A workspace that `dq ablate` has trained in.")
]
BudgetTokens = Annotated[
    int | None, typer.Option("--budget-tokens", min=1, help="Tokens a run, instead of the study's own: a quick look.")
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", min=1, help="Runs a variant, instead of the study's own: a quick look.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes at a time. Default: one a core; training on GPUs, 1 to 4 a GPU."),
]
Engine = Annotated[
    Literal["local", "ray", "slurm"],
    typer.Option(
        "--executor", help="Where tasks run: here, on a Ray cluster, or in Slurm jobs (by SBATCH_ variables)."
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="Where models train: auto, cpu, mps, cuda (every GPU) or one, such as cuda:1.")
]
DevicesPerRun = Annotated[
    int, typer.Option("--devices-per-run", min=1, help="GPUs that share each run; on a CPU, so many cores.")
]
Stack = Annotated[
    str,
    typer.Option(
        "--stack",
        metavar="RUNS|auto",
        help="Runs of one shape trained as one program, at the most; auto: where it is measured to gain. Experimental.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", help="Stop after this time, such as 90s, 9m or 2h; the same command goes on."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it would take, and stop.")]
PlanSize = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="SIZE",
        help="Say what the job would take for so much text like its input, such as 10TB, by stage, and stop.",
    ),
]
Node = Annotated[
    str | None,
    typer.Option(
        "--node", metavar="CORES,MEMORY", help="Of a plan: each machine, such as 64,256GB. Default: this one."
    ),
]
NodeCount = Annotated[int, typer.Option("--nodes", min=1, help="Of a plan: how many machines.")]
CardFile = Annotated[
    Path | None,
    typer.Option("--card", help="YAML with `licences: {SOURCE: SPDX}` and `languages: \\[en]` for the dataset's card."),
]
ResultsFolder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of the results; the same one goes on.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what other inputs or settings made there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many to show.")]

RunsTable = Annotated[Path, typer.Argument(metavar="TABLE", help="A table of runs: CSV or Parquet, a row a run.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="OURS=THEIRS", help="What a table calls a column, such as loss=val_loss."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="CONDITION", help="Rows of a table to take: COLUMN=VALUE, !=, <, <=, >, >=."),
]

Laws = Annotated[
    list[str] | None, typer.Option("--law", help="A law, such as chinchilla or coupled; several are compared.")
]
Resamples = Annotated[
    int | None, typer.Option("--resamples", min=2, help="Refits to resampled whole runs, for intervals.")
]
Figures = Annotated[
    Path | None, typer.Option("--figures", help="Folder for a page of figures, and each as SVG (PNG from the page).")
]

TextField = Annotated[str, typer.Option("--text-field", help="The field or column that holds the text.")]
PageText = Annotated[
    Literal["main", "all", "html", "trafilatura"],
    typer.Option(
        "--page-text",
        help="Of a page: its main content (also as trafilatura has it), all of it, or HTML.",
    ),
]
IdField = Annotated[str, typer.Option("--id-field", help="The one that holds the id. Without: file and row.")]
SourceField = Annotated[str, typer.Option("--source-field", help="The one that holds the source.")]
SourceFrom = Annotated[
    Literal["entry", "file"], typer.Option("--source-from", help="What names the source of rows without one.")
]
MAX_BAD_FRACTION = 0.01
MaxBad = Annotated[
    float, typer.Option("--max-bad-fraction", min=0, max=1, help="Share of unreadable rows past which it is an error.")
]

Keep = Annotated[
    str,
    typer.Option(
        "--keep",
        help="longest (most visible characters, repeats left out), best:SIGNAL, earliest:FIELD or prefer:SOURCE,"
        "SOURCE.",
    ),
]
Threshold = Annotated[
    float,
    typer.Option("--threshold", help="Smallest similarity of duplicates: Jaccard of n-grams, or cosine of vectors."),
]
Memory = Annotated[str, typer.Option("--memory", help="Memory for tables and pairs; the rest goes through the disk.")]
MaxRemoved = Annotated[
    float, typer.Option("--max-removed-fraction", help="Stop where a source would lose more than this share.")
]
AllowRemoval = Annotated[
    list[str] | None, typer.Option("--allow-removal", metavar="SOURCE", help="A source that may lose any share.")
]

Dropped = Annotated[
    Path | None, typer.Option("--dropped", help="Folder or file of dropped documents, with the reasons.")
]
Ngram = Annotated[int, typer.Option("--ngram", help="Words in a row that are compared as one, or letters.")]
Preset = Annotated[str | None, typer.Option("--preset", help="A rule set, such as fineweb or gopher_quality.")]
RulesFile = Annotated[Path | None, typer.Option("--rules", help="Rules of your own in YAML, in place of a preset.")]
Languages = Annotated[
    list[str] | None,
    typer.Option("--language", help="Keep documents of this language, such as en; several with commas."),
]
LANGUAGE_THRESHOLD = 0.65  # FineWeb's
LanguageThreshold = Annotated[
    float | None,
    typer.Option(
        "--language-threshold",
        min=0,
        max=1,
        help=f"Least probability of the language; {LANGUAGE_THRESHOLD} with --language.",
    ),
]
UrlsFile = Annotated[
    Path | None,
    typer.Option("--urls", help="Rules about addresses in YAML: blocked domains, words and so on."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="A model as a signal: NAME=FILE.safetensors, NAME=FILE.bin:LABEL (fastText), language=FILE.bin; or a list "
        "of words, NAME=FILE.txt or NAME=glin_profanity:LANGUAGE.",
    ),
]
Words = Annotated[
    Literal["unicode", "whitespace", "dictionary"],
    typer.Option("--words", help="What a word is: about spaCy's, or with ICU's for Thai, Chinese and the like."),
]

AnyScript = Annotated[
    bool, typer.Option("--any-script", help="Let every rule judge scripts without spaces, such as Thai.")
]


def worker_count(given: int | None) -> int:
    """Processes to use: the given number, else one for each core this process may use."""
    from dq.executors import usable_cores

    return given or usable_cores()


def executor_of(engine: str, workers: int | None) -> Executor:
    """Where tasks run, and how many at a time: by default one a core here, one a core of a cluster, 64 jobs."""
    from dq.executors import LocalExecutor

    if engine == "ray":
        from dq.executors.ray import RayExecutor

        return RayExecutor.of_cluster(workers)
    if engine == "slurm":
        from dq.executors.slurm import SlurmExecutor

        return SlurmExecutor(workers) if workers else SlurmExecutor()
    return LocalExecutor(worker_count(workers))


def nodes_of(node: str | None, count: int, engine: str) -> Nodes:
    """Machines that a job is planned for: ``64,256GB``, else such as this one."""
    from dq.doctor import memory_bytes
    from dq.executors import usable_cores
    from dq.files.dedup import parse_bytes
    from dq.jobs.cluster import SLURM_START_SECONDS, Nodes

    start_seconds = SLURM_START_SECONDS if engine == "slurm" else 0.0
    if node is None:
        return Nodes(usable_cores(), memory_bytes() or 0, count, start_seconds)
    cores, _, memory = (part.strip() for part in node.partition(","))
    if not (cores.isascii() and cores.isdecimal() and int(cores) and memory):
        raise typer.BadParameter(f"{node!r} is no machine; write it as 64,256GB: cores, memory", param_hint="--node")
    return Nodes(int(cores), parse_bytes(memory, field="node"), count, start_seconds)


def resources_of(workers: int | None, memory: str) -> Resources:
    """Threads and memory that deduplication may take."""
    from dq.config import checked
    from dq.dedup import Resources
    from dq.files.dedup import parse_bytes

    limits = {"threads": worker_count(workers), "memory_bytes": parse_bytes(memory)}
    return checked(Resources, limits, names={"threads": "workers", "memory_bytes": "memory"})


def columns_of(given: Collection[str] | None) -> dict[str, str]:
    """The table's own names of columns by ours, of ``OURS=THEIRS``, also several with commas between them."""
    pairs = [one for each in given or () for one in each.split(",")]
    if wrong := [one for one in pairs if not re.fullmatch(r"[^=]+=.+", one)]:
        raise typer.BadParameter(f"{wrong[0]!r} is not OURS=THEIRS, such as loss=val_loss", param_hint="--columns")
    return {ours.strip(): theirs.strip() for ours, _, theirs in (one.partition("=") for one in pairs)}


def numbers_of(given: Collection[str] | None, *, flag: str) -> tuple[float, ...]:
    """Numbers such as ``1e9``, ``70B`` or ``1.4T``, also several with commas between them."""
    found = []
    for one in (part.strip() for each in given or () for part in each.split(",")):
        match = re.fullmatch(r"([\d.]+(?:[eE][+-]?\d+)?)([kMBT]?)", one)
        try:
            found.append(float(match[1]) * {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[match[2]] if match else 0)
        except ValueError:
            match = None
        if match is None:
            raise typer.BadParameter(f"{one!r} is no number, such as 1e9, 350M, 70B or 1.4T", param_hint=flag)
    return tuple(found)


def number_of(given: str | None, *, flag: str) -> float | None:
    """One such number, where there is any."""
    found = numbers_of([given] if given is not None else None, flag=flag)
    if len(found) > 1:
        raise typer.BadParameter(f"{given!r} are several numbers; give one", param_hint=flag)
    return found[0] if found else None


def seconds_of(deadline: str | None) -> float | None:
    """Seconds of a duration such as ``90s``, ``9m`` or ``2h``."""
    if deadline is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", deadline.strip())
    if found is None:
        raise typer.BadParameter(f"{deadline!r} is no duration; write it as 90s, 9m or 2h", param_hint="--deadline")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def input_specs(
    paths: list[str], *, text_field: str, id_field: str, source_field: str, source_from: str, page_text: str
) -> list[InputSpec]:
    """What a command reads, as a job says it: files of one folder are one entry."""
    from dq.corpus.inputs import input_specs as entries

    return entries(
        paths,
        text_field=text_field,
        id_field=id_field,
        source_field=source_field,
        source_from=source_from,
        page_text=page_text,
    )


def rule_set(
    preset: str | None,
    rules: Path | None,
    *,
    models: Collection[str] = (),
    urls: Path | None = None,
    more: Sequence[AnyRule] = (),
) -> RuleSet:
    """The rules that a command was given: a preset's or a file's, one of the two, and those about addresses or more."""
    from dq.config import load_yaml
    from dq.quality import RuleSet, load_rules, presets
    from dq.quality.urls import UrlRules

    if (preset is None) == (rules is None) and ((urls is None and not more) or preset is not None):
        raise typer.BadParameter("give one of --preset NAME and --rules FILE")
    if rules is not None:
        found = load_rules(rules, models=models)
    else:
        name = "urls" if urls is not None else "language"
        found = RuleSet(name=name, rules=()) if preset is None else presets.preset(preset)
    if more:
        found = RuleSet(name=found.name, rules=(*more, *found.rules), urls=found.urls)
    return found if urls is None else found.model_copy(update={"urls": load_yaml(urls, UrlRules)})


def results_folder(output: Path | None) -> Path:
    """The folder that was named; without one a command can only say what it would do."""
    if output is None:
        raise typer.BadParameter("name the folder of the results", param_hint="--output")
    return output


def card_of(file: Path | None) -> CardConfig | None:
    """What a file says for the card of a dataset, where one is given."""
    from dq.cards import CardConfig
    from dq.config import load_yaml

    return None if file is None else load_yaml(file, CardConfig)


def language_rules(languages: Collection[str] | None, threshold: float | None) -> tuple[AnyRule, ...]:
    """Rules that documents are of one of some languages, and surely so."""
    from dq.quality import LabelRule, Rule

    codes = tuple(code.strip() for one in languages or () for code in one.split(",") if code.strip())
    if codes and threshold is None:
        threshold = LANGUAGE_THRESHOLD
    found: list[AnyRule] = []
    if codes:
        found.append(LabelRule(signal="language", any_of=codes, reason="other_language"))
    if threshold is not None:
        found.append(Rule(signal="language_score", minimum=threshold, reason="language_score_too_low"))
    return tuple(found)


@contextmanager
def about_yaml(model: type[StrictModel]) -> Iterator[None]:
    """Errors name the place in the file that ``model`` was read from, and no option that has the field's name."""
    from dq.config import place_of

    try:
        yield
    except DqError as error:
        if error.field is not None and (place := place_of(model, error.field)) is not None:
            message = str(error).replace(f"`{error.field}`", f"`{place}`")
            error.args, error.field = (message if f"`{place}`" in message else f"`{place}`: {message}",), None
        raise


def explained(error: DqError, names: Mapping[str, str]) -> str:
    """The message with the flag in place of the argument that the error is about, or before it if it names none."""
    message = str(error)
    if error.field is None:
        return message
    name = names.get(error.field, f"`{error.field}`")
    quoted = f"`{error.field}`"
    return message.replace(quoted, name) if quoted in message else f"{name}: {message}"


def flags(program: Any) -> dict[str, str]:
    """The flag of every argument of the program's commands: an argument means the same in all of them."""
    parameters = (one for _, command in commands(program) for one in command.params if one.param_type_name == "option")
    return {parameter.name: max(parameter.opts, key=len) for parameter in parameters}


def commands(program: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    for name, command in getattr(program, "commands", {}).items():
        here = (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)
        else:
            yield here, command
