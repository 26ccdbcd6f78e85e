"""Languages: labels as the library gives them, stop words, and rules that are chosen by a document's label."""

from __future__ import annotations

import importlib.util
import json
import runpy
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import dq
from dq.errors import ConfigError
from dq.quality import LabelRule, LanguageLabels, RuleByLabel, RuleSet, load_rules, score
from dq.quality.languages import languages
from dq.quality.scorers.files import ModelFile
from dq.quality.signals import LANGUAGE_SIGNALS
from dq.text import split_words
from tests.command import run_dq

ENGLISH = "The people of the town stood on the old bridge and looked at the water that had risen in the night."
GERMAN = "Die Leute aus der Stadt standen auf der alten Brücke und sahen das Wasser, das in der Nacht stieg."
LATIN = "Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae, aliam Aquitani, tertiam Celtae."
TEXTS = [ENGLISH, GERMAN, LATIN, "", " \n ", GERMAN.upper(), "water und night"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of three languages, trained by the library on single words."""
    fasttext = pytest.importorskip("fasttext")
    folder = tmp_path_factory.mktemp("lid")
    lines = [
        f"__label__{label} {word.lower()}"
        for label, text in (("en", ENGLISH), ("de", GERMAN), ("la", LATIN))
        for word in text.split() * 20
    ]
    (folder / "train.txt").write_text("\n".join(lines))
    options = {"dim": 8, "epoch": 15, "lr": 0.5, "minn": 2, "maxn": 4, "bucket": 2000, "thread": 1, "verbose": 0}
    fasttext.train_supervised(str(folder / "train.txt"), **options).save_model(str(folder / "lid.bin"))
    return folder / "lid.bin"


@pytest.mark.needs_tool
def test_label_and_score_are_the_librarys(model: Path) -> None:
    fasttext = pytest.importorskip("fasttext")
    library = fasttext.load_model(str(model))
    found = score(TEXTS, LANGUAGE_SIGNALS, scorers=[LanguageLabels(model)])
    assert found.schema["language"] == pl.String
    assert found["language"].to_list()[:3] == ["en", "de", "la"]
    for text, label, probability in zip(TEXTS, found["language"], found["language_score"], strict=True):
        if not text.strip():
            assert (label, probability) == (None, None)
            continue
        ((theirs, name),) = library.f.predict(text + "\n", 1, 0.0, "strict")
        assert name == f"__label__{label}"
        assert abs(theirs - probability) < 1e-4


@pytest.mark.needs_tool
def test_stop_words_are_those_of_the_documents_own_language(model: Path) -> None:
    of = {code: one.stop_words for one in languages() for code in one.codes}
    found = score(TEXTS, LANGUAGE_SIGNALS, scorers=[LanguageLabels(model)])
    for text, words, label, count in zip(
        TEXTS, split_words(TEXTS), found["language"], found["language_stop_word_count"], strict=True
    ):
        expected = None if label not in of else len({word.lower() for word in words} & set(of[label]))
        assert count == expected, text
    assert found["language_stop_word_count"][1] >= 4
    assert found["language_stop_word_count"].to_list()[2:5] == [None, None, None]


def test_the_table_of_languages_holds_lower_case_words_that_spacy_has() -> None:
    codes = [code for one in languages() for code in one.codes]
    assert len(set(codes)) == len(codes) == 42
    for one in languages():
        assert all(word == unicodedata.normalize("NFC", word).lower() for word in one.stop_words)
        assert 8 <= len(set(one.stop_words)) == len(one.stop_words) <= 64
        assert 0 < one.thresholds["language_score"] <= 0.9
        assert one.thresholds["shortest_words"] < 4.1 < one.thresholds["longest_words"]
    spacy = importlib.util.find_spec("spacy")  # its lists are read without it, which takes seconds to load
    if spacy is not None and spacy.origin is not None:
        for one in languages()[1:]:
            path = Path(spacy.origin).parent / "lang" / one.codes[1] / "stop_words.py"
            assert set(one.stop_words) <= set(runpy.run_path(str(path))["STOP_WORDS"])


def judged(rule: RuleByLabel | LabelRule, **columns: list[Any]) -> list[bool]:
    return RuleSet(name="one", rules=(rule,)).judge(pl.DataFrame(columns))["keep"].to_list()


def test_bounds_by_label_judge_each_label_by_its_own() -> None:
    labels = ["de", "de", "fi", "fi", "la", "la", None, "de"]
    values = [15.0, 15.1, 17.9, 18.1, 10.0, 10.1, 10.1, None]
    rule = RuleByLabel(signal="char_count", maximum={"de": 15, "fi": 18, "*": 10}, reason="long")
    assert judged(rule, language=labels, char_count=values) == [True, False, True, False, True, False, False, True]
    rule = RuleByLabel(signal="char_count", minimum={"de": 15.1, "fi": 18}, reason="short")
    assert judged(rule, language=labels, char_count=values) == [False, True, False, True, True, True, True, True]


def test_a_document_without_a_label_is_of_none_of_the_labels() -> None:
    rule = LabelRule(signal="language", any_of=("en", "de"), reason="other_language")
    assert judged(rule, language=["en", "fr", None, "de"]) == [True, False, False, True]
    with pytest.raises(ConfigError, match="judges labels; the column `language` holds Int64"):
        judged(rule, language=[1, 2])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("signal: language, minimum: 1", "`language` is a label; give `any_of`"),
        ("signal: word_count, any_of: [en]", "`word_count` is a number; `signal` takes a label"),
        ("signal: word_count, by: char_count, minimum: {en: 1}", "`char_count` is a number; `by` takes a label"),
        ("signal: word_count, by: langage, minimum: {en: 1}", "did you mean `language`"),
        ("signal: word_count, by: language", "neither a minimum nor a maximum"),
        ("signal: word_count, minimum: {en: 2}, maximum: {en: 1}", "accepts nothing of `en`"),
    ],
)
def test_rules_that_take_a_label_for_a_number_are_refused(tmp_path: Path, rule: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"name: mine\nrules:\n  - {{{rule}, reason: wrong}}\n")
    with pytest.raises(ConfigError) as error:
        load_rules(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")


@pytest.mark.parametrize("text", ["language=lid.bin:en", "language=quality.safetensors", "quality=dclm.bin", "a=.bin:"])
def test_a_model_file_that_lacks_its_label_or_has_one_too_many_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write "):
        ModelFile.parse(text)


def test_a_scorer_of_ones_own_may_say_the_language_but_all_of_it() -> None:
    class Guess:
        names: tuple[str, ...] = LANGUAGE_SIGNALS

        def scores(self, texts: pl.Series) -> dict[str, Any]:
            return dict(zip(LANGUAGE_SIGNALS, ([None, "de"], [0.5, 1.0], [None, 3]), strict=True))

    found = score(["a", "b"], LANGUAGE_SIGNALS, scorers=[Guess()])
    assert found.rows() == [(None, 0.5, None), ("de", 1.0, 3)]
    Guess.names = LANGUAGE_SIGNALS[:2]
    with pytest.raises(ConfigError, match="gives all of language, language_score"):
        score(["a", "b"], scorers=[Guess()])


@pytest.mark.needs_tool
def test_fineweb2_judges_documents_by_their_language_and_says_where_it_cannot(model: Path, tmp_path: Path) -> None:
    lines = [" ".join([text] * 4) for text in (ENGLISH, GERMAN, LATIN)]
    rows = [{"id": f"{i}-{k}", "text": "\n".join([line] * (k + 1))} for i, line in enumerate(lines) for k in range(2)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = ("--model", f"language={model}", "--workers", "1")
    done = run_dq("filter", "docs.jsonl", "--preset", "fineweb2", *options, "-o", "kept", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert {row["language"]: row["own_bounds"] for row in found["languages"]} == {"en": True, "de": True, "la": False}
    shown = run_dq("filter", "docs.jsonl", "--preset", "fineweb2", *options, "-o", "kept", cwd=tmp_path)
    assert "2 documents of 1 language without bounds of its own (la)" in " ".join(shown.stdout.split())


@pytest.mark.needs_tool
def test_documents_are_ranked_within_their_language(model: Path, tmp_path: Path) -> None:
    rows = [{"id": f"{text[:2]}{k}", "text": text * (k + 1)} for text in (ENGLISH, GERMAN) for k in range(4)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "head.yaml").write_text(
        "name: head\nrules:\n  - {signal: char_count, keep_fraction: 0.5, per: language, reason: tail}\n"
    )
    options = ("--rules", "head.yaml", "--model", f"language={model}", "--workers", "1", "--dropped", "dropped")
    done = run_dq("filter", "docs.jsonl", *options, "-o", "kept", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(tmp_path / "kept" / "*.parquet")["id"].to_list() == ["Th2", "Th3", "Di2", "Di3"]
    shown = run_dq("inspect", "dropped", "dropped", "--reason", "tail", cwd=tmp_path).stdout
    assert f"accepted is at least {len(GERMAN) * 3}, the best 50% of de" in shown


@pytest.mark.needs_tool
def test_filter_keeps_documents_of_a_language_that_are_surely_so(model: Path, tmp_path: Path) -> None:
    rows = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    scores = dq.score(TEXTS, LANGUAGE_SIGNALS, scorers=[LanguageLabels(model)])
    least = scores["language_score"][1]
    options = ("--model", f"language={model}", "--workers", "1", "--dropped", "dropped")
    for threshold, german in ((least - 1e-9, True), (least + 1e-9, False)):
        bound = ("--language", "de,la", "--language-threshold", str(threshold))
        done = run_dq("filter", "docs.jsonl", *bound, *options, "-o", "kept", "--overwrite", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        kept = pl.read_parquet(tmp_path / "kept" / "*.parquet")["id"].to_list()
        sure = [str(n) for n, (label, p, _) in enumerate(scores.rows()) if label in ("de", "la") and p >= threshold]
        assert kept == sure
        assert ("1" in kept) == german
    shown = run_dq("inspect", "dropped", "dropped", "--reason", "other_language", cwd=tmp_path)
    assert "language is en, accepted is de or la" in shown.stdout
    wrong = run_dq("filter", "docs.jsonl", "--language", "dee", *options, "-o", "other", cwd=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr == "dq: --language: unknown language `dee`; did you mean `de`?\n"


def test_no_language_is_asked_for_where_no_rule_reads_it() -> None:
    assert dq.presets.fineweb().labels == frozenset()
    assert dq.presets.fineweb2().labels == {"language"}
