"""The parts of the documents that are made from the code: ``python -m tests.tree`` writes them anew.

A part stands between ``<!-- NAME -->`` and ``<!-- end of NAME -->``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from dq.variants import describe_kinds

ROOT = Path(__file__).parents[1]
LINE = 118


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def file_tree() -> str:
    """Every package and module of dq with the first line of its docstring."""
    rows: list[tuple[str, str]] = [("dq/", first_line(ROOT / "dq" / "__init__.py"))]

    def visit(folder: Path, depth: int) -> None:
        inside = [path for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__", "__main__.py")]
        for path in sorted(inside, key=lambda path: (path.is_dir(), path.name)):
            if path.suffix == ".py":
                rows.append(("  " * depth + path.name, first_line(path)))
            elif (path / "__init__.py").exists():
                rows.append(("  " * depth + path.name + "/", first_line(path / "__init__.py")))
                visit(path, depth + 1)

    visit(ROOT / "dq", 1)
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{name:<{width}}{text}" for name, text in rows]
    return "\n".join(["```", *(line if len(line) <= LINE else line[: LINE - 1] + "…" for line in lines), "```"])


def kinds_table() -> str:
    """Every kind of variant and of noise: its fields and what it is."""
    rows = [(kind.kind, ", ".join(f"`{name}`" for name in kind.fields), kind.meaning) for kind in describe_kinds()]
    return "\n".join(
        ["| kind | fields | what it is |", "|---|---|---|", *(f"| `{a}` | {b} | {c} |" for a, b, c in rows)]
    )


PARTS = {"CONTRIBUTING.md": ("file tree", file_tree), "ablations/README.md": ("kinds", kinds_table)}


def with_part(document: str) -> str:
    """A document with its part as the code has it now."""
    name, make = PARTS[document]
    text = (ROOT / document).read_text("utf-8")
    between = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
    assert between.search(text), f"{document}: no part `{name}`"
    return between.sub(lambda found: found[1] + make() + found[2], text)


if __name__ == "__main__":
    for document in PARTS:
        (ROOT / document).write_text(with_part(document), "utf-8")
