"""Wrong configurations: every fault is one line that names file, line, field and remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.config import StrictModel, load_yaml
from dq.errors import ConfigError
from dq.jobs import JobConfig
from dq.quality import load_rules
from dq.study import StudyConfig

INPUT = "input:\n  - path: a.jsonl\n"
STUDY = """\
budget_tokens: 300_000
margin_bits_per_byte: 0.01
variants:
  raw: {kind: raw}
  Repeated:
    kind: repeated
    epochs: 4
"""


class Scalars(StrictModel):
    """One field of each kind that YAML can write."""

    word: str | None = None
    number: float | None = None
    whole: int | None = None
    flag: bool | None = None
    choice: int | str | None = None
    mode: Literal["a", "b"] = "a"
    pairs: tuple[tuple[str, int], ...] = ()


def refused(folder: Path, content: str | bytes, model: type[StrictModel] = JobConfig) -> tuple[int, str]:
    """The line and the message of the error; checks that it is one line that begins with file and line."""
    path = folder / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, model)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) - len(str(path)) < 300
    found = re.fullmatch(re.escape(str(path)) + r":(\d+): (.+)", message)
    assert found is not None, message
    return int(found[1]), found[2]


def loaded(folder: Path, content: str) -> Scalars:
    path = folder / "c.yaml"
    path.write_text(content, "utf-8")
    return load_yaml(path, Scalars)


def test_a_valid_file_becomes_the_model(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("workspace: w\n" + INPUT + "    source: no\nread: {shard_rows: 1_000}\n")
    job = load_yaml(path, JobConfig)
    assert (job.workspace, job.input[0].path, job.input[0].source, job.read.shard_rows) == ("w", "a.jsonl", "no", 1000)


@pytest.mark.parametrize(
    ("model", "text", "line", "message"),
    [
        (JobConfig, "wrkspace: w\n" + INPUT, 1, "unknown key `wrkspace`; did you mean `workspace`?"),
        (JobConfig, INPUT + "    sourc: x\n", 3, "unknown key `input.0.sourc`; did you mean `source`?"),
        (
            JobConfig,
            INPUT + "  - path: b\n    idfield: x\n",
            4,
            "unknown key `input.1.idfield`; did you mean `id_field`?",
        ),
        (
            JobConfig,
            INPUT + "dedup:\n  keep: longest\n  ngrams: 5\n",
            5,
            "unknown key `dedup.ngrams`; did you mean `ngram`?",
        ),
        (
            JobConfig,
            INPUT + "heldout:\n  neutral:\n    - name: x\n      input:\n        - {sample: news, txt_field: y}\n",
            7,
            "unknown key `heldout.neutral.0.input.0.txt_field`; did you mean `text_field`?",
        ),
        (
            StudyConfig,
            STUDY.replace("epochs", "epochss"),
            7,
            "unknown key `variants.Repeated.epochss`; did you mean `epochs`?",
        ),
        (
            StudyConfig,
            STUDY.replace("{kind: raw}", "{kind: raw, dos: 1}"),
            4,
            "unknown key `variants.raw.dos`; there are kind, when_short",
        ),
        (
            StudyConfig,
            STUDY + "training:\n\n  # rate\n  contxt: 8\n",
            11,
            "unknown key `training.contxt`; did you mean `context`?",
        ),
        (
            StudyConfig,
            STUDY + "controls: {unigram: 1}\n",
            8,
            "unknown key `controls.unigram`; did you mean `unigram_margin`?",
        ),
        (JobConfig, STUDY, 3, "`variants`: this is a study, not a job; `dq ablate` is its command"),
        (StudyConfig, "# job\n" + INPUT, 2, "`input`: this is a job, not a study; `dq run` is its command"),
    ],
)
def test_an_unknown_key_names_its_line_and_the_nearest_or_all_keys_of_its_own_place(
    tmp_path: Path, model: type[StrictModel], text: str, line: int, message: str
) -> None:
    assert refused(tmp_path, text, model) == (line, message)


def test_a_variant_may_be_named_like_a_kind_or_a_class(tmp_path: Path) -> None:
    text = STUDY.replace("Repeated:", "repeated:").replace("epochs: 4", "epochs: 4\n    repeated: 1")
    assert refused(tmp_path, text, StudyConfig) == (
        8,
        "unknown key `variants.repeated.repeated`; there are base, counts, epochs, kind, pool_tokens, when_short",
    )


def test_an_unknown_key_is_named_before_the_missing_one_that_it_causes(tmp_path: Path) -> None:
    assert refused(tmp_path, STUDY.replace("budget_tokens", "budget_token"), StudyConfig)[1].startswith(
        "unknown key `budget_token`; did you mean `budget_tokens`?"
    )


@pytest.mark.parametrize(
    ("model", "text", "line", "message"),
    [
        (JobConfig, "workspace: w\n", 1, "`input` is missing"),
        (JobConfig, INPUT + "heldout:\n  neutral:\n  - input: [{path: b}]\n", 5, "`heldout.neutral.0.name` is missing"),
        (
            StudyConfig,
            STUDY.replace("    epochs: 4\n", ""),
            5,
            "`variants.Repeated`: give exactly one of `epochs`, `pool_tokens` and `counts`",
        ),
        (
            StudyConfig,
            STUDY.replace("kind: repeated", "kind: repeted"),
            6,
            "`variants.Repeated.kind`: unknown kind `repeted`; did you mean `repeated`?",
        ),
        (StudyConfig, STUDY.replace("    kind: repeated\n", ""), 5, "`variants.Repeated.kind` is missing"),
        (JobConfig, "input: a.jsonl\n", 1, "`input`: not a list; write [a.jsonl]"),
        (JobConfig, "input: []\n", 1, "`input`: Tuple should have at least 1 item after validation, not 0"),
        (
            JobConfig,
            INPUT + "read: {shard_rows: many}\n",
            3,
            "`read.shard_rows`: Input should be a valid integer (got 'many')",
        ),
        (
            JobConfig,
            INPUT + "read: {shard_rows: true}\n",
            3,
            "`read.shard_rows`: Input should be a valid integer (got True)",
        ),
        (
            JobConfig,
            INPUT + "read:\n  shard_rows: 0\n",
            4,
            "`read.shard_rows`: Input should be greater than or equal to 1 (got 0)",
        ),
        (
            JobConfig,
            INPUT + "read:\n  max_bad_fraction: 1.01\n",
            4,
            "`read.max_bad_fraction`: Input should be less than or equal to 1 (got 1.01)",
        ),
        (
            StudyConfig,
            STUDY.replace("epochs: 4", "epochs: 0"),
            7,
            "`variants.Repeated.epochs`: Input should be greater than or equal to 1 (got 0)",
        ),
        (StudyConfig, STUDY + "pool: no\n", 8, "`pool`: Input should be a valid boolean (got 'no')"),
        (
            JobConfig,
            "workspace: w\ninput:\n- path: b\n  sample: news\n",
            4,
            "`input.0.sample`: give exactly one of `path` and `sample`",
        ),
        (
            StudyConfig,
            STUDY + "baseline: row\n",
            8,
            "`baseline`: unknown variant `row`; did you mean `raw`?",
        ),
        (
            JobConfig,
            "\n\n" + INPUT + "quality: {preset: gopher}\n",
            5,
            "`quality.preset`: unknown preset `gopher`; did you mean",
        ),
    ],
)
def test_a_wrong_value_names_its_line_its_field_and_what_is_expected(
    tmp_path: Path, model: type[StrictModel], text: str, line: int, message: str
) -> None:
    at, said = refused(tmp_path, text, model)
    assert (at, said[: len(message)]) == (line, message)


def test_an_unknown_kind_of_variant_lists_the_kinds(tmp_path: Path) -> None:
    line, message = refused(tmp_path, STUDY.replace("kind: repeated", "kind: dup"), StudyConfig)
    assert line == 6
    assert message.startswith("`variants.Repeated.kind`: unknown kind `dup`; there are curated, mixed, noisy, ")


def test_a_member_of_a_plain_union_is_no_key_of_the_file(tmp_path: Path) -> None:
    assert refused(tmp_path, "word: x\nchoice: [1]\n", Scalars)[0] == 2
    assert refused(tmp_path, "choice: 0.5\n", Scalars)[1].startswith("`choice`: ")
    assert refused(tmp_path, "pairs:\n- [a, 1]\n- [a, b]\n", Scalars)[:1] == (3,)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "No", "YES"])
def test_a_word_that_was_a_boolean_in_old_yaml_is_a_word(tmp_path: Path, word: str) -> None:
    assert loaded(tmp_path, f"word: {word}\n").word == word


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("FALSE", False), ("~", None), ("null", None), ("", None)],
)
def test_booleans_and_nulls_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: bool | None) -> None:
    assert loaded(tmp_path, f"flag: {text}\n").flag is value


@pytest.mark.parametrize(
    ("text", "value"),
    [("017", 17), ("0o17", 15), ("0x1F", 31), ("-3", -3), ("+4", 4), ("300_000", 300_000), ("1_0_0", 100)],
)
def test_integers_are_decimal_unless_they_say_otherwise(tmp_path: Path, text: str, value: int) -> None:
    assert loaded(tmp_path, f"whole: {text}\n").whole == value


@pytest.mark.parametrize("text", ["1e3", "1E+3", "1000.", "1000", "1_000", "+1000.0", "100000.0e-2"])
def test_a_number_may_be_written_in_several_ways(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, f"number: {text}\n").number == 1000.0


@pytest.mark.parametrize(
    "text", ["12:30:45", "2024-01-31", "0b11", "_1", "1_", "1__0", "=", "<<", "0o8", "+", ".", "1e"]
)
def test_what_is_no_number_of_the_core_schema_is_a_word(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, f"word: {text}\n").word == text


@pytest.mark.parametrize("text", ["'1'", '"true"', "|-\n  null"])
def test_what_is_quoted_is_a_word(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, f"word: {text}\n").word in ("1", "true", "null")


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, text: str) -> None:
    line, message = refused(tmp_path, f"word: x\nnumber: {text}\n", Scalars)
    assert (line, message) == (2, f"{text} is not a number that a setting can have")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        (INPUT + "    path: b\n", 3, "key `path` is written twice, first on line 2"),
        ("read: {shard_rows: 1, shard_rows: 2}\n", 1, "`shard_rows` is written twice"),
        ("workspace: &w x\n" + INPUT, 1, "anchors and aliases (&w) are not read"),
        (INPUT + "workspace: *w\n", 3, "anchors and aliases (*w) are not read"),
        ("a: &a [x]\nb: &b [*a, *a]\n", 1, "not read"),
        ("workspace: !!str x\n", 1, "tags (tag:yaml.org,2002:str) are not read"),
        ("workspace: !mine:int 5\n", 1, "tags (!mine:int) are not read"),
        (
            "\ninput: !!python/object/apply:os.system [ls]\n",
            2,
            "tags (tag:yaml.org,2002:python/object/apply:os.system)",
        ),
        ("? [a]\n: b\n", 1, "a key must be one word"),
        ("%YAML 1.1\n---\nworkspace: yes\n", 2, "only YAML 1.2 is read"),
        (INPUT + "---\nworkspace: x\n", 4, "a second document begins"),
        ("", 1, "expected `key: value` lines"),
        ("# only a comment\n", 1, "expected `key: value` lines"),
        ("- a\n", 1, "expected `key: value` lines"),
        ("just words\n", 1, "expected `key: value` lines"),
        ("a: [1\nb: 2\n", 2, "not valid YAML: expected ',' or ']'"),
        ("a:\n\t- b\n", 2, "not valid YAML: found character '\\t'"),
        ("x: y\na: b: c\n", 2, "not valid YAML: mapping values are not allowed here"),
        ("x: y\na: 'b\n", 3, "not valid YAML: found unexpected end of stream"),
        ("x: y\na: \x07\n", 2, "not valid YAML: unacceptable character #x0007"),
        ('x: y\na: "\\ud800"\n', 2, "a lone surrogate is not a character"),
        ('"a\\n\\x1b[31mb": 1\n', 1, "unknown key `a  [31mb`"),
        (f"{INPUT}read: {'x' * 100_000}\n", 3, "`read`: Input should be an object (got 'xxx"),
        (f"{'k' * 1000}: 1\n", 1, "unknown key `kkk"),
        (f"{INPUT}read: {{shard_rows: {'9' * 5000}}}\n", 3, "999... is not a number that a setting can have"),
        ("a: " + "[" * 400 + "\n", 1, "nested more than 32 levels deep"),
        ("a: " + "{b: " * 50 + "1" + "}" * 50, 1, "nested more than 32 levels deep"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(tmp_path: Path, text: str, line: int, part: str) -> None:
    at, message = refused(tmp_path, text)
    assert at == line
    assert part in message


def test_both_sides_of_the_depth_limit(tmp_path: Path) -> None:
    assert "nested" not in refused(tmp_path, "word: " + "[" * 31 + "]" * 31 + "\n", Scalars)[1]
    assert "nested more than 32" in refused(tmp_path, "word: " + "[" * 32 + "]" * 32 + "\n", Scalars)[1]


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    assert refused(tmp_path, b"a: 1\nworkspace: \xff\n") == (2, "not UTF-8 at byte 16; save the file as UTF-8")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfword: a\r\nwhole: 2\r\n")
    assert load_yaml(path, Scalars) == Scalars(word="a", whole=2)


def test_a_missing_a_huge_and_an_unreadable_file_are_one_line(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    huge.write_text("# filler\n" * 30_000)
    for path, part in [
        (tmp_path / "none.yaml", "no such file; `dq recipes list` shows"),
        (huge, "larger than 200,000 bytes"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_yaml(path, JobConfig)
        assert str(caught.value).startswith(f"{path}: {part}")
        assert "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(text=st.text("ab:-[]{}#&*!|>'\"%@`?, \n\t0.~é", max_size=40))
def test_no_text_whatever_ends_in_anything_but_a_model_or_one_line(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, "utf-8")
    try:
        load_yaml(path, Scalars)
    except ConfigError as error:
        assert str(error).isprintable()
        assert str(error).startswith(f"{path}:")


@settings(max_examples=50, deadline=None)
@given(
    word=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30),
    whole=st.integers(-(10**12), 10**12),
)
def test_quoted_words_and_integers_come_back_as_written(
    word: str, whole: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_text(f"word: '{word.replace(chr(39), chr(39) * 2)}'\nwhole: {whole}\n", "utf-8")
    assert load_yaml(path, Scalars) == Scalars(word=word, whole=whole)


FULL_STUDY = """name: s
budget_tokens: 300_000
margin_bits_per_byte: 0.02
variants:
  raw: {kind: raw}
  curated: {kind: curated}
