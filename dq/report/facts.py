"""What a figure must carry to be quoted: model, training, rules, duration, and how to run it again."""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq.errors import listed
from dq.report.answers import duration
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.selection import Selected
from dq.stages.tokenizer import Tokenizer
from dq.stages.verdicts import Verdicts
from dq.store import Workspace, read_json, read_parquet


@dataclass(frozen=True)
class Facts:
    """Name and value of what the table shows, the mean seconds of a run, and the study's file."""

    model: str
    rows: list[tuple[str, str]]
    seconds_a_run: float | None
    study_yaml: str


def gather_facts(workspace: Workspace, study: dict[str, Any], view: View) -> Facts:
    """Read them from the runs of a study; what an older version did not write down is left out."""
    folders = [path for run in study.get("runs", []) if (path := workspace.run(run)).is_dir()]
    seconds, speed, finished = _timing(folders)
    rows = [*_model_rows(folders), *_corpus_rows(view)]
    if seconds is not None:
        rows.append(
            (
                "duration",
                f"{len(folders)} runs, {duration(seconds)} of one core in all: "
                f"{duration(seconds / len(folders))} a run, {speed}",
            )
        )
        rows.append(("finished", f"{finished} (the date of the last run's files)"))
    config = study.get("config")
    if config:
        rows.append(("again", f"dq ablate {study['study']}.yaml, with the study below as its file"))
    return Facts(
        _model(folders),
        rows,
        seconds / len(folders) if seconds is not None else None,
        _as_yaml(config) if config else "",
    )


def _model(folders: list[Path]) -> str:
    """Such as ``a 0.3M model (332,352 parameters)``."""
    if not folders:
        return "one model size"
    run = read_json(folders[0] / "config.json")
    return f"a {run['spec']['size']} model ({run['parameters']:,} parameters)"


def _model_rows(folders: list[Path]) -> list[tuple[str, str]]:
    if not folders:
        return []
    run = read_json(folders[0] / "config.json")
    spec, training = run["spec"], run["training"]
    shape = ""
    if (path := folders[0] / "model" / "config.json").exists():
        model = read_json(path)
        shape = f", {model['num_hidden_layers']} layers of width {model['hidden_size']}"
    return [
        (
            "model",
            f"{spec['size']}: Llama{shape}, {run['parameters']:,} parameters "
            f"({run['non_embedding_parameters']:,} without the embedding), "
            f"{spec['vocabulary_size']:,} tokens in the vocabulary",
        ),
        (
            "budget",
            f"{run['budget_tokens']:,} tokens a run: {spec['steps']:,} steps of {training['batch_windows']} windows of "
            f"{training['context']} tokens; {run['budget_tokens'] / run['parameters']:.1f} tokens a parameter",
        ),
        (
            "learning rate",
            f"{training['peak_learning_rate']:g}, warmup over {training['warmup_tokens']:,} tokens, decay over the "
            f"last {training['decay_fraction']:.0%}; AdamW, weight decay {training['weight_decay']:g}, "
            f"gradients clipped at {training['gradient_clip']:g}",
        ),
        (
            "computed",
            f"on {run['device']} in {run['precision']}, {'compiled' if run['compiled'] else 'not compiled'}, "
            f"with torch {run['torch']}",
        ),
    ]


def _corpus_rows(view: View) -> list[tuple[str, str]]:
    rules = view.open(Verdicts).rules
    dedup, selection = view.record(FoundDuplicates).config, view.record(Selected).config
    rows = [("rules", f"{rules.name}: {len(rules.rules)} rules, listed above")]
    if isinstance(dedup, dict) and isinstance(selection, dict):
        near = f"similarity of {dedup['threshold']:g} or more by {dedup['ngram']}-grams of {dedup['unit']}"
        rows.append(("duplicates", f"{near}, normalization {dedup['normalization']}; kept: {selection['keep']}"))
    if left_out := list(view.open(Tokenizer).left_out):
        rows.append(("left out", f"nothing is left of {listed(left_out)} after holding out and excluding"))
    return rows


def _timing(folders: list[Path]) -> tuple[float | None, str, str]:
    """Seconds of all runs, what they went to and how fast, and the day of the last."""
    tables = [read_parquet(path / "timing.parquet") for path in folders if (path / "timing.parquet").exists()]
    if not tables or len(tables) < len(folders):
        return None, "", ""
    timing = pl.concat(tables)
    training, evaluation = float(timing["training_seconds"].sum()), float(timing["evaluation_seconds"].sum())
    tokens = sum(_tokens_trained(path, table) for path, table in zip(folders, tables, strict=True))
    last = max((path / "status.json").stat().st_mtime for path in folders)
    day = datetime.datetime.fromtimestamp(last, datetime.UTC).date().isoformat()
    share = evaluation / (training + evaluation)
    speed = f"{share:.0%} for evaluation, {tokens / training:,.0f} tokens a second in training"
    if shared := sum(read_json(path)["training_seconds"] for one in folders if (path := one / "trunk.json").exists()):
        speed += f"; longer runs took {duration(shared)} of it for those that share their first steps"
    return training + evaluation, speed, day


def _tokens_trained(folder: Path, timing: pl.DataFrame) -> int:
    """Up to the last evaluation, as the seconds are."""
    run = read_json(folder / "config.json")
    steps = int(timing["step"][-1]) if len(timing) else 0
    return steps * int(run["budget_tokens"]) // int(run["spec"]["steps"])


def _as_yaml(config: dict[str, Any]) -> str:
    """The study as it was understood, defaults filled in."""
    from ruamel.yaml import YAML  # noqa: PLC0415  takes 50 ms, and only reports need it

    yaml, text = YAML(), io.StringIO()
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.dump(config, text)
    return text.getvalue()
