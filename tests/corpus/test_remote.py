"""Input from a bucket, over HTTP on this machine: what lies there is read as it was listed, or a clear error."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import dq
from dq.config import load_yaml
from dq.corpus import InputSpec, pieces
from dq.corpus.addresses import redacted
from dq.corpus.formats import jsonl as json_lines
from dq.corpus.inputs import find_inputs
from dq.corpus.places import patience, ranges, remote, s3
from dq.corpus.places.remote import filesystem
from dq.errors import ConfigError, DqError, InputError, MissingExtraError, WorkspaceError
from dq.files.sent import send
from dq.jobs import JobConfig
from dq.stages.read import ingest
from dq.store import Workspace
from tests.command import run_dq
from tests.corpus.bucket import ENVIRONMENT, KEY, SECRET, Asked, Bucket, Fault, served
from tests.corpus.files import jsonl, parquet_table, read
from tests.processes import finish

ROWS = [{"id": f"d{n}", "source": "x", "text": f"Some words of document {n}, and {n * n}. " * 30} for n in range(1500)]
LINES, LINE = jsonl(ROWS), jsonl(ROWS[:1])
SIGNED = f"X-Amz-Credential={KEY}&X-Amz-Signature={SECRET}"
RULES = dq.presets.c4()


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with served() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket of this test's own; blocks are small, and nobody waits for long."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.endpoint, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.02, 0.04, 0.08, 0.1))
    for name, size in {"BLOCK_BYTES": 1 << 18, "FIRST_ENDS": (1 << 14, 1 << 16), "LAST_BYTES": 1 << 15}.items():
        monkeypatch.setattr(ranges, name, size)
    server.faults, server.most_at_work = None, 0
    server.empty("/data")
    server.asked.clear()
    return server


def stored(tmp_path: Path, bucket: Bucket) -> Path:
    """The same rows in three kinds of files, on this machine and in the bucket."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(LINES)
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(LINES, mtime=0))
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    pq.write_table(parquet_table(columns), folder / "c.parquet", row_group_size=100, compression="none")
    for path in folder.iterdir():
        bucket.put(f"/data/in/{path.name}", path.read_bytes())
    return folder


def storm(asked: Asked) -> Fault | None:
    """Of every three answers to the same question one is an error and one is cut short."""
    if asked.method != "GET" or not asked.range:
        return Fault(status=500) if asked.number % 5 == 1 else None
    return [Fault(status=503), Fault(keep=1000), None][asked.again % 3]


