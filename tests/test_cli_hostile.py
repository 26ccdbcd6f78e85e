"""Names that attack the terminal: files, ids, sources, metadata and reasons, in every command, in a real terminal.

What an attacker writes into a corpus must reach the screen spelled out: no control character of it (window titles,
cleared screens, overwritten lines), nothing that reorders text, no markup of the library that draws, no traceback.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from typer.main import get_command

from dq.cli.options import commands
from dq.cli.program import app
from tests.command import run_dq
from tests.jobs.texts import rows, write_jsonl
from tests.processes import ROOT
from tests.test_end_to_end import write_study

pytestmark = pytest.mark.timeout(900)  # one fixture runs a job, a study and forty other commands

MARKUP = "[b]m[/b][/i][link=http://x.y]l[/link]:pile_of_poo:"
HOSTILE = f"\x1b]0;pwned\x07\x1b[2J\x1b[5m\rover\x9b31m\x7f\u202etxt.exe\u2066\ufeff{MARKUP}"
FILE = "data[\x9b31m\u202e:smile:/b]m[/b].jsonl"  # a folder `data[...` with a file `b]m[` and so on
LATER = "\x00 next \x00"

# Runs many commands in one process, which starts once; a line between their outputs tells them apart.
PROGRAM = """
import json, sys, traceback
from dq.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as end:
        code = end.code
    except Exception:
        traceback.print_exc()
        code = "of a fault"
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.write(f"\\nCODE {code}\\x00 next \\x00")
    sys.stderr.flush()
"""


def in_terminal(commands: Sequence[Sequence[str]], *, cwd: Path) -> list[str]:
    """What a terminal of 80 columns receives from each command; the last line is `CODE` and its exit code."""
    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        environment.pop(name, None)
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    received = b""
    with subprocess.Popen(command, cwd=cwd, env=environment, stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        try:
            while part := os.read(screen, 1 << 16):
                received += part
        except OSError:  # Linux reports the end of a terminal so
            pass
        finally:
            os.close(screen)  # ends the process too, if it goes on
    assert process.returncode == 0, received[-2000:].decode()
    return received.decode().replace("\r\n", "\n").split(LATER)[:-1]


# What our own drawing may send: styles without blinking, and the moves of a progress line.
STYLE, MOVE = r"\x1b\[(?:[0-46-9]|[1-9]\d)?(?:;\d+)*m", r"\x1b\[\d*[AK]|\x1b\[\?25[lh]|\r(?!over)"
OWN = re.compile(f"{STYLE}|{MOVE}")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def assert_harmless(output: str) -> None:
    rest = OWN.sub("", output)
    found = UNSAFE.search(rest)
    assert found is None, repr(rest[max(0, found.start() - 100) : found.end() + 100])
    assert "\U0001f4a9" not in rest and "\U0001f604" not in rest, "a name became an emoji"
    assert "Traceback" not in rest, rest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a job, a study and rules of hostile names."""
    place = tmp_path_factory.mktemp("hostile")
    write_study(place, source=HOSTILE, mark=HOSTILE)
    job = (place / "job.yaml").read_text().replace("train.jsonl", "data*/*/*.jsonl")
    (place / "job.yaml").write_text(job)
    (place / FILE).parent.mkdir(parents=True)
    (place / "train.jsonl").rename(place / FILE)
    with (place / FILE).open("a") as file:
        file.write("\n" + json.dumps({"id": HOSTILE, "text": "\ud800", "source": HOSTILE * 3}))
        file.write(f'\n{{"id": "{HOSTILE}\n')
    write_jsonl(place / "pairs.jsonl", [{**row, "source": HOSTILE, "id": HOSTILE + row["id"]} for row in rows(0, 60)])
    named = [
        {**row, "source": HOSTILE, "id": HOSTILE + row["id"], "v": [1, n % 7]} for n, row in enumerate(rows(0, 20))
    ]
    write_jsonl(place / "vectors.jsonl", named)
    table = pl.DataFrame({
        "variant": [HOSTILE, HOSTILE * 2] * 6,
        "size": [HOSTILE] * 12,
        "n_tokens": [1000] * 6 + [2000] * 6,
        "loss": [3.0, 2.9, 3.1, 3.0, 3.2, 3.05, 2.8, 2.7, 2.8, 2.75, 2.7, 2.6],
        "seed": [f"{HOSTILE}{n // 2 % 3}" for n in range(12)],
        "set": ["x"] * 12,
    })  # fmt: skip
    table.write_csv(place / "runs.csv")
    points = ["n_params,n_tokens,loss", *(f"1e6,{n}e7,{2 + 1 / n + 0.001 * (-1) ** n}" for n in range(1, 9))]
    (place / "law\u202e[b].csv").write_text("\n".join(points))
    rule = {"signal": "word_count", "minimum": 150, "reason": HOSTILE}
    (place / "rules.yaml").write_text(json.dumps({"name": HOSTILE, "rules": [rule]}))
    return place


