"""Rules about addresses: which entry of which list blocks what, in files and in jobs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dq.config import load_yaml
from dq.errors import ConfigError, InputError
from dq.executors import LocalExecutor
from dq.files import filter_files
from dq.quality import RuleSet
from dq.quality.urls import UrlRules
from dq.stages.base import View
from dq.stages.signals import score_documents
from dq.stages.verdicts import judge
from dq.store import Workspace
from tests.command import run_dq
from tests.jobs.texts import write_jsonl
from tests.stages.test_heldout import corpus_of

RULES = UrlRules(
    hosts=("www.a.com",),
    domains=("bad.org", "co.uk"),
    addresses=("http://x.y/Z",),
    words=("casino", "two words"),
    soft_words=("bet", "spin"),
    subwords=("p0ker",),
)


@pytest.mark.parametrize(
    ("url", "entries"),
    [
        ("http://www.a.com/q", ["url_host: www.a.com"]),
        ("http://shop.www.a.com/q", []),
        ("https://u:p@shop.BAD.org:80/x", ["url_domain: bad.org"]),
        ("//bad.org.", ["url_domain: bad.org"]),
        ("x.co.uk", ["url_domain: co.uk"]),
        ("http://notbad.org/bad.org", []),
        ("http://x.y/Z", ["url_address: http://x.y/Z"]),
        ("http://x.y/z", []),
        ("http://n.com/Casino-games", ["url_word: casino"]),
        ("http://n.com/casinos", []),
        ("http://n.com/bet-bet", []),
        ("http://n.com/spin/bet", ["url_soft_words: spin bet"]),
        ("http://n.com/p-0-ker/twowords", ["url_word: twowords", "url_subword: p0ker"]),
        ("http://[::1]:80/x", []),
        ("http://[::1", []),
        ("http://u@p@bad.org/", ["url_domain: bad.org"]),
        ("http://bad.org\\@n.com/", ["url_domain: bad.org"]),
        (" http:///b\tad.org\n", ["url_domain: bad.org"]),
        ("http://b%61%44.org/", ["url_domain: bad.org"]),
        ("http://shop%2ebad.org%2E/", ["url_domain: bad.org"]),
        ("http://%EF%BC%A2ad.org/", ["url_domain: bad.org"]),
        ("http://%2562ad.org/", []),
        ("http://u%40bad.org@n.com/b%61d.org", []),
        ("http://n.com/@bad.org", []),
        ("http://n.com/../bad.org/\0casino", ["url_word: casino"]),
        ("http://" + "a." * 400_000 + "bad.org/", ["url_domain: bad.org"]),
        ("http://" + "ü" * 1_000_000, []),
        ("", []),
        (None, []),
    ],
)
def test_every_list_blocks_what_it_says_and_names_the_entry(url: str | None, entries: list[str]) -> None:
    found = RULES.judge(pl.Series([url], dtype=pl.String))
    assert found.row(0) == ([one.partition(":")[0] for one in entries], entries)


def test_international_domains_are_the_same_in_either_spelling() -> None:
    rules = UrlRules(domains=("Bücher.example", "xn--fiqs8s"))
    books = ["http://a.bücher.example/", "http://xn--bcher-kva.example", "http://B%C3%BCcher.example./"]
    assert rules.judge(pl.Series([*books, "http://新.中国/", "http://bucher.example/"]))["entries"].to_list() == [
        *[["url_domain: xn--bcher-kva.example"]] * 3,
        ["url_domain: xn--fiqs8s"],
        [],
    ]


def test_lists_are_read_from_files_without_comments(tmp_path: Path) -> None:
    (tmp_path / "blocked.txt").write_text("# ours\n\nBad.Example\n")
    rules = UrlRules(domains=(f"file:{tmp_path / 'blocked.txt'}",))
    assert rules.judge(pl.Series(["http://a.bad.example/", "http://ours/"]))["reasons"].to_list() == [
        ["url_domain"],
        [],
    ]
    before = rules.identity()
    (tmp_path / "blocked.txt").write_text("other.example\n")
    assert rules.identity() != before
    with pytest.raises(InputError, match="a list of the rules"):
        UrlRules(words=(f"file:{tmp_path / 'gone.txt'}",)).identity()


def test_rules_that_block_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "urls.yaml").write_text("field: link\n")
    with pytest.raises(ConfigError, match="nothing is blocked"):
        load_yaml(tmp_path / "urls.yaml", UrlRules)


ROWS = [
    {"id": "a", "text": "Good text.", "url": "http://good.org/"},
    {"id": "b", "text": "Other text.", "url": "http://www.bad.org/"},
    {"id": "c", "text": "Third text."},
]


@pytest.mark.parametrize("kept", ["kept.jsonl", "kept"])
def test_files_are_divided_by_addresses(kept: str, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "docs.jsonl", ROWS)
    rules = RuleSet(name="urls", rules=(), urls=RULES)
    done = filter_files([str(source)], rules, kept=tmp_path / kept, dropped=tmp_path / "dropped")
    assert done.kept == 2
    assert done.by_rule.filter(pl.col("dropped") > 0).select("reason", "dropped", "alone").rows() == [
        ("url_domain", 1, 1)
    ]
    dropped = pl.read_parquet(tmp_path / "dropped" / "00000.parquet").row(0, named=True)
    assert (dropped["id"], dropped["reasons"], dropped["entries"]) == ("b", ["url_domain"], ["url_domain: bad.org"])


def test_a_job_judges_addresses_and_judges_again_when_a_list_changes(tmp_path: Path) -> None:
    corpus_of(tmp_path, ROWS)
    view = View(Workspace(tmp_path))
    score_documents(view, ["word_count"], executor=LocalExecutor())
    (tmp_path / "list.txt").write_text("bad.org")
    rules = RuleSet(name="r", rules=(), urls=UrlRules(domains=(f"file:{tmp_path / 'list.txt'}",)))
    first = judge(view, rules, executor=LocalExecutor())
    assert first.table()["reasons"].to_list() == [[], ["url_domain"], []]
    assert first.rules == rules
    (tmp_path / "list.txt").write_text("good.org")
    assert judge(view, rules, executor=LocalExecutor()).keep.tolist() == [False, True, True]


def test_the_command_takes_them_alone_or_beside_a_preset(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "docs.jsonl", ROWS)
    (tmp_path / "urls.yaml").write_text("domains: [bad.org]\n")
    done = run_dq("filter", "docs.jsonl", "--urls", "urls.yaml", "-o", "kept", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["kept"] == 2, done.stderr