seeds: 3
size: 0.3M
baseline: raw
"""
FULL_JOB = """workspace: w
input:
  - path: x.jsonl
quality:
  preset: c4
  rules:
    - signal: word_count
      minimum: 5
      reason: short
clean:
  - version: tidy
    cleaner: c4_lines
texts:
  trained: tidy
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "line"),
    [
        (FULL_STUDY, "size: 0.3M", "size: 2M", 8),
        (FULL_STUDY, "baseline: raw", "baseline: rw", 9),
        (FULL_STUDY, "seeds: 3", "shares: {a: 0.5}", 7),
        (FULL_STUDY, "  curated: {", "  control-x: {", 6),
        (FULL_STUDY, "seeds: 3", "training:\n  batch_windows: 4\n  microbatch_windows: 3", 9),
        (FULL_JOB, "signal: word_count", "signal: wordcount", 7),
        (FULL_JOB, "reason: short", "reason: too_few_sentences", 9),
        (FULL_JOB, "cleaner: c4_lines", "cleaner: c4_line", 12),
        (FULL_JOB, "trained: tidy", "trained: tidi", 14),
        (FULL_JOB, "cleaner: c4_lines", "cleaner: c4_lines\n    of: tidi", 13),
        (FULL_JOB, "  - path: x.jsonl", "  - path: x.jsonl\n    sample: news", 4),
    ],
)  # fmt: skip
def test_a_fault_between_fields_names_the_line_of_the_one_to_change(
    tmp_path: Path, text: str, old: str, new: str, line: int
) -> None:
    assert old in text
    (tmp_path / "x.yaml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=f"x.yaml:{line}: "):
        load_yaml(tmp_path / "x.yaml", StudyConfig if text is FULL_STUDY else JobConfig)


def test_a_rule_of_an_unknown_signal_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nrules:\n  - reason: a\n    minimum: 1\n    signal: wordcount\n")
    with pytest.raises(ConfigError, match=r"r.yaml:5: .*did you mean `word_count`"):
        load_rules(tmp_path / "r.yaml")