REPAIR = ("--max-bad-fraction", "0.5", "--workers", "1")
RULES = ("--rules", "rules.yaml")
WORK = [
    ("run", "job.yaml", "--workers", "1"),
    ("run", "job.yaml", "--dry-run"),
    ("ablate", "study.yaml", "--budget-tokens", "4096"),
    ("ablate", "study.yaml", "--budget-tokens", "4096", "--dry-run"),
    ("runs", "ws", "--mirror", "tensorboard=board\u202e[b]"),
    ("runs", "ws", "--curves", "curves\u202e[b].csv"),
    ("variants", "list", "study.yaml", "--budget-tokens", "4096"),
    ("variants", "show", "study.yaml", "raw", "--budget-tokens", "4096"),
    ("variants", "verify", "study.yaml", "--budget-tokens", "4096"),
    ("variants", "export", "study.yaml", "raw", "-o", "exported\u202e[b]", "--format", "jsonl"),
    ("noise", "ws"),
    ("compare", "ws", "--figures", "figures\u202e[b]"),
    ("compare", "runs.csv", "--baseline", HOSTILE, "--where", "set=x"),
    ("fit", "law\u202e[b].csv", "--law", "curve", "--figures", "fitted\u202e[b]"),
    ("plan", "law\u202e[b].csv", "--law", "curve", "--target-loss", "2.2", "--n-params", "1e6"),
    ("score", FILE, "-o", f"{MARKUP.replace('/', '')}.parquet", "--signals", "word_count", *REPAIR),
    ("score", "pairs.jsonl", "-o", "s.parquet", "--signals", "word_count,unsegmented_script,spaceless_script", *REPAIR),
    ("filter", FILE, *RULES, "-o", "kept\u202e{b}", "--dropped", "dropped", *REPAIR),
    ("train-ngram", FILE, "-o", "ngram\u202e[b].safetensors", "--order", "3", *REPAIR),
    ("decontaminate", FILE, "--benchmark", "b=pairs.jsonl", "-o", "report\u202e[b]", *REPAIR),
    ("dedup", FILE, "-o", "out", "--allow-removal", HOSTILE, *REPAIR),
    ("dedup", "pairs.jsonl", "-o", "pairs\u202e[b]", *REPAIR),
    ("dedup", FILE, "--dry-run", *REPAIR),
    ("dedup", "--explain"),
    ("audit", "duplicates", "pairs\u202e[b]"),
    ("passages", "pairs.jsonl", "-o", "cut\u202e[b]", "--allow-removal", HOSTILE, *REPAIR),
    ("audit", "passages", "cut\u202e[b]"),
    ("semdedup", "vectors.jsonl", "-o", "distinct\u202e[b]", "--vectors", "v", "--max-removed-fraction", "1", *REPAIR),
    ("audit", "semdedup", "distinct\u202e[b]"),
    ("inspect", "duplicates", "distinct\u202e[b]"),
    ("inspect", "duplicates", "pairs\u202e[b]", "--source", HOSTILE),
    ("inspect", "dropped", "dropped", "--reason", HOSTILE),
    ("inspect", "dropped", "ws", "--reason", "too_many_duplicate_9_grams"),
    ("inspect", "duplicates", "ws"),
    ("inspect", "document", "ws", HOSTILE + "d0003"),
    ("inspect", "document", "dropped", HOSTILE),
    ("rules", "attribution", "s.parquet", *RULES),
    ("rules", "sweep", "s.parquet", *RULES, "--reason", HOSTILE, "--values", "10,100"),
    ("rules", "solve", "s.parquet", *RULES, "--reason", HOSTILE, "--target", "5"),
    ("signals",),
    ("presets", "fineweb"),
    ("doctor",),
    ("recipes", "list"),
    ("recipes", "show", "pipelines/quickstart.yaml"),
    ("recipes", "copy", "pipelines/quickstart.yaml", "--to", "copied\u202e[b]"),
]  # fmt: skip
FAULTS = [
    ("send", HOSTILE, f"ftp://{HOSTILE}"),
    ("send", HOSTILE, f"s3://{HOSTILE}"),
    ("send", HOSTILE, f"hf://datasets/{HOSTILE}"),
    ("run", HOSTILE.replace("/", "")),
    ("ablate", "study.yaml", "--workspace", HOSTILE.replace("/", "")),
    ("runs", HOSTILE),
    ("ablate", "study.yaml", "--deadline", HOSTILE),
    ("ablate", "study.yaml", "--stack", HOSTILE),
    ("ablate", "study.yaml", "--budget-tokens", "8192", "--device", HOSTILE),
    ("variants", "list", "study.yaml", "--workspace", HOSTILE.replace("/", "")),
    ("variants", "show", "study.yaml", HOSTILE),
    ("variants", "verify", "study.yaml", HOSTILE),
    ("variants", "export", "study.yaml", HOSTILE, "-o", HOSTILE, "--format", "ds"),
    ("noise", HOSTILE),
    ("compare", HOSTILE),
    ("fit", HOSTILE),
    ("fit", "law\u202e[b].csv", "--law", HOSTILE),
    ("compare", "runs.csv", "--baseline", f"{HOSTILE}x"),
    ("plan", "law\u202e[b].csv", "--score", HOSTILE),
    ("plan", "law\u202e[b].csv", "--compute", HOSTILE),
    ("score", HOSTILE, "-o", "x.parquet"),
    ("score", FILE, "-o", "y.parquet", "--max-bad-fraction", "0"),
    ("score", "pairs.jsonl", "-o", "z.parquet", "--signals", HOSTILE),
    ("score", "pairs.jsonl", "-o", "z.parquet", "--model", HOSTILE),
    ("filter", "pairs.jsonl", "--preset", HOSTILE, "-o", "x"),
    ("decontaminate", "pairs.jsonl", "--benchmark", HOSTILE, "-o", "x"),
    ("decontaminate", "pairs.jsonl", "--benchmark", f"b={FILE}", "-o", "x"),
    ("dedup", HOSTILE, "-o", "x"),
    ("dedup", "pairs.jsonl", "-o", "x", "--keep", f"prefer:{HOSTILE}x"),
    ("dedup", "pairs.jsonl", "-o", "x", "--memory", HOSTILE),
    ("dedup", "pairs.jsonl", "-o", "x", "--max-removed-fraction", "0"),
    ("passages", "pairs.jsonl", "-o", "x", "--max-removed-fraction", "0"),
    ("semdedup", "vectors.jsonl", "-o", "x", "--vectors", HOSTILE),
    ("semdedup", "vectors.jsonl", "-o", "x", "--static-model", HOSTILE),
    ("semdedup", "vectors.jsonl", "-o", "y", "--vectors", "v", "--max-removed-fraction", "0"),
    ("audit", "semdedup", HOSTILE.replace("/", "")),
    ("audit", "duplicates", HOSTILE.replace("/", "")),
    ("audit", "passages", HOSTILE.replace("/", "")),
    ("inspect", "duplicates", "pairs\u202e", "--source", f"{HOSTILE}x"),
    ("inspect", "dropped", "dropped", "--reason", f"{HOSTILE}x"),
    ("rules", "attribution", HOSTILE.replace("/", ""), *RULES),
    ("rules", "sweep", "s.parquet", *RULES, "--reason", "none", "--values", "1"),
    ("rules", "sweep", "s.parquet", *RULES, "--reason", HOSTILE, "--values", HOSTILE),
    ("recipes", "show", HOSTILE),
    ("recipes", "copy", "pipelines/quickstart.yaml", "--to", "copied\u202e[b]"),
    (HOSTILE,),
    ("filter", f"--{HOSTILE}"),
    ("score", "x", "-o", "x", "--workers", HOSTILE),
]  # fmt: skip


