"""A page: self-contained, offline, every piece of document text escaped.

Figures are SVG in the page, so that it weighs some hundred kilobytes, prints, follows a phone and the dark, and needs
no program to be drawn. Templates escape by default; the only values they take unescaped are our own style, script and
panels, which escape what they are given (`dq.report.svg`).
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.errors import require
from dq.store import write_bytes_atomic

MODULES = ("jinja2",)
"""What a page is made with, for `require_all`."""


@dataclass(frozen=True)
class Figure:
    """A row of panels with a legend."""

    id: str
    title: str
    caption: str
    panels: Sequence[str]
    legend: Sequence[tuple[str, str]]


def write_page(folder: Path, template: str, *, name: str, values: Mapping[str, Any]) -> Path:
    """Fill one of our templates, write it as ``index.html`` of a folder, and return its path.

    Args:
        folder: made where it is missing.
        template: a file beside this one that extends ``base.html``.
        name: the study's, in the title.
        values: what else the template shows.

    Raises:
        MissingExtraError: the `report` extra is not installed.
    """
    jinja2, markup = require("jinja2"), require("markupsafe").Markup
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_file),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"whole": "{:,.0f}".format, "svg": markup}
    own = {"style": markup(_file("style.css")), "script": markup(_file("script.js"))}
    html = environment.get_template(template).render(**own, name=name, **values)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(folder / "index.html", html.encode())
    return folder / "index.html"


def write_panels(folder: Path, figures: Iterable[tuple[str, Figure]]) -> None:
    """Write every panel as an SVG file of its own, named after the figure and what it is of; no two alike."""
    names: set[str] = set()
    for of, figure in figures:
        for number, drawn in enumerate(figure.panels):
            stem = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{of}-{figure.id}-{number + 1}")
            while stem in names:
                stem += "_"
            names.add(stem)
            write_bytes_atomic(folder / f"{stem}.svg", drawn.encode())


def _file(name: str) -> str:
    """Our own template, style or script."""
    return importlib.resources.files("dq.report").joinpath(name).read_text("utf-8")
