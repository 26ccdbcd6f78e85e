"""The architecture, checked: who may import whom, no cycles, nothing heavy where it is not needed."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import dq
from dq.text.kernels.jit import KERNEL_FILES

ROOT = Path(dq.__file__).parent

# What each layer may import, beside itself and the layers below it through these.
BASE = {"arguments", "arrays", "errors", "config", "results", "store", "executors"}
DATA = BASE | {"text", "corpus", "quality", "dedup"}
ALLOWED: dict[str, set[str]] = {
    "arguments": {"errors"},
    "arrays": set(),
    "errors": set(),
    "yaml": set(),
    "config": {"errors", "yaml"},
    "results": set(),
    "store": {"arguments", "arrays", "errors", "config"},
    "executors": {"arguments", "errors", "config", "store"},
    "pages": {"errors", "executors"},
    "cards": {"errors", "config", "results", "store"},
    "text": BASE,
    "quality": BASE | {"text"},
    "dedup": BASE | {"text"},
    "corpus": BASE | {"text", "pages"},
    "stages": DATA,
    "variants": DATA | {"stages", "cards"},
    "compare": BASE,
    "scaling": BASE | {"compare"},
    "training": BASE | {"text", "variants"},
    "study": BASE | {"text", "corpus", "stages", "variants", "training", "compare"},
    "mirrors": BASE | {"study"},
    "jobs": DATA | {"stages", "cards"},
    "files": DATA | {"stages", "cards"},
    "inspect": DATA | {"stages", "files"},
    "report": BASE | {"corpus", "quality", "stages", "inspect", "variants", "compare", "scaling"},
    "interop": BASE | {"text", "corpus", "quality", "dedup"},
    "recipes": BASE,
    "doctor": BASE | {"text", "corpus"},
    "__main__": {"cli"},
    "cli": DATA
    | {
        "cards",
        "stages",
        "recipes",
        "doctor",
        "jobs",
        "files",
        "inspect",
        "study",
        "mirrors",
        "report",
        "compare",
        "scaling",
    },
}


def modules() -> dict[str, Path]:
    return {
        ".".join(("dq", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }


def imports_of(path: Path) -> set[str]:
    """Modules that a file imports when it is loaded or run; imports for type checkers alone do not count."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else "dq"


def test_every_layer_imports_only_the_layers_below_it() -> None:
    wrong = []
    for module, path in modules().items():
        mine = layer(module)
        if mine == "dq":
            continue
        assert mine in ALLOWED, f"{module}: the layer {mine} is not in the table of layers"
        for name in imports_of(path):
            other = layer(name)
            if name.startswith("dq.") and other != mine and other in ALLOWED and other not in ALLOWED[mine]:
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_text_is_met_by_its_face_but_for_kernels_of_other_packages() -> None:
    inside = {name for name in modules() if name.startswith("dq.text.")}
    wrong = []
    for module, path in modules().items():
        allowed = "dq.text.kernels." if path.parent.name == "kernels" else None
        used = imports_of(path) & inside if layer(module) != "text" else set()
        wrong += [f"{module} imports {name}" for name in used if not (allowed and name.startswith(allowed))]
    assert not wrong


def test_modules_have_no_import_cycle() -> None:
    known = modules()
    graph = {module: {name for name in imports_of(path) if name in known} for module, path in known.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"cycle: {' -> '.join((*trail[trail.index(module) :], module))}"
        if module in done:
            return
        for name in sorted(graph[module] - {module}):
            # `from dq.x import y` inside package x names the package too, which is already being loaded.
            if not module.startswith(f"{name}."):
                visit(name, (*trail, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_only_training_imports_torch_in_the_package() -> None:
    using = {module for module, path in modules().items() if any(n.split(".")[0] == "torch" for n in imports_of(path))}
    assert using
    assert {layer(module) for module in using} == {"training"}


@pytest.mark.parametrize(
    "code", ["import dq", "import sys; sys.argv = ['dq', '--help']; from dq.cli.program import app; app()"]
)
def test_importing_dq_and_its_help_load_nothing_heavy(code: str) -> None:
    program = (
        "import sys, atexit\n"
        "heavy = ('torch', 'transformers', 'datatrove', 'numba', 'polars', 'scipy', 'jinja2', 'tokenizers')\n"
        "atexit.register(lambda: sys.stderr.write('LOADED ' + ' '.join(m for m in heavy if m in sys.modules)))\n" + code
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.rpartition("LOADED")[2].split() == []


def test_reusing_filters_loads_no_torch() -> None:
    program = (
        "import sys, dq; dq.presets.fineweb(), dq.score, dq.MinHash, dq.deduplicate; "
        "dq.interop.polars.score, dq.interop.huggingface.Keep; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "in.jsonl", "-o", "signals.parquet"],
        ["filter", "in.jsonl", "--preset", "c4", "-o", "kept", "--dropped", "dropped"],
        ["dedup", "in.jsonl", "-o", "out"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_on_json_lines_do_not_load_pandas(arguments: list[str], tmp_path: Path) -> None:
    """Some calls of Arrow load it, where it is installed, which takes 0.3 to 0.5 s (reading Parquet needs them)."""
    pl.DataFrame({"text": ["one two three four five six.", "seven eight"]}).write_ndjson(tmp_path / "in.jsonl")
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: sys.stderr.write(f'LOADED {\"pandas\" in sys.modules}'))\n"
        f"from dq.cli.program import app; app({arguments!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.endswith("LOADED False")


def test_help_answers_within_half_a_second() -> None:
    # Processor seconds: on an idle machine they are the wall clock's, on a busy one they are still this command's.
    seconds = []
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-m", "dq", "--help"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    assert min(seconds) < 0.5


def bound_names(package: str, tree: ast.Module) -> set[str]:
    """The public names that a package's file binds: taken from its own modules, defined or assigned."""
    found: set[str] = set()
    for node in [inner for outer in tree.body for inner in (outer.body if isinstance(outer, ast.If) else [outer])]:
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}."):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def test_packages_list_exactly_their_public_names_and_modules_list_none() -> None:
    """A package's ``__init__`` is its face; in a module a name without an underscore is for the rest of dq."""
    for module, path in modules().items():
        tree = ast.parse(path.read_text("utf-8"))
        listed = [
            node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        if path.name != "__init__.py":
            assert not listed, f"{module}: a module has no `__all__`"
            continue
        names = list(ast.literal_eval(listed[0].value)) if listed else []
        assert set(names) == bound_names(module, tree), module
        assert len(set(names)) == len(names), module


def test_every_public_name_of_a_package_can_be_had() -> None:
    for module, path in modules().items():
        if path.name == "__init__.py":
            package = importlib.import_module(module)
            for name in getattr(package, "__all__", ()):
                assert getattr(package, name) is not None, f"{module}.{name}"


def test_kernels_are_compiled_anew_when_anything_they_are_made_of_changes() -> None:
    stamped = {path for pattern in KERNEL_FILES for path in ROOT.glob(pattern)}
    stamped.add(ROOT / "arrays.py")  # kernels use its aliases only
    files = modules()
    for name, path in files.items():
        if path.parent.name == "kernels":
            made_of = {files[imported] for imported in imports_of(path) if imported in files}
            assert {file for file in made_of if file.name != "__init__.py"} <= stamped, name


def test_files_stay_short() -> None:
    long = {path.name: n for path in ROOT.rglob("*.py") if (n := len(path.read_text("utf-8").splitlines())) > 400}
    assert not long
