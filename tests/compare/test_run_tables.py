"""Tables of runs: what is wrong in one is named by file, line and column; what may be meant is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq.compare import RunTable, read_runs
from dq.errors import DqError

GOOD = ["N,D,val", "1e6,2e7,4.1", "1e6,4e7,3.9", "2e6,2e7,3.8", "2e6,4e7,3.6", "4e6,8e7,3.2"]
COLUMNS = {"n_params": "N", "n_tokens": "D", "loss": "val"}


def write(folder: Path, lines: list[str], name: str = "runs.csv") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def test_columns_are_mapped_and_others_stay(tmp_path: Path) -> None:
    lines = [GOOD[0] + ",note,n_params"] + [line + ",a,9" for line in GOOD[1:]]
    found = read_runs(write(tmp_path, lines), columns=COLUMNS)
    assert found.frame.columns == ["n_params", "n_tokens", "loss", "note"]
    assert found.frame["n_params"].to_list() == [1e6, 1e6, 2e6, 2e6, 4e6]
    assert found.frame["note"].to_list() == ["a"] * 5
    assert found.warnings == ()


@pytest.mark.parametrize("separator", [";", "\t"])
def test_separators_and_parquet_read_alike(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, [line.replace(",", separator) for line in GOOD])
    found = read_runs(path, columns=COLUMNS).frame
    found.write_parquet(tmp_path / "runs.parquet")
    assert read_runs(tmp_path / "runs.parquet").frame.equals(found)
    assert RunTable.of(found).frame.equals(found)


HEAD = "n_params,n_tokens,loss"
ONE, TWO = "1e6,2e7,4.1", "1e6,4e7,3.9"
BAD = {  # by what the message must say
    "no column `loss`; there are n_params, n_tokens, x; map it: loss=NAME": ["n_params,n_tokens,x", ONE],
    "no column `loss`; there are n_params, n_tokens, L; map it: loss=L": ["n_params,n_tokens,L", ONE],
    "line 3, column `loss`: the value is missing": [HEAD, ONE, "1e6,4e7,"],
    "line 3, column `loss`: the value is infinite or NaN; did the run diverge": [HEAD, ONE, "1e6,4e7,nan"],
    "line 2, column `loss`: the value is infinite or NaN (and 1 more rows)": [HEAD, "1,4,inf", "1,5,-inf"],
    "line 2, column `n_params`: the value is not above 0": [HEAD, "0,4e7,3", ONE],
    "line 2, column `n_tokens`: 'many' is no number": [HEAD, "1,many,3"],
    "line 3, column `n_tokens`: '4_0' is no number": [HEAD, ONE, "1,4_0,3"],
    "line 4: 2 cells where the header names 3": [HEAD, ONE, TWO, "1,2"],
    "no rows of runs": [HEAD],
    "1 trunk and 2 cooled points in one table": [f"{HEAD},kind", f"{ONE},cooled", f"{TWO},cooled", f"{TWO},trunk"],
    "line 2, column `kind`: 'warm' is neither": [f"{HEAD},kind", f"{ONE},warm"],
    "line 2 and line 4: run 'a' has two rows at": [f"{HEAD},run", f"{ONE},a", f"{ONE},b", f"{ONE},a"],
    "the same tokens; they differ in set: choose one, such as a held-out set, by `where` 'set=my web'": [
        f"{HEAD},run,seed,set",
        f"{ONE},a,1,my web",
        f"{ONE},a,2,news",
    ],
    "line 3, column `n_unique`: no value": [f"{HEAD},n_unique", f"{ONE},5", f"{TWO},"],
    "line 2, column `dose`: the value is not a share from 0 to 1": [f"{HEAD},dose", f"{ONE},2"],
    "two columns are called 'x'": ["x,x,y", ONE],
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, message: str) -> None:
    path = write(tmp_path, BAD[message])
    with pytest.raises(DqError) as caught:
        read_runs(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more", b"\xff\xfe\x00", b'n_params,"n_tokens\n1,2'])
def test_files_that_are_no_table_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DqError, match="x: "):
        read_runs(tmp_path / "x")
    with pytest.raises(DqError, match="cannot be read"):
        read_runs(tmp_path)


def test_what_may_be_meant_is_a_warning(tmp_path: Path) -> None:
    same = read_runs(write(tmp_path, [*GOOD, GOOD[2]]), columns=COLUMNS)
    assert "line 3 and line 7 are the same point" in same.warnings[0]
    flat = read_runs(write(tmp_path, [GOOD[0], "1e6,2e7,4.1", "1e6,4e7,3.9"]), columns=COLUMNS)
    assert [text.partition(": ")[2][:9] for text in flat.warnings] == ["2 runs; a", "every run"]
    epochs = read_runs(
        write(tmp_path, [GOOD[0] + ",n_unique,epochs", *(f"{row},1e7,9" for row in GOOD[1:])]), columns=COLUMNS
    )
    assert "line 2: 9 epochs of 1e+07 unique tokens are not 2e+07 tokens (5 such rows)" in epochs.warnings[0]
    assert epochs.frame["epochs"].to_list() == [2, 4, 2, 4, 8]


def test_unique_tokens_follow_from_epochs_and_are_at_most_the_tokens(tmp_path: Path) -> None:
    given = read_runs(write(tmp_path, [GOOD[0] + ",epochs", *(f"{row},4" for row in GOOD[1:])]), columns=COLUMNS)
    assert given.frame["n_unique"].to_list() == [5e6, 1e7, 5e6, 1e7, 2e7]
    more = read_runs(write(tmp_path, [GOOD[0] + ",n_unique", *(f"{row},1e9" for row in GOOD[1:])]), columns=COLUMNS)
    assert more.frame["epochs"].to_list() == [1.0] * 5


def test_conditions_choose_rows(tmp_path: Path) -> None:
    lines = [GOOD[0] + ",seed,variant", *(f"{row},{n},{'raw' if n % 2 else ''}" for n, row in enumerate(GOOD[1:]))]
    path = write(tmp_path, lines)

    def seeds(*where: str) -> list[str]:
        return list(read_runs(path, columns=COLUMNS, where=where).frame["seed"])

    assert seeds("variant=raw") == ["1", "3"]
    assert seeds("val<3.9", "seed >= 3") == ["3", "4"]
    assert seeds("N=1000000") == ["0", "1"]
    for condition, message in {
        "vall<3": "unknown column `vall`; did you mean `val`?",
        "val<x": "'x' is no number",
        "val": "is no condition",
        "val>9": "no row meets val>9",
    }.items():
        with pytest.raises(DqError) as caught:
            seeds(condition)
        assert message in str(caught.value)


def test_a_wrong_mapping_names_the_nearest_column(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(DqError, match="unknown column `vall`; did you mean `val`"):
        read_runs(path, columns={**COLUMNS, "loss": "vall"})
    with pytest.raises(DqError, match="unknown kind of column `n_param`; did you mean `n_params`"):
        read_runs(path, columns={**COLUMNS, "n_param": "N"})


def test_a_frame_of_anything_else_is_one_line() -> None:
    with pytest.raises(DqError, match="`runs` takes a DataFrame, not a dict"):
        RunTable.of({"n_params": [1.0]})  # type: ignore[arg-type]


@pytest.mark.needs_shared
def test_public_tables_are_read(shared: Path) -> None:
    chinchilla = read_runs(shared / "data/runs/chinchilla_besiroglu_245.csv")
    assert len(chinchilla.frame) == 245
    repeated = read_runs(
        shared / "data/runs/datablations_c4_runs.csv",
        columns={"loss": "val_loss_c4", "run": "name"},
        where=["in_fit_set=1"],
    )
    assert (len(repeated.frame), repeated.has("n_unique")) == (182, True)
