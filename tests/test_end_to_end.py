"""The product as its user meets it: the commands of the README on real corpora, the report in a real browser."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

import dq
from dq.config import load_yaml
from dq.jobs import JobConfig
from dq.report import build_report
from dq.store import Workspace
from tests.command import run_dq
from tests.conftest import tool

REPOSITORY = Path(dq.__file__).parent.parent
BUDGET = ["--budget-tokens", "8192", "--seeds", "3"]
STUDY = "quickstart-workspace/studies/quickstart/8192"


def start_dq(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`dq` in a process of its own."""
    command = [sys.executable, "-m", "dq", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def quickstart(folder: Path) -> subprocess.CompletedProcess[str]:
    """`dq quickstart` on the real sample corpora, with short runs."""
    return start_dq("quickstart", *BUDGET, cwd=folder)


def test_quickstart_ends_with_a_table_a_verdict_each_and_the_report(
    quickstart: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert quickstart.returncode == 0, quickstart.stderr
    lines = quickstart.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for variant in ("curated", "repeated", "noisy"):
        assert any(re.match(rf"{variant}: (better|worse|equivalent|undecided)\b", line) for line in lines)
    assert lines[-1].startswith("report: ")
    assert (folder / lines[-1].removeprefix("report: ")).exists()
    assert "Traceback" not in quickstart.stderr


def test_the_quickstart_preset_keeps_between_a_fifth_and_four_fifths_of_each_source(
    quickstart: subprocess.CompletedProcess[str], folder: Path
) -> None:
    verdicts = pl.read_parquet(folder / "quickstart-workspace/verdicts/original/*.parquet")
    sources = pl.concat(
        [
            pl.read_parquet(path, columns=["source"])
            for path in sorted((folder / "quickstart-workspace/corpus/original").glob("0*.parquet"))
        ]
    )
    kept = sources.hstack(verdicts).group_by("source").agg(pl.col("keep").mean())
    assert len(kept) == 2
    for source, share in kept.iter_rows():
        assert 0.2 <= share <= 0.8, source


def test_a_second_quickstart_needs_no_network_and_repeats_nothing(
    quickstart: subprocess.CompletedProcess[str], folder: Path
) -> None:
    runs = folder / "quickstart-workspace/runs"
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.is_file() and path.name != ".lock"}
    nowhere = "http://127.0.0.1:9"
    again = start_dq("quickstart", *BUDGET, cwd=folder, PIP_INDEX_URL=nowhere, HTTPS_PROXY=nowhere, HTTP_PROXY=nowhere)
    assert (again.returncode, again.stdout) == (0, quickstart.stdout)
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


def test_variants_have_equal_budgets_and_the_same_mixture(
    quickstart: subprocess.CompletedProcess[str], folder: Path
) -> None:
    study = json.loads((folder / STUDY / "comparison.json").read_text())
    by_variant = {}
    for name, manifest in study["manifests"].items():
        parts = [part for part in manifest["parts"] if part["seed"] == 0]
        target = dict.fromkeys(manifest["shares"], 0.0)
        for part in parts:
            target[part["part"].partition("/")[0]] += part["target_tokens"]
        by_variant[name] = (sum(part["tokens"] for part in parts), target)
    assert {total for total, _ in by_variant.values()} == {study["budget_tokens"]}
    first, *others = (target for _, target in by_variant.values())
    assert set(first) == {"news", "web"}
    for target in others:  # each part then holds its target to one document: tested with the streams
        assert target == pytest.approx(first)


def report_of(folder: Path) -> Path:
    return folder / STUDY / "report/index.html"


def in_browser(page: Path, profile: Path) -> str:
    """The page as Chromium leaves it, after whatever its scripts do; nothing may be said on the console."""
    command = [
        tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        "--allow-file-access-from-files", f"--user-data-dir={profile}", "--virtual-time-budget=10000",
        "--window-size=1600,1200", "--dump-dom", f"file://{page}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.needs_tool
def test_the_report_opens_in_a_browser_without_errors_with_all_its_figures(
    quickstart: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    page = in_browser(report_of(folder), tmp_path)
    assert page.count("<figure ") == 4
    assert page.count('class="panel"') == 3 * 3 + 1  # three held-out sets in three figures, and the fates
    assert report_of(folder).stat().st_size < 2_000_000


def test_the_report_of_an_older_result_leaves_out_what_that_did_not_write_down(
    quickstart: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "quickstart-workspace", tmp_path / "quickstart-workspace")
    result = tmp_path / STUDY / "comparison.json"
    found = json.loads(result.read_text())
    assert "0.1M: Llama, 4 layers of width 32" in report_of(tmp_path).read_text()
    for name in ("runs", "config"):
        del found[name]
    for control in found["controls"]:
        del control["could_hardly_fail"]
    result.write_text(json.dumps(found))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        page = build_report(Workspace("quickstart-workspace"), Path(STUDY)).read_text()
    assert "Llama" not in page and page.count('class="panel"') == 10


PROBE = """<body><pre id="found"></pre><script>
const found = {}, widths = [1400, 800, 390];
async function look(width) {
  const frame = Object.assign(document.createElement("iframe"), { src: "PAGE" });
  frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  const page = frame.contentDocument, inside = frame.contentWindow, saved = [];
  const room = page.documentElement.clientWidth;
  const cut = [...page.querySelectorAll("svg text")].filter((one) => {
    const text = one.getBoundingClientRect(), panel = one.closest("svg").getBoundingClientRect();
    return text.left < panel.left - 1 || text.right > Math.min(panel.right, room) + 1;
  });
  const tables = [...page.querySelectorAll(".wide")].filter((one) => one.scrollWidth > one.clientWidth + 1);
  found[width] = { page: page.documentElement.scrollWidth, cut: cut.length, tables: tables.length, saved };
  inside.HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
  for (const button of page.querySelectorAll("button[data-save]")) button.click();
  await new Promise((done) => setTimeout(done, 1500));
}
(async () => {
  for (const width of widths) await look(width);
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"""


@pytest.mark.needs_tool
def test_the_report_fits_a_phone_and_its_figures_can_be_saved(
    quickstart: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.replace("PAGE", f"file://{report_of(folder)}"))
    seen = json.loads(in_browser(probe, tmp_path).partition('<pre id="found">')[2].partition("</pre>")[0])
    names = {f"quickstart-figure-{name}" for name in ("difference", "along", "levels", "fates")}
    for width, found in seen.items():
        assert found["page"] <= int(width) and not found["cut"] and not found["tables"], (width, found)
        assert set(found["saved"]) == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}


def test_the_report_loads_nothing_from_elsewhere(quickstart: subprocess.CompletedProcess[str], folder: Path) -> None:
    html = report_of(folder).read_text()
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:)", html)


def readme_commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    inline = re.findall(r"`(dq [^`]+)`", (REPOSITORY / "README.md").read_text("utf-8"))
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in [*lines, *inline] if line.startswith("dq ")]


