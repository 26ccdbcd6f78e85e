"""Studies of several sizes, budgets, rates and decays: every cell is a study of its own, and lists may grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dq.config import checked, load_yaml
from dq.errors import ConfigError
from dq.executors import LocalExecutor
from dq.store import Workspace
from dq.study import GridResult, StudyConfig, compare_workspace, forecast_grid, noise_of_workspace, run_grid, run_study
from dq.study.cells import cells_of
from dq.training import TrainingConfig, find_size, rates
from dq.variants import Curated, Raw, TokenNoise
from tests.command import run_dq
from tests.study.conftest import Plan, World, tiny_study, without_runs

BUDGETS = (2048, 1024)
TINY = TrainingConfig(context=64, batch_windows=4, curve_points=2)


def grid(**changes: Any) -> StudyConfig:
    values = tiny_study().model_dump(exclude={"budget_tokens"}) | {"name": "grid", "budgets_tokens": BUDGETS}
    return checked(StudyConfig, {**values, **changes})


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Apart from the runs of other tests."""
    return World(world.job, without_runs(world, tmp_path_factory.mktemp("cells")))


@pytest.fixture(scope="module")
def found(own: World) -> GridResult:
    return run_grid(grid(), own.workspace, executor=LocalExecutor(2))


def files(workspace: Workspace) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in workspace.root.glob("runs/*/*")}


def test_cells_are_every_combination_and_each_is_a_study_of_one_value() -> None:
    config = grid(sizes=("0.1M", "0.3M"), size="0.1M", learning_rates=(1e-3, "2x"), weight_decays=(0.1, 1.0))
    cells = cells_of(config)
    assert len({cell.folder(Workspace("w")) for cell in cells}) == len(cells) == 16
    first, last = cells[0], cells[-1]
    assert first.folder(Workspace("w")).name == "2048-0.1M-rate0.001-decay0.1"
    assert last.label == "1,024 tokens, size 0.3M, rate 2x, decay 1"
    assert (last.config.size, last.config.budget_tokens, last.config.training.weight_decay) == ("0.3M", 1024, 1.0)
    assert not last.config.is_grid and cells_of(last.config)[0].config == last.config
    rule = rates.learning_rate(find_size("0.3M"), tokens_per_step=256, budget_tokens=1024)
    assert last.config.training.peak_learning_rate == pytest.approx(2 * rule, rel=5e-3)
    assert first.config.training.peak_learning_rate == 1e-3


def test_once_the_rule_is_the_rule(plan: Plan) -> None:
    (cell,) = cells_of(grid(budgets_tokens=(2048,), learning_rates=("1x",)))
    assert [run.run_id for run in plan(cell.config)] == [run.run_id for run in plan(tiny_study())]


def test_a_study_without_lists_is_one_cell_in_the_folder_of_its_budget() -> None:
    (cell,) = cells_of(tiny_study())
    assert cell.config == tiny_study() and cell.folder(Workspace("w")) == Workspace("w").study("tiny", 2048)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget_tokens": 4096}, "`budgets_tokens` are given; leave `budget_tokens` out"),
        ({"sizes": ("0.3M",)}, "`sizes` are given; leave `size` out"),
        ({"sizes": ("0.1M", "0.2M")}, "unknown size `0.2M`"),
        ({"budgets_tokens": (2048, 2050)}, "a value is there twice"),
        ({"budgets_tokens": (2048, 255)}, "below one optimiser step"),
        ({"budgets_tokens": ()}, "at least 1"),
        ({"budgets_tokens": None}, "is missing"),
        ({"learning_rates": (0.0,)}, "not a rate"),
        ({"learning_rates": ("0x",)}, "not a rate"),
        ({"learning_rates": ("twice",)}, "such as 2x"),
        (
            {"learning_rates": (0.1,), "training": TINY.model_copy(update={"peak_learning_rate": 0.1})},
            r"leave `training\.peak_learning_rate` out",
        ),
    ],
)
def test_lists_that_make_no_grid_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        grid(**changes)


def test_a_file_lists_what_it_would_otherwise_give_once(tmp_path: Path) -> None:
    values = tiny_study().model_dump(mode="json", exclude={"budget_tokens", "size"})
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({**values, "budgets_tokens": [2048, 1100], "sizes": ["0.1M"], "learning_rates": ["2x"]}))
    config = load_yaml(path, StudyConfig)
    assert (config.budgets_tokens, config.budget_tokens, config.size) == ((2048, 1024), 2048, "0.1M")
    assert checked(StudyConfig, config.model_dump()) == config
    path.write_text(json.dumps({**values, "budgets_tokens": "many"}))
    with pytest.raises(ConfigError, match=r"study\.yaml:1: `budgets_tokens`"):
        load_yaml(path, StudyConfig)


def test_every_cell_says_what_its_study_alone_would_say(own: World, found: GridResult) -> None:
    before = files(own.workspace)
    for cell, budget in zip(found.cells, BUDGETS, strict=True):
        alone = run_study(tiny_study(name="alone", budget_tokens=budget), own.workspace)
        assert cell.result is not None and cell.result.comparison.to_dict() == alone.comparison.to_dict()
        assert (cell.budget_tokens, cell.result.losses.equals(alone.losses)) == (budget, True)
    assert files(own.workspace) == before
    written = json.loads((own.workspace.grid("grid") / "grid.json").read_text())
    assert [cell["cell"] for cell in written["cells"]] == ["2048", "1024"]
    assert set(found.to_frame()["budget_tokens"]) == set(BUDGETS)
    with pytest.raises(ConfigError, match=r"several sizes, budgets, rates or decays: dq\.run_grid"):
        run_study(grid(), own.workspace)