@pytest.fixture(scope="module")
def screens(folder: Path) -> list[str]:
    return in_terminal([*WORK, *FAULTS], cwd=folder)


@pytest.mark.parametrize("number", range(len(WORK)), ids=lambda number: "-".join(WORK[number][:2])[:20])
def test_what_commands_print_of_documents_cannot_drive_the_terminal(number: int, screens: list[str]) -> None:
    assert screens[number].endswith("\nCODE 0"), screens[number]
    assert_harmless(screens[number])


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=lambda number: FAULTS[number][0][:8].strip("\x1b\x07"))
def test_errors_about_hostile_names_cannot_drive_the_terminal(number: int, screens: list[str]) -> None:
    output = screens[len(WORK) + number]
    assert re.search(r"\nCODE [12]$", output), output
    assert_harmless(output)


def test_markup_in_a_name_stays_text(screens: list[str]) -> None:
    by_command = {"-".join(command[:2]): screen for command, screen in reversed(list(zip(WORK, screens, strict=False)))}
    for command in ("inspect-duplicates", "inspect-dropped"):
        assert MARKUP[:8] in " ".join(by_command[command].split()), by_command[command]


def test_the_same_commands_in_a_pipe_print_no_control_character_at_all(folder: Path, screens: list[str]) -> None:
    again = ("inspect", "audit", "rules", "run", "ablate", "dedup", "variants")
    fresh = [command for command in WORK if command[0] in again]
    for command in [*fresh, *FAULTS]:
        for arguments in (command, (*command, "--json")):
            done = run_dq(*arguments, cwd=folder)
            for output in (done.stdout, done.stderr):
                found = UNSAFE.search(output)
                assert found is None, (arguments, output[max(0, found.start() - 100) : found.end() + 100])
                assert "Traceback" not in output


def test_every_command_is_tried() -> None:
    tried = {words[: len(path)] for words in WORK for path, _ in commands(get_command(app))}
    assert {path for path, _ in commands(get_command(app))} - tried == {
        ("quickstart",),  # fetches; prints as `ablate`
        ("send",),  # needs a bucket; its faults are tried
    }