def test_every_dq_command_of_the_readme_works(
    quickstart: subprocess.CompletedProcess[str], folder: Path, tmp_path: Path
) -> None:
    """In the README's order, in one folder; long runs are short by their budget, the corpus is the finished one."""
    shutil.copytree(folder / "quickstart-workspace", tmp_path / "quickstart-workspace")
    commands = readme_commands()
    assert {command.split()[1] for command in commands} == {
        "quickstart", "recipes", "run", "ablate", "dedup", "audit", "score", "filter", "inspect", "rules", "signals",
        "doctor", "presets", "runs", "noise", "compare", "fit", "plan", "variants", "decontaminate", "send",
        "passages", "train-ngram", "semdedup",
    }  # fmt: skip
    rows = [{"id": f"d{n}", "text": "The old bridge of the town. " * n} for n in (1, 40)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_embedded(tmp_path, [row["text"] for row in rows])
    (tmp_path / "wikipedia.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "maths.jsonl").write_text(json.dumps({"question": "The old bridge of the town. " * 3, "answer": "No"}))
    (tmp_path / "mine.yaml").write_text(readme_yaml("rules:"))
    (tmp_path / "urls.yaml").write_text(readme_yaml("domains:"))
    losses = [
        f"{arm},1000000,{seed},{3 + worse + 0.01 * seed}" for arm, worse in (("raw", 0), ("a", 1)) for seed in (0, 1, 2)
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["variant,n_tokens,seed,val_loss", *losses]))
    points = [
        f"{n}e6,{d}e7,{1.8 + 1 / n**0.5 + 1 / d**0.4 + 0.001 * (-1) ** d}" for n in (1, 4, 16) for d in range(1, 8)
    ]
    (tmp_path / "grid.csv").write_text("\n".join(["n_params,n_tokens,loss", *points]))
    for command in commands:
        arguments = shlex.split(command)[1:]
        if arguments[0] == "send":
            continue  # to a bucket that there is: tests/corpus/test_remote.py
        if arguments[0] == "ablate":
            path = next((argument for argument in arguments if argument.endswith(".yaml")), "ablations/quickstart.yaml")
            trained = (
                path.endswith("quickstart.yaml") and "--dry-run" not in arguments
            )  # grids are in study/test_cells.py
            arguments = ["ablate", path, *BUDGET, *([] if trained else ["--dry-run"])]
        if arguments[0] == "variants":
            arguments += BUDGET[:2]
        if arguments[0] == "quickstart":
            arguments = ["quickstart", *BUDGET]
        done = run_dq(*arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def write_embedded(folder: Path, texts: list[str]) -> None:
    """Documents with a vector each, and a static model by the tokenizer of the workspace."""
    (folder / "docs").mkdir()
    vectors = [[1.0, float(n), 2.0] for n in range(len(texts))]
    pl.DataFrame({"id": ["a", "b"], "text": texts, "embedding": vectors}).write_parquet(folder / "docs/0.parquet")
    (folder / "potion-base-8M").mkdir()
    tokenizer = folder / "quickstart-workspace/tokenizer/tokenizer.json"
    shutil.copy(tokenizer, folder / "potion-base-8M")
    size = len(json.loads(tokenizer.read_text())["model"]["vocab"])
    table = np.random.default_rng(0).standard_normal((size + 100, 8)).astype(np.float32)
    save_file({"embeddings": table}, folder / "potion-base-8M/model.safetensors")


def readme_yaml(key: str) -> str:
    """The one block of YAML with a key."""
    blocks = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if key in block)
    return str(found)


def test_the_text_versions_of_the_readme_fit_into_a_job(tmp_path: Path) -> None:
    recipe = (REPOSITORY / "pipelines/quickstart.yaml").read_text("utf-8")
    (tmp_path / "job.yaml").write_text(f"{recipe}\n{readme_yaml('clean:')}")
    assert load_yaml(tmp_path / "job.yaml", JobConfig).texts.trained == "masked"


def test_the_python_of_the_readme_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # our own README
    for name in ("scores", "verdicts", "near"):
        table = names[name]
        assert isinstance(table, pl.DataFrame)
        assert len(table) == 2


def test_the_readme_shows_a_real_screenshot() -> None:
    image = (REPOSITORY / "docs/report.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert 20_000 < len(image) < 600_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "missing.yaml"], 1, "missing.yaml: no such file"),
        (["ablate", "pipelines/quickstart.yaml"], 1, "pipelines/quickstart.yaml:"),
        (["recipes", "show", "nothing.yaml"], 1, "unknown recipe `nothing.yaml`"),
        (["no-such-command"], 2, "No such command"),
        (["run"], 2, "Missing argument"),
    ],
)
def test_wrong_use_is_one_line_with_its_exit_code(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    run_dq("recipes", "copy", "pipelines/quickstart.yaml", cwd=tmp_path)
    done = run_dq(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stderr.startswith("dq: ")


# --- interruption -----------------------------------------------------------------------------------------------


def write_study(folder: Path, *, source: str = "a", mark: str = "") -> None:
    """A small corpus of two sources, job and study whose runs take seconds; ``mark`` begins every id and text."""
    generator = random.Random(7)
    words = ["".join(generator.choices("abcdefghijklmnop", k=generator.randint(2, 8))) for _ in range(800)]
    lines = []
    for number in range(600):
        count = generator.randint(60, 160) if number < 500 else generator.randint(20, 50)  # scored by every run
        text = " ".join(generator.choices(words, weights=range(len(words), 0, -1), k=count))
        row = {"id": f"{mark}d{number:04d}", "text": f"{mark}{text}", "source": (source, "b")[number % 2]}
        lines.append(json.dumps(row))
    (folder / "train.jsonl").write_text("\n".join(lines[:500]))
    (folder / "neutral.jsonl").write_text("\n".join(lines[500:]))
    (folder / "job.yaml").write_text(
        "workspace: ws\ninput: [{path: train.jsonl}]\nheldout:\n  fraction: 0.1\n"
        "  neutral: [{name: neutral, input: [{path: neutral.jsonl}]}]\nquality: {preset: gopher_repetition}\n"
        "tokenizer: {vocab_size: 300, bytes_per_source: 50000}\n"
    )
    (folder / "study.yaml").write_text(
        "workspace: ws\nbudget_tokens: 12288\nsize: 0.1M\nseeds: 2\nmargin_bits_per_byte: 0.02\n"
        "training: {context: 128, checkpoint_every_steps: 2, curve_points: 3}\n"
        "variants:\n  raw: {kind: raw}\n  repeated: {kind: repeated, epochs: 4}\n"
    )


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(path.parent.name), *children_of(int(path.parent.name))]
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_study_leaves_no_orphan_and_ends_with_the_same_numbers(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    write_study(whole)
    assert run_dq("run", "job.yaml", "--workers", "1", cwd=whole).returncode == 0
    shutil.copytree(whole, killed)
    process = subprocess.Popen([sys.executable, "-m", "dq", "ablate", "study.yaml"], cwd=killed)
    deadline = time.monotonic() + 120
    while not list(killed.glob("ws/runs/*/checkpoint/*")):
        assert process.poll() is None and time.monotonic() < deadline, "the study ended before it could be killed"
        time.sleep(0.02)
    family = children_of(process.pid)
    process.kill()
    process.wait()
    assert len(family) >= 2
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in family):
        assert time.monotonic() < deadline, "an orphan goes on"
        time.sleep(0.05)
    assert not [*killed.glob("ws/studies/**/comparison.json")]

    again, once = run_dq("ablate", "study.yaml", cwd=killed), run_dq("ablate", "study.yaml", cwd=whole)
    assert again.returncode == once.returncode == 0, again.stderr + once.stderr
    results = [place / "ws/studies/study/12288/comparison.json" for place in (killed, whole)]
    assert results[0].read_bytes() == results[1].read_bytes()
    assert again.stdout == once.stdout


def test_hostile_text_stays_text_in_the_report(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)> "
    write_study(tmp_path, source=f"../{hostile}", mark=hostile)
    assert run_dq("run", "job.yaml", "--workers", "1", cwd=tmp_path).returncode == 0
    done = run_dq("ablate", "study.yaml", "--budget-tokens", "4096", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "ws/studies/study/4096/report/index.html").read_text()
    assert "alert(1)" in html  # the source's name is in tables and figures, ids and texts among the examples
    assert "<script>alert" not in html
    assert "<img src=x" not in html
