"""`dq` as its user types it: arguments in; exit code, standard output and standard error out.

Called inside the tests' own process, which spares a test two seconds of imports; `processes.finish` starts a real one
where a test is about the process itself.
"""

from __future__ import annotations

import io
import json
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from dq.cli import main
from dq.store.contents import listing

__all__ = ["MAIN", "list_again", "run_dq"]

MAIN = "from dq.cli import main; main()"


def run_dq(*arguments: str | Path, cwd: Path = Path()) -> subprocess.CompletedProcess[str]:
    """Run a command in ``cwd``."""
    out, err = io.StringIO(), io.StringIO()
    command = ["dq", *map(str, arguments)]
    code = 0
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        try:
            main(command[1:])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def list_again(folder: Path) -> None:
    """Make what was changed in a stage's folder by hand look as if the stage had left it so."""
    record = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps({**record, "files": listing(folder)}))
