"""A run's model folder in the hands of others: transformers, tokenizers and lm-evaluation-harness, offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.heldout import Heldout
from dq.stages.tokenizer import BOS, BOS_ID
from dq.study import run_study
from tests.study.conftest import Study

transformers = pytest.importorskip("transformers")
CONTEXT = 64


@pytest.fixture(scope="module")
def folder(study: Study) -> Path:
    """One run of the study: other tests train in its workspace too."""
    return study.workspace.run(study.result.runs[0])


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder / "model").eval()


def nats(model: Any, ids: list[int]) -> float:
    """Loss of all tokens but the first, in windows that share one token, as dq evaluates."""
    loss = 0.0
    for start in range(0, len(ids) - 1, CONTEXT):
        window = torch.tensor([ids[start : start + CONTEXT + 1]])
        with torch.no_grad():
            logits = model(window[:, :-1]).logits[0]
        loss += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
    return loss


def test_bos_comes_first_and_any_text_returns_as_it_was(study: Study, tokenizer: Any) -> None:
    ours = load_tokenizer(study.workspace.tokenizer() / "tokenizer.json")
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (BOS_ID, BOS_ID, BOS_ID)
    for text in ("", "a", " two  spaces ", "Größe\n\n日本語 👩‍🔬\u200b\x00", f"{BOS}", f"a {BOS} b{BOS}"):
        ids = tokenizer(text).input_ids
        assert ids == [BOS_ID, *ours.encode(text).ids]
        assert ids.count(BOS_ID) == 1  # whatever the text spells
        assert tokenizer(text, add_special_tokens=False).input_ids == ids[1:]
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_the_tokenizers_library_reads_the_spelling_of_bos_as_text_too(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    raw = tokenizers.Tokenizer.from_file(str(folder / "model/tokenizer.json"))
    assert raw.encode(f"a{BOS}").ids.count(BOS_ID) == 1
    assert raw.encode(f"a{BOS}", add_special_tokens=False).ids.count(BOS_ID) == 0


def test_padding_to_the_left_changes_no_continuation(model: Any, tokenizer: Any) -> None:
    texts = ["The", "The old bridge of the town"]
    both = tokenizer(texts, return_tensors="pt", padding=True)
    assert both.attention_mask[0, 0] == 0 and both.attention_mask[1].all()
    settings = {"max_new_tokens": 5, "do_sample": False}
    together = model.generate(**both, **settings)[:, both.input_ids.shape[1] :]
    for text, found in zip(texts, together, strict=True):
        one = tokenizer(text, return_tensors="pt")
        alone = model.generate(**one, **settings)[0, one.input_ids.shape[1] :]
        assert alone.tolist() == found[: len(alone)].tolist()


def test_a_pipeline_of_transformers_goes_on_with_a_text_from_the_folder_alone(folder: Path) -> None:
    generate = transformers.pipeline("text-generation", model=str(folder / "model"), device="cpu")
    ((found,),) = generate(["The old bridge"], max_new_tokens=4, do_sample=False)
    assert found["generated_text"].startswith("The old bridge") and len(found["generated_text"]) > len("The old bridge")


def test_every_documents_loss_is_that_of_the_ledger(study: Study, folder: Path, model: Any, tokenizer: Any) -> None:
    ledger = pl.read_parquet(folder / "documents.parquet")
    for name in ("essays", "news"):
        texts = View.of(study.workspace).open(Heldout).documents(name)
        wanted = dict(ledger.filter(pl.col("set") == name).select("document", "loss_nats").iter_rows())
        for document, text in texts.select("id", "text").iter_rows():
            assert nats(model, tokenizer(text).input_ids) == pytest.approx(wanted[document], rel=1e-5)


def test_a_folder_of_an_older_version_gets_its_tokenizer(study: Study, folder: Path) -> None:
    files = {path: path.read_bytes() for path in (folder / "model").glob("*.json") if path.name != "config.json"}
    assert {path.name for path in files} == {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}
    (folder / "model/tokenizer_config.json").unlink()
    (folder / "model/tokenizer.json").write_bytes((study.workspace.tokenizer() / "tokenizer.json").read_bytes())
    run_study(study.config, study.workspace)
    assert {path: path.read_bytes() for path in files} == files


# --- lm-evaluation-harness ------------------------------------------------------------------------------------------

CHOICE = """task: choice
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/choice.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""
ROLLING = """task: rolling
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/rolling.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
"""
QUESTIONS = [
    {"question": "The old", "choices": [" bridge", "qxzqxzqx"], "answer": 0},
    # Not at the start: there the harness takes the spelling for BOS itself.
    {"question": f"A {BOS} and a", "choices": ["\x00\x01\x02\x03", " man"], "answer": 1},
]
TEXTS = ["The old bridge.", "A man of the town", f"a {BOS} b"]


EVALUATE = """
import json, lm_eval, sys
from lm_eval.tasks import TaskManager

model, tasks = sys.argv[1:]
found = {}
manager = TaskManager(include_path=tasks, include_defaults=False)  # its own tasks are ten thousand files
for name, extra in (("choice", ""), ("rolling", ",add_bos_token=False")):  # else a rolling task scores BOS as well
    arguments = {"model_args": f"pretrained={model}{extra}", "device": "cpu", "batch_size": 2}
    done = lm_eval.simple_evaluate("hf", tasks=[name], task_manager=manager, **arguments)
    found[name] = {"results": done["results"][name], "samples": done["samples"][name]}
with open(f"{tasks}/found.json", "w") as file:
    json.dump(found, file, default=str)
"""


@pytest.fixture(scope="module")
def harness(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What lm-evaluation-harness says of two small tasks of its own, without a network."""
    tasks = tmp_path_factory.mktemp("tasks")
    for name, task in (("choice", CHOICE), ("rolling", ROLLING)):
        (tasks / f"{name}.yaml").write_text(task.replace("FOLDER", str(tasks)))
    (tasks / "choice.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    (tasks / "rolling.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tasks / "home")}
    command = [sys.executable, "-c", EVALUATE, str(folder / "model"), str(tasks)]
    done = subprocess.run(
        command, env={**os.environ, **offline}, cwd=tasks, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads((tasks / "found.json").read_text()))


def test_the_harness_gives_the_choices_the_models_likelihoods(
    harness: dict[str, Any], model: Any, tokenizer: Any
) -> None:
    right = 0
    for sample in harness["choice"]["samples"]:
        question = QUESTIONS[sample["doc_id"]]
        scores = []
        for choice, (response,) in zip(question["choices"], sample["resps"], strict=True):
            start = tokenizer(question["question"]).input_ids
            whole = tokenizer(f"{question['question']}{choice}").input_ids
            scores.append(nats(model, start) - nats(model, whole))
            assert float(response[0]) == pytest.approx(scores[-1], rel=1e-4)
        right += scores.index(max(scores)) == question["answer"]
    assert harness["choice"]["results"]["acc,none"] == pytest.approx(right / len(QUESTIONS))


def test_the_harness_measures_the_bits_per_byte_that_dq_does(
    harness: dict[str, Any], model: Any, tokenizer: Any
) -> None:
    bits = sum(nats(model, tokenizer(text).input_ids) for text in TEXTS) / torch.log(torch.tensor(2.0)).item()
    expected = bits / sum(len(text.encode()) for text in TEXTS)
    assert harness["rolling"]["results"]["bits_per_byte,none"] == pytest.approx(expected, rel=1e-4)