@pytest.mark.parametrize("own", ["", "{}"], ids=["by botocore", "by s3fs"])
@pytest.mark.parametrize("faults", [None, storm], ids=["calm", "storm"])
def test_files_of_a_bucket_are_filtered_to_the_bytes_of_those_of_this_machine(
    faults: None, own: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path, bucket)
    if own:
        monkeypatch.setenv("FSSPEC_S3", own)
    assert isinstance(remote._reader("s3"), s3.S3) == (not own)
    dq.filter_files([folder], RULES, kept=tmp_path / "local")
    bucket.faults = faults
    dq.filter_files(["s3://data/in"], RULES, kept=tmp_path / "remote")
    names = sorted(path.name for path in (tmp_path / "local").glob("*.parquet"))
    assert names
    for name in names:
        assert (tmp_path / "remote" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    assert len(pl.read_parquet(tmp_path / "remote" / "*.parquet")) == 3 * len(ROWS)


def test_a_bucket_is_read_without_loading_what_takes_a_second(bucket: Bucket) -> None:
    bucket.put("/data/in/a.jsonl", LINES)
    program = """
import sys
from dq.corpus.inputs import find_inputs
(one,) = find_inputs(["s3://data/in"]).files
print(one.file.size, *{"s3fs", "fsspec", "aiohttp", "asyncio"}.intersection(sys.modules))
"""
    assert finish(program).stdout.split() == [str(len(LINES))]


def test_a_profile_that_is_not_there_is_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    done = finish("from dq.cli import main; main()", *("score", "s3://data/a.jsonl", "-o", "scores.parquet"))
    assert done.returncode == 1
    assert re.fullmatch(
        r"dq: s3://data/a.jsonl: may not be read \(.*nobodys.*\); set the credentials .*", done.stderr.strip()
    )


@pytest.mark.parametrize(
    ("path", "bucket", "key"),
    [
        ("data", "data", ""),
        ("data/in/a b.jsonl", "data", "in/a b.jsonl"),
        (
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/in/a",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine",
            "in/a",
        ),
        (
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/mine/a",
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/mine",
            "a",
        ),
    ],
)
def test_a_path_is_a_bucket_or_an_access_point_and_a_key(path: str, bucket: str, key: str) -> None:
    assert s3.split(path) == (bucket, key)


def test_the_read_stage_makes_the_same_shards_and_reads_each_byte_about_once(bucket: Bucket, tmp_path: Path) -> None:
    folder = stored(tmp_path, bucket)
    shards = [read(folder, tmp_path / "local").shards, read("s3://data/in/*", tmp_path / "remote").shards]
    assert [path.read_bytes() for path in shards[0]] == [path.read_bytes() for path in shards[1]]
    for path in folder.iterdir():
        asked = [one.removeprefix("bytes=").split("-") for one in bucket.reads(f"/data/in/{path.name}")]
        fetched = sum(int(end) - int(start) + 1 for start, end in asked)
        assert fetched < 1.2 * path.stat().st_size + (1 << 17)


@pytest.mark.parametrize("n_files", [1, 8])
def test_of_many_files_lines_are_numbered_where_they_are_read_and_each_byte_is_fetched_once(
    n_files: int, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "SHARES", 8)
    monkeypatch.setattr(json_lines, "CHUNK_BYTES", 1 << 16)
    for number in range(n_files):
        bucket.put(f"/data/in/{number}.jsonl", LINES)
    cut = pieces.cut_files(find_inputs(["s3://data/in"]).files, max_bytes=len(LINES) // 4)
    assert len(cut) == (4 if n_files == 1 else 8)
    read = [batch.documents for piece in cut for _, batch in piece.batches(max_document_bytes=1 << 20)]
    assert sum(map(len, read)) == n_files * len(ROWS)
    asked = [one.removeprefix("bytes=").split("-") for one in bucket.reads("/data/in/0.jsonl")]
    fetched = sum(int(end) - int(start) + 1 for start, end in asked) / len(LINES)
    assert fetched < 1.1 if n_files > 1 else fetched > 1.9


def test_a_network_is_waited_for_by_several_requests_at_a_time(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("/data/a.jsonl", LINES)
    bucket.faults = lambda asked: Fault(seconds=0.05) if asked.range else None
    assert len(read("s3://data/a.jsonl", tmp_path / "corpus").documents) == len(ROWS)
    assert bucket.most_at_work >= 3


def test_some_row_groups_of_a_file_are_read_without_the_others(bucket: Bucket, tmp_path: Path) -> None:
    folder = stored(tmp_path, bucket)
    (file,) = (one.file for one in find_inputs(["s3://data/in/c.parquet"]).files)
    bucket.asked.clear()
    with file.open() as opened:
        table = pq.ParquetFile(opened).read_row_group(7)
    assert table.equals(pq.ParquetFile(folder / "c.parquet").read_row_group(7))
    assert len(bucket.reads("/data/in/c.parquet")) <= 8  # of the 20 blocks and more that the file has


def test_a_key_that_changes_or_goes_is_an_error_that_names_it_and_leaves_nothing_finished(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("/data/a.jsonl", LINES)

    def changes(asked: Asked) -> None:
        if asked.range and asked.number == 4:  # of the same size: another text at the same places
            bucket.put("/data/a.jsonl", LINES.replace(b"Some", b"None"))

    def goes(asked: Asked) -> None:
        if asked.range and asked.number == 4:
            bucket.delete("/data/a.jsonl")

    for faults, message in ((changes, "has changed since it was listed"), (goes, "is not there any more")):
        bucket.faults = faults
        bucket.asked.clear()
        with pytest.raises(InputError, match=rf"^s3://data/a.jsonl: {message}"):
            dq.filter_files(["s3://data/a.jsonl"], RULES, kept=tmp_path / "kept")
        assert not (tmp_path / "kept" / "stage.json").exists()
        bucket.faults = None
        bucket.put("/data/a.jsonl", LINES)


def test_a_place_that_cannot_be_reached_is_one_line_and_the_same_command_goes_on(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("/data/a.jsonl", LINES)
    bucket.faults = lambda asked: Fault(status=503) if asked.range and asked.number >= 4 else None
    arguments = ["filter", "s3://data/a.jsonl", "--preset", "c4", "-o", "kept", "--workers", "1"]
    failed = run_dq(*arguments, cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("dq: s3://data/a.jsonl: cannot be reached: ")
    bucket.faults = None
    assert run_dq(*arguments, cwd=tmp_path).returncode == 0
    assert len(pl.read_parquet(tmp_path / "kept" / "*.parquet")) == len(ROWS)


def test_what_was_made_of_a_key_is_found_without_reading_it_until_the_key_changes(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("/data/a.jsonl", LINES)
    dq.filter_files(["s3://data/a.jsonl"], RULES, kept=tmp_path / "kept")
    bucket.asked.clear()
    dq.filter_files(["s3://data/a.jsonl"], RULES, kept=tmp_path / "kept")
    assert set(bucket.reads("/data/a.jsonl")) == {"bytes=0-4095"}  # what kind of file it is
    bucket.put("/data/a.jsonl", LINES.replace(b"Some", b"None"))
    with pytest.raises(WorkspaceError, match="other inputs"):
        dq.filter_files(["s3://data/a.jsonl"], RULES, kept=tmp_path / "kept")


def test_folders_and_patterns_of_a_bucket_mean_what_they_mean_on_this_machine(bucket: Bucket) -> None:
    for name in ("a.jsonl", "x/b.jsonl", "x/y/c.jsonl", "x/[1].jsonl", "x/.hidden.jsonl", "x/_SUCCESS", "x/notes.txt"):
        bucket.put(f"/data/f/{name.replace('[', '%5B').replace(']', '%5D')}", LINE)
    bucket.put("/data/f/")

    def found(entry: str) -> list[str]:
        return [file.name.removeprefix("s3://data/f/") for file in find_inputs([entry]).files]

    assert found("s3://data/f") == found("s3://data/f/") == ["a.jsonl", "x/[1].jsonl", "x/b.jsonl", "x/y/c.jsonl"]
    assert found("s3://data/f/*.jsonl") == ["a.jsonl"]
    assert found("s3://data/*/x/?.jsonl") == ["x/b.jsonl"]
    assert found("s3://data/f/x/[1].jsonl") == ["x/[1].jsonl"]
    assert found("s3://data/f/**/*.jsonl") == ["a.jsonl", "x/[1].jsonl", "x/b.jsonl", "x/y/c.jsonl"]
    assert find_inputs(["s3://data/f"]).left_out == ("s3://data/f/x/.hidden.jsonl", "s3://data/f/x/notes.txt")
    sources = [file.source for file in find_inputs(["s3://data/f/x/", "s3://data/f/a.jsonl"]).files]
    assert sources == ["x", "x", "x", "a"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("s3://data/none.jsonl", "no such file"),
        ("s3://nobody/", "no such file"),
        ("s3://data/*.none", "no such file"),
        ("s3://", "names nothing"),
        ("s3://data/w", "a workspace; name what to read of it, such as s3://data/w/kept"),
        ("s3://data/t.bin", "unknown kind of file"),
    ],
)
def test_addresses_without_documents_are_one_line(entry: str, message: str, bucket: Bucket) -> None:
    for name in ("w/workspace.json", "w/kept/0.jsonl", "t.bin"):
        bucket.put(f"/data/{name}", LINE)
    with pytest.raises(InputError, match=rf"^{entry.replace('*', '.')}: .*{message}"):
        find_inputs([entry])


def test_keys_that_look_like_paths_to_elsewhere_are_names_and_nothing_more(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("/data/f/%2E%2E/%2E%2E/escaped.jsonl", LINE)
    corpus = read("s3://data/f/../../escaped.jsonl", tmp_path / "deep" / "corpus")
    assert len(corpus.documents) > 0
    assert not list(tmp_path.rglob("escaped*"))


def test_no_credential_is_in_what_a_command_writes_or_says(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("/data/a.jsonl", LINES)
    address = f"{bucket.endpoint}/data/a.jsonl?{SIGNED}"
    said = ""
    for entry in (address, "s3://data/a.jsonl"):
        done = run_dq("dedup", entry, "-o", f"out-{entry[0]}", "--json", "--workers", "1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    bucket.faults = lambda asked: Fault(status=403) if asked.number > 2 else None
    for entry in (address, "s3://data/a.jsonl", address.replace("http://", f"http://{KEY}:{SECRET}@")):
        done = run_dq("score", entry, "-o", "scores.parquet", cwd=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()[-1]) > 40
        said += done.stdout + done.stderr
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (KEY, SECRET):
        assert secret not in said
        assert secret.encode() not in written


@pytest.mark.parametrize(
    ("text", "redacted_text"),
    [
        (f"GET https://x.org/a?{SIGNED} failed", "GET https://x.org/a failed"),
        (f"s3://{KEY}:{SECRET}@bucket/a", "s3://bucket/a"),
        (f"https://{KEY}:{SECRET}@x.org/a", "https://x.org/a"),
        ("https://token@x.org/a#b", "https://x.org/a"),
        ("http://x.org:9000/a@b", "http://x.org:9000/a@b"),
        ("abfs://files@account.dfs.core.windows.net/a", "abfs://files@account.dfs.core.windows.net/a"),
        ("hf://datasets/a/b@main/c", "hf://datasets/a/b@main/c"),
        ("s3://bucket/a:b?.jsonl", "s3://bucket/a:b?.jsonl"),
    ],
)
def test_addresses_lose_their_credentials_and_nothing_else(text: str, redacted_text: str) -> None:
    assert redacted(text) == redacted_text


def test_a_missing_backend_is_named_with_the_command_that_installs_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match=r"gcsfs is not installed; run: .*pip install gcsfs"):
        find_inputs(["gs://bucket/a.jsonl"])
    assert InputSpec(path=("s3://b/a.jsonl", "x.jsonl")).own_modules == ("fsspec", "s3fs")


def test_files_of_the_web_are_read_by_ranges_and_a_change_is_seen_without_the_servers_help(
    bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put("/data/a.jsonl.gz", gzip.compress(LINES))
    entry = f"{bucket.endpoint}/data/a.jsonl.gz?{SIGNED}"
    bucket.faults = storm
    corpus = read(entry, tmp_path / "corpus")
    assert len(corpus.documents) == len(ROWS)

    def changes(asked: Asked) -> None:
        if asked.range and asked.number == 1:
            bucket.put("/data/a.jsonl.gz", gzip.compress(LINES.replace(b"Some", b"None")))

    bucket.faults = changes
    bucket.asked.clear()
    with pytest.raises(DqError, match=r"a.jsonl.gz: has changed since it was listed"):
        read(entry, tmp_path / "other")


def test_jobs_take_addresses_as_inputs(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("/data/a.jsonl", LINES)
    (tmp_path / "job.yaml").write_text("workspace: w\ninput:\n  - path: s3://data/a.jsonl\n    source: x\n")
    config = load_yaml(tmp_path / "job.yaml", JobConfig)
    assert {"fsspec", "s3fs"} <= set(config.modules())
    assert len(ingest(tmp_path / "corpus", config.input, config.read).documents) == len(ROWS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["filter", "a.jsonl", "--preset", "c4", "-o", "kept", "--dropped", "s3://data/dropped"],
        ["dedup", "a.jsonl", "-o", "out", "--index", "s3://data/index"],
    ],
    ids=lambda arguments: " ".join(arguments[-2:]),
)
def test_what_is_no_output_is_not_sent_to_an_address(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINE)
    done = run_dq(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"dq: s3://data/.*: an address, .*`dq send`", done.stderr.splitlines()[-1])
    assert not (tmp_path / "s3:").exists()


def made(tmp_path: Path) -> Path:
    """The finished folder of a command, of several files."""
    (tmp_path / "a.jsonl").write_bytes(LINES)
    dq.filter_files([tmp_path / "a.jsonl"], RULES, kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    return tmp_path / "kept"


def test_a_folder_is_sent_whole_and_read_again_from_the_bucket(bucket: Bucket, tmp_path: Path) -> None:
    folder = made(tmp_path)
    arguments = ["send", "kept", "s3://data/first/kept", "--json"]
    first, again = (json.loads(run_dq(*arguments, cwd=tmp_path).stdout) for _ in range(2))
    assert (first["sent"], again["sent"]) == (first["files"], 0)
    assert [Path(one.name).suffix for one in find_inputs(["s3://data/first/kept"]).files] == [".parquet"]
    corpus = read("s3://data/first/kept", tmp_path / "corpus")
    assert corpus.documents["id"].to_list() == pl.read_parquet(folder / "*.parquet")["id"].to_list()


def names_in(folder: str) -> list[str]:
    filesystem("s3").invalidate_cache()
    return list(filesystem("s3").find(folder))


@pytest.mark.parametrize(
    ("arguments", "made", "sent"),
    [
        (["score", "a.jsonl", "--signals", "word_count", "--output", "s3://data/score/s.parquet"], "s.parquet", 1),
        (["filter", "a.jsonl", "--preset", "c4", "--json", "--output=s3://data/filter/kept/"], "kept", 5),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_an_output_in_a_bucket_is_made_here_and_sent(
    arguments: list[str], made: str, sent: int, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    for _ in range(2):  # the second time nothing is left to do
        done = run_dq(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "--json" not in arguments or json.loads(done.stdout)
        assert (tmp_path / made).exists() and len(names_in(f"data/{arguments[0]}")) == sent


@pytest.mark.usefixtures("bucket")
def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    done = run_dq("dedup", "a.jsonl", "-o", "s3://data/dry/kept", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not names_in("data/dry")


def test_where_nothing_can_be_sent_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINE)
    for address, message in [
        ("https://x.org/kept", "nothing is sent there; name a bucket"),
        ("s3://data/..", "name a folder or a file of the bucket"),
        ("hf://kept", "no dataset"),
        ("s3://key:secret@data/kept", "holds a user or a key"),
    ]:
        done = run_dq("filter", "a.jsonl", "--preset", "c4", "-o", address, cwd=tmp_path)
        assert done.returncode > 0 and message in done.stderr and "Traceback" not in done.stderr
        assert "secret" not in done.stderr
        assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]
    done = run_dq("recipes", "copy", "pipelines/quickstart.yaml", "-o", "s3://data/mine", cwd=tmp_path)
    assert done.returncode == 2 and "copied to a folder of this machine" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]


def test_sending_that_was_interrupted_goes_on_and_the_list_of_all_comes_last(bucket: Bucket, tmp_path: Path) -> None:
    made(tmp_path)
    dry = send(tmp_path / "kept", "s3://data/second", dry_run=True)
    assert (dry.files, dry.sent) == (4, 4) and not any(asked.method == "PUT" for asked in bucket.asked)
    bucket.faults = lambda asked: (
        Fault(status=503) if (asked.method, asked.path[-10:]) == ("PUT", "stage.json") else None
    )
    with pytest.raises(InputError, match=r"^s3://data/second: cannot be reached"):
        send(tmp_path / "kept", "s3://data/second")
    with pytest.raises(FileNotFoundError):
        filesystem("s3").info("data/second/sent.json")
    bucket.faults = storm
    assert send(tmp_path / "kept", "s3://data/second").sent == 1
    assert {path.rpartition("/")[2] for path in filesystem("s3").ls("data/second", detail=False)} == {
        "00000.parquet",
        "README.md",
        "croissant.json",
        "stage.json",
        "sent.json",
    }


def test_what_lies_at_an_address_is_replaced_only_when_asked_and_only_what_was_sent(
    bucket: Bucket, tmp_path: Path
) -> None:
    made(tmp_path)
    bucket.put("/data/third/of-somebody-else.txt", b"1")
    with pytest.raises(WorkspaceError, match=r"^s3://data/third: other things are there"):
        send(tmp_path / "kept", "s3://data/third")
    send(tmp_path / "kept", "s3://data/third", overwrite=True)
    send(tmp_path / "dropped", "s3://data/third", overwrite=True)
    names = {path.rpartition("/")[2] for path in filesystem("s3").ls("data/third", detail=False)}
    assert names == {"00000.parquet", "stage.json", "sent.json", "of-somebody-else.txt"}
    assert filesystem("s3").cat_file("data/third/00000.parquet") == (tmp_path / "dropped/00000.parquet").read_bytes()


def test_files_are_sent_and_workspaces_and_unfinished_folders_are_not(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    assert [send(tmp_path / "a.jsonl", "s3://data/fourth/").sent for _ in range(2)] == [1, 0]
    assert filesystem("s3").cat_file("data/fourth/a.jsonl") == LINES
    (tmp_path / "a.jsonl").write_bytes(LINE)
    with pytest.raises(WorkspaceError, match=r"^s3://data/fourth/a.jsonl: another file is there"):
        send(tmp_path / "a.jsonl", "s3://data/fourth/a.jsonl")
    Workspace(tmp_path / "w").create("run")
    with pytest.raises(WorkspaceError, match="a workspace, which stays on this machine; send what is wanted of it"):
        send(tmp_path / "w", "s3://data/w")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "started.json").write_text("{}")
    with pytest.raises(WorkspaceError, match="not finished"):
        send(tmp_path / "begun", "s3://data/w")
    for address in ("https://x.org/a", "s3://", f"s3://{KEY}:{SECRET}@data/a"):
        with pytest.raises(ConfigError) as caught:
            send(tmp_path / "a.jsonl", address)
        assert SECRET not in str(caught.value)
    with pytest.raises(WorkspaceError, match=r"^s3://nobodys-bucket: no such bucket"):
        send(tmp_path / "a.jsonl", "s3://nobodys-bucket/a.jsonl")