def test_tokens_are_looked_up_on_the_baselines_budgets_and_shown(own: World, found: GridResult, tmp_path: Path) -> None:
    (worth,) = found.equivalences
    assert worth.listed == {} and worth.found.tokens == (1024.0, 2048.0)
    assert [(one.variant, one.tokens, one.n_seeds) for one in worth.found.variants] == [
        ("curated", 1024.0, 3),
        ("curated", 2048.0, 3),
    ]
    neutral = found.cells[0].result.comparison.variants[0].neutral  # type: ignore[union-attr]
    assert worth.found.losses[1] == pytest.approx(neutral.baseline_bits_per_byte)
    assert worth.found.variants[1].loss == pytest.approx(neutral.bits_per_byte)
    path = tmp_path / "study.yaml"
    path.write_text(grid().model_dump_json(exclude={"budget_tokens"}))
    shown = run_dq("ablate", path, "--workspace", own.workspace.root)
    assert "variant tokens worth in raw curated 1,024" in " ".join(shown.stdout.split())
    (compared,) = compare_workspace(own.workspace, only="grid")
    (group,) = compared.groups
    assert group.equivalence == worth.found and [cell.n_tokens for cell in group.budgets] == [1024.0, 2048.0]
    for cell, budget in zip(found.cells[::-1], group.budgets, strict=True):
        (judged,), (said,) = cell.result.comparison.variants, budget.found.differences  # type: ignore[union-attr]
        assert (said.outcome, said.interval) == (judged.verdict.outcome, judged.verdict.interval)
        assert (said.difference, said.n_seeds) == (judged.neutral.difference, 3)
    with pytest.raises(ConfigError, match="unknown study `gird`; did you mean `grid`"):
        compare_workspace(own.workspace, only="gird")
    page = (own.workspace.grid("grid") / "report/index.html").read_text()
    assert 'id="figure-equivalence"' in page and worth.found.variants[0].in_words in page


def test_a_grid_that_grows_trains_nothing_again_and_says_what_was_added(own: World, found: GridResult) -> None:
    before = files(own.workspace)
    more = grid(
        budgets_tokens=(*BUDGETS, 1536),
        seeds=4,
        variants={"raw": Raw(), "curated": Curated(), "noise": TokenNoise(dose=1.0)},
    )
    todo = {cell.cell: cell.runs - cell.runs_done for cell in forecast_grid(more, own.workspace, workers=2).cells}
    assert todo == {"2,048 tokens": 6, "1,024 tokens": 6, "1,536 tokens": 12}
    grown = run_grid(more, own.workspace, executor=LocalExecutor(2))
    assert files(own.workspace).items() > before.items()
    assert grown.changes == ("cells 1536 were added",) and found.changes == ()
    for old, new in zip(found.cells, grown.cells, strict=False):
        assert old.result is not None and new.result is not None
        assert set(old.result.runs) < set(new.result.runs)
        assert new.result.registered.changes == ("variants noise were added", "seeds was 3, is 4")


def test_a_cell_that_diverges_is_an_outcome_and_the_others_have_theirs(own: World, tmp_path: Path) -> None:
    config = grid(name="rates", budgets_tokens=(2048,), learning_rates=("1x", 1e30), seeds=1)
    path = tmp_path / "study.yaml"
    path.write_text(config.model_dump_json(exclude={"budget_tokens"}))
    done = run_dq("ablate", path, "--workspace", own.workspace.root)
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "2,048 1e30 curated diverged" in words
    assert "2,048 tokens, rate 1e30: 2 of 2 runs diverged" in words
    assert "2,048 1x curated" in words and "controls: 0 of 1 passed" in words
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    page = (own.workspace.grid("rates") / "report/index.html").read_text()
    assert "../2048-rate1x/report/index.html" in page and "../2048-rate1e" not in page
    assert not (own.workspace.study("rates", 2048, "rate1e30") / "comparison.json").exists()


def test_runs_and_spreads_of_several_budgets_are_told_apart(own: World, found: GridResult) -> None:
    (run,) = [one for one in found.cells[1].result.runs if one.startswith("raw") and "seed0" in one]  # type: ignore[union-attr]
    shown = run_dq("runs", own.workspace.root).stdout
    assert shown.splitlines()[1].split()[:3] == ["run", "done", "of"]
    (line,) = [
        line for line in shown.splitlines() if line.startswith(run[:20]) and " 1,024 " in line and "seed0" in line
    ]
    assert "100%" in line and max(map(len, shown.splitlines())) <= 80
    assert set(BUDGETS) <= {one.budget_tokens for one in noise_of_workspace(own.workspace) if one.study == "grid"}


def test_looks_stop_each_cell_for_itself(own: World) -> None:
    """Noise in all tokens is worse at once at the larger budget; a cell that is undecided goes on alone."""
    config = grid(
        name="looks",
        looks=(3, 4),
        seeds=4,
        variants={"raw": Raw(), "noise": TokenNoise(dose=1.0)},
        margin_bits_per_byte=1e-6,
    )
    result = run_grid(config, own.workspace, executor=LocalExecutor(2))
    path = own.workspace.root.parent / "looks.yaml"
    path.write_text(config.model_dump_json(exclude={"budget_tokens"}))
    foretold = run_dq("ablate", path, "--workspace", own.workspace.root, "--dry-run")
    assert "seeds: looks at 3, 4; margin 1e-06 bits per byte" in foretold.stdout.splitlines()
    for cell in result.cells:
        assert cell.result is not None
        (one,) = cell.result.comparison.variants
        decided_early = one.neutral.n_seeds == 3 and one.next_look is None
        assert cell.result.losses["seed"].n_unique() == (3 if decided_early else 4)
