"""What `dq compare` says of a workspace: its finished studies, by their losses by document.

Differences from the baseline are those that the study has judged, with the looks and sets that it had fixed: a second
verdict beside them would be a second chance. All pairs, and what tokens are worth, are worked out anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dq.compare import BudgetComparison, Cell, Difference, Documents, RunsComparison, compare_group, size_of
from dq.compare.levels import levels_of_losses, read_levels
from dq.compare.results import Interval, Outcome
from dq.compare.tables import LossTable
from dq.errors import ConfigError, DqError, WorkspaceError, nearest
from dq.store import Workspace, read_json, read_parquet

UNIT = "bits per byte"


def compare_workspace(workspace: Workspace, *, only: str | None = None) -> tuple[RunsComparison, ...]:
    """Compare the runs of every finished study, or of ``only`` one, a comparison a study.

    Raises:
        ConfigError: there is no such study.
        WorkspaceError: there is no such workspace, no finished study, or a result is damaged.
    """
    workspace.existing()
    paths = sorted(workspace.root.glob("studies/*/*/comparison.json"))
    names = sorted({path.parent.parent.name for path in paths})
    if not names:
        raise WorkspaceError(f"{workspace.root}: no finished study; `dq ablate` trains one")
    if only is not None and only not in names:
        raise ConfigError(f"{workspace.root}: {nearest(only, names, what='study')}", field="only")
    return tuple(
        _study(name, [path for path in paths if path.parent.parent.name == name])
        for name in names
        if only in (None, name)
    )


@dataclasses.dataclass(frozen=True)
class _Finished:
    """A cell of a study and what it has judged."""

    record: Mapping[str, Any]
    cell: Cell

    @property
    def differences(self) -> dict[str, dict[str, Any]]:
        """What was judged, by variant."""
        return {one["variant"]: one for one in self.record["comparison"]["variants"]}


def _study(name: str, paths: list[Path]) -> RunsComparison:
    groups: dict[str, list[_Finished]] = {}
    for path in paths:
        try:
            finished = _read(path)
        except (DqError, KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
            raise WorkspaceError(
                f"{path.parent}: not the whole result of a study ({type(error).__name__}); delete it and run the study"
            ) from None
        groups.setdefault(path.parent.name.partition("-")[2], []).append(finished)
    first = next(iter(groups.values()))[0].record
    baseline = first["comparison"]["baseline"]
    compared = [compare_group(label, [one.cell for one in cells], baseline=baseline) for label, cells in groups.items()]
    judged = [
        dataclasses.replace(group, budgets=tuple(_as_judged(budget, cells) for budget in group.budgets))
        for group, cells in zip(compared, groups.values(), strict=True)
    ]
    notes = ("differences are those of the cooldown alone",) if first["config"].get("annealing") else ()
    return RunsComparison(
        name=name,
        baseline=baseline,
        margin=first["comparison"]["margin"],
        unit=UNIT,
        groups=tuple(judged),
        notes=notes,
    )


def _read(path: Path) -> _Finished:
    record = read_json(path)
    losses = read_parquet(path.parent / "losses.parquet")
    losses = losses.filter(pl.col("variant").is_in(list(record["config"]["variants"])))
    sets, tokens = record["comparison"]["neutral_sets"], int(record["budget_tokens"])
    arms = read_levels(levels_of_losses(losses, sets=sets, n_tokens=tokens))
    kinds = {name: variant["kind"] for name, variant in record["config"]["variants"].items()}
    curated = next((name for name, kind in kinds.items() if kind == "curated"), None)
    repeated = [name for name, kind in kinds.items() if kind == "repeated"] if curated else []
    cell = Cell(
        n_tokens=float(tokens),
        arms={name: arm.by_tokens[float(tokens)] for name, arm in arms.items()},
        epochs={name: _epochs(manifest) for name, manifest in record["manifests"].items() if name in arms},
        fresh=dict.fromkeys(repeated, str(curated)),  # repeated text is curated text
        documents=Documents(LossTable.read(losses), sets),
    )
    return _Finished(record, cell)


def _epochs(manifest: Mapping[str, Any]) -> float:
    """Tokens for each unique one, as measured over all seeds."""
    tokens, unique = (sum(part[name] for part in manifest["parts"]) for name in ("tokens", "unique_tokens"))
    return float(tokens / unique)


def _as_judged(budget: BudgetComparison, cells: list[_Finished]) -> BudgetComparison:
    """With the differences that the study has judged in place of those of all its seeds."""
    (finished,) = (one for one in cells if one.cell.n_tokens == budget.n_tokens)
    differences = [
        _judged(one, finished.differences[one.variant]) if one.variant in finished.differences else one
        for one in budget.found.differences
    ]
    found = dataclasses.replace(budget.found, differences=tuple(differences))
    return dataclasses.replace(budget, found=found, confirmed=_confirmed(finished.record.get("confirmation")))


def _judged(found: Difference, record: Mapping[str, Any]) -> Difference:
    neutral = record["neutral"]
    interval, n_seeds = neutral["family_interval"], len(neutral["seed_pairs"])
    return dataclasses.replace(
        found,
        difference=neutral["difference"],
        relative=neutral["difference"] / neutral["baseline_bits_per_byte"],
        n_seeds=n_seeds,
        p=found.p if n_seeds == found.n_seeds else None,
        interval=None if interval is None else Interval(**interval),
        outcome=Outcome(record["verdict"]["outcome"]),
    )


def _confirmed(record: Mapping[str, Any] | None) -> str:
    """The best variant on fresh seeds, in words."""
    if record is None:
        return ""
    interval = record["interval"]
    where = f"95 % interval [{interval['low']:+.4f}, {interval['high']:+.4f}]" if interval else record["missing"]
    size = size_of(record["difference"], record["baseline_bits_per_byte"])
    return f"{record['variant']} on {len(record['seed_pairs'])} fresh seeds: {size} ({where})"
