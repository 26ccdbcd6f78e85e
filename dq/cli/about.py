"""`dq doctor` and `dq presets`: what is installed here, and which rule sets ship with dq."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson

if TYPE_CHECKING:
    from dq.doctor import Checkup


def doctor(as_json: AsJson = False) -> None:
    """Say what dq finds here: versions, extras, cores, memory, caches, compiled kernels, device.

    Example: dq doctor
    """
    from dq.doctor import examine

    found = examine()
    show.json(found) if as_json else _show_checkup(found)


def presets(
    name: Annotated[str | None, typer.Argument(help="A preset, to see its rules and their bounds.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the rule sets that ship with dq, or the rules of one: reason, signal and the values that it accepts.

    Example: dq presets fineweb
    """
    from dq.inspect.rules import accepted_values
    from dq.quality import presets

    known = presets.presets()
    if name is None:
        if as_json:
            show.json({one: len(rules.rules) for one, rules in known.items()})
            return
        about = [(one, str(len(rules.rules)), _summary(one)) for one, rules in known.items()]
        show.table(("preset", "rules", "what it is"), about, align="lrl")
        return
    rules = presets.preset(name)
    if as_json:
        show.json(rules)
        return
    rows = [(rule.reason, rule.signals()[0], accepted_values(rule, "")) for rule in rules.rules]
    show.line(_summary(name), wrap=True)
    for reason, signal, accepted in rows:
        show.line((reason, "bold"), f": {signal} {accepted}", wrap=True)


def _summary(preset: str) -> str:
    """The first line of what its maker says of it."""
    from dq.quality import presets

    return str(getattr(presets, preset).__doc__).partition("\n")[0]


def _show_checkup(found: Checkup) -> None:
    for name, version in found.versions.items():
        show.line(f"{name}: {version}")
    show.line(f"extras: {', '.join(found.extras) or 'none'}")
    for extra, modules in found.missing_extras.items():
        show.line(f"extra {extra} is not whole: pip install {' '.join(modules)}")
    memory = "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 1e9:.1f} GB"
    show.line(f"cores: {found.cores}, memory: {memory}")
    show.line(f"cache: {found.cache}" + ("" if found.cache_writable else " (cannot be written; set DQ_CACHE)"))
    compiled = "compiled" if found.kernels_compiled else "not compiled yet: the first use takes about a minute"
    show.line(f"kernels: {compiled} ({found.kernels})")
    show.line(f"device: {found.device or 'none: training needs the extra train'}")
