"""Folders sent to a dataset repository: whole, once, private, with faults, and without a word of the token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dq.corpus.places import patience
from dq.errors import ConfigError, DqError, InputError, WorkspaceError
from dq.files.filter import filter_files
from dq.files.sent import send
from dq.quality import Rule, RuleSet
from tests.command import run_dq
from tests.files.hub import TOKEN, Hub, served

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of the library's own requests
TO = "hf://datasets/me/words"
RULES = RuleSet(name="r", rules=(Rule(signal="word_count", minimum=2, reason="few"),))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.01))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # which asks a server of its own
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with served() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.endpoint)
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("hub")
    lines = [json.dumps({"id": str(n), "text": f"Some words {n}."}) for n in range(20)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    filter_files([str(tmp_path / "in.jsonl")], RULES, kept=tmp_path / "kept")
    return tmp_path / "kept"


def contents(folder: Path) -> dict[str, bytes]:
    own = ("stage.json", ".lock", "quarantined.jsonl")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in own}


def test_a_folder_is_sent_whole_in_one_commit_to_a_private_repository_and_once(hub: Hub, folder: Path) -> None:
    dry = send(folder, TO, dry_run=True)
    assert hub.repositories == {} and hub.puts() == 0
    done = send(folder, TO)
    assert done == dry and done.private is True and done.sent == done.files > 0
    repository = hub.repositories["me/words"]
    assert repository.private and len(repository.commits) == 2
    assert {**repository.files, ".gitattributes": b""} == {**contents(folder), ".gitattributes": b""}
    sent = hub.puts()
    again = send(folder, TO)
    assert (again.sent, again.deleted) == (0, 0)
    assert hub.puts() == sent and len(repository.commits) == 2


def test_public_is_said_or_refused(hub: Hub, folder: Path) -> None:
    send(folder, TO, public=True)
    assert not hub.repositories["me/words"].private
    with pytest.raises(WorkspaceError, match="is public; say that this is meant: `public`"):
        send(folder, TO)
    with pytest.raises(ConfigError, match="a bucket, whose owner says"):
        send(folder, "s3://bucket/words", public=True)


def test_other_things_stay_unless_they_are_to_be_replaced_and_then_the_repository_is_the_folder(
    hub: Hub, folder: Path
) -> None:
    send(folder, TO)
    repository = hub.repositories["me/words"]
    repository.files |= {"old.parquet": b"x", "00000.parquet": b"y"}
    with pytest.raises(WorkspaceError, match=r"other things are there: 00000\.parquet, old\.parquet; .*`overwrite`"):
        send(folder, TO)
    assert repository.files["old.parquet"] == b"x" and len(repository.commits) == 2
    done = send(folder, TO, overwrite=True)
    assert (done.sent, done.deleted) == (1, 1)
    assert {name: one for name, one in repository.files.items() if name[0] != "."} == contents(folder)


def test_a_fault_that_passes_costs_nothing_and_one_that_stays_is_gone_on_from(hub: Hub, folder: Path) -> None:
    hub.faults = lambda method, path, before: 500 if method == "PUT" and before == 0 else None
    send(folder, TO)
    assert {name: one for name, one in hub.repositories["me/words"].files.items() if name[0] != "."} == contents(folder)
    hub.repositories.clear()
    sent = hub.puts()
    hub.faults = lambda method, path, before: 500 if "/commit/" in path else None
    with pytest.raises(InputError, match=r"hf://datasets/me/words: cannot be reached: .*500") as caught:
        send(folder, TO)
    assert TOKEN not in str(caught.value) and "\n" not in str(caught.value)
    assert set(hub.repositories["me/words"].files) == {".gitattributes"}
    hub.faults = lambda method, path, before: 400 if "/commit/" in path else None  # and repeats the token
    with pytest.raises(WorkspaceError, match="the hub refuses: ") as refused:
        send(folder, TO)
    assert TOKEN not in str(refused.value) and "a fault for Bearer ..." in str(refused.value)
    hub.faults = None
    send(folder, TO)
    assert hub.puts() == sent  # contents were there already
    assert {name: one for name, one in hub.repositories["me/words"].files.items() if name[0] != "."} == contents(folder)


def test_a_commit_whose_answer_is_lost_was_made_and_one_of_somebody_else_is_not_overwritten(
    hub: Hub, folder: Path
) -> None:
    hub.after_commit = 500
    assert send(folder, TO).sent > 0
    assert len(hub.repositories["me/words"].commits) == 2
    hub.after_commit = None
    repository = hub.repositories["me/words"]
    del repository.files["00000.parquet"]

    def meanwhile(method: str, path: str, before: int) -> None:
        if "/preupload/" in path:
            repository.commits.append("f" * 40)

    hub.faults = meanwhile
    with pytest.raises(WorkspaceError, match=r"the hub refuses: .*A commit has happened since"):
        send(folder, TO)


@pytest.mark.parametrize("token", ["hf_anotherSecretToken", ""])
def test_a_refused_token_is_one_line_that_does_not_show_it(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(DqError) as caught:
        send(folder, TO)
    assert str(caught.value) == f"{TO}: may not be written (401); set HF_TOKEN to a token that may write there"


@pytest.mark.parametrize("address", ["hf://me/words", "hf://datasets/me", "hf://datasets/me/words/x", "hf://datasets/"])
def test_what_is_no_dataset_is_refused_before_anything_is_asked(hub: Hub, folder: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="no dataset; name one as hf://datasets/OWNER/NAME"):
        send(folder, address)
    with pytest.raises(ConfigError, match="is sent a folder"):
        send(folder / "00000.parquet", TO)
    assert hub.asked == []


def test_the_command_tells_what_it_would_do_and_what_it_did(hub: Hub, folder: Path) -> None:
    dry = run_dq("send", str(folder), TO, "--dry-run", cwd=folder.parent)
    assert dry.stdout.startswith(f"{TO}, private: ") and "to send" in dry.stdout and hub.puts() == 0
    done = run_dq("send", str(folder), TO, cwd=folder.parent)
    assert done.returncode == 0 and TOKEN not in done.stdout + done.stderr
    assert "of them sent now" in done.stdout and done.stderr == ""
    told = json.loads(run_dq("send", str(folder), TO, "--json", cwd=folder.parent).stdout)
    assert (told["sent"], told["private"]) == (0, True)
