"""What workers are spared: it has been imported when they are forked."""

from __future__ import annotations

import subprocess
import sys

from dq.training import RunSpec

FIRST_PROGRAM = """
import sys, threading
import torch
import dq.training.program as program
import dq.training.warm
from dq.training import RunSpec

there = {*sys.modules}
program.make_program(RunSpec.model_validate_json(sys.argv[1]), device=torch.device("cpu"))
print(len({*sys.modules} - there), threading.active_count())
"""


def test_the_first_program_of_a_worker_imports_nothing_more(spec: RunSpec) -> None:
    command = [sys.executable, "-c", FIRST_PROGRAM, spec.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]  # it is 800 otherwise; and no thread is there that a fork would lose
