"""Cleaners rewrite as datatrove does, count, and never drop."""

from __future__ import annotations

import json
import time

import pydantic
import pytest
from hypothesis import given, settings

from dq.quality.cleaners import CLEANERS, C4Lines, FixText, MaskPii
from dq.text import Cleaner

from . import oracle
from .test_layout import VARIANTS, prose
from .test_signals import texts


@settings(max_examples=150, deadline=None)
@given(texts)
def test_c4_keeps_the_lines_that_plain_python_keeps_of_tidy_text(text: str) -> None:
    for terminal in (False, True):
        counts, kept = oracle.c4_lines(oracle.tidy(text), terminal=terminal)
        cleaned = C4Lines(terminal_marks=terminal).clean([text])
        assert [oracle.tidy(str(left)) for left in cleaned.texts.to_pylist()] == [oracle.tidy("\n".join(kept))]
        assert cleaned.counts["kept_line_count"] == len(kept)
        assert cleaned.counts["policy_line_count"] == counts["policy_line_count"]


@pytest.mark.parametrize("name", VARIANTS)
def test_c4_drops_the_same_lines_however_they_are_written(name: str) -> None:
    plain = [prose(seed) for seed in range(40)]
    written = [VARIANTS[name](text) for text in plain]
    left, wanted = C4Lines().clean(written), C4Lines().clean(plain)
    assert [oracle.tidy(str(text)) for text in left.texts.to_pylist()] == wanted.texts.to_pylist()
    assert left.counts == wanted.counts
    assert 0 < wanted.changed < 40 and wanted.counts["policy_line_count"] > 0


def test_what_c4_keeps_stays_as_it_is_written() -> None:
    kept = "cafe\u0301\tand\u00a0tea: soft\u00adhyphen [x] here"
    text = f"\u2028 {kept}[citation\u00a0needed][1\u200b2]\r\nterms\u00a0of\u00a0use of this page\r{kept}\x85"
    assert C4Lines().clean([text]).texts.to_pylist() == [f"{kept}\n{kept}"]


def test_c4_leaves_empty_documents_in_their_places() -> None:
    cleaned = C4Lines().clean(["too short", "This line has words enough.[3]", ""])
    assert cleaned.texts.to_pylist() == ["", "This line has words enough.", ""]
    assert cleaned.changed == 2


def test_addresses_are_masked_and_private_ones_stay() -> None:
    text = "Write to jane.doe@corp.com, j@x.org or bob@corp.com at 8.8.8.8 or 192.168.0.1; a@b is none, nor 1.2.3."
    cleaned = MaskPii().clean([text, "nothing here"])
    assert cleaned.texts.to_pylist() == [
        "Write to email@example.com, firstname.lastname@example.org or email@example.com at 22.214.171.124 or "
        "192.168.0.1; a@b is none, nor 1.2.3.",
        "nothing here",
    ]
    assert cleaned.counts == {"masked_emails": 3, "masked_ip_addresses": 1}
    assert cleaned.changed == 1


def test_masking_can_be_limited_to_one_kind() -> None:
    text = ["a@b.org 8.8.8.8"]
    assert MaskPii(emails=False).clean(text).texts.to_pylist() == ["a@b.org 22.214.171.124"]
    assert MaskPii(ip_addresses=False).clean(text).texts.to_pylist() == ["email@example.com 8.8.8.8"]
    assert MaskPii(emails=False, ip_addresses=False).clean(text).changed == 0


def test_a_document_is_masked_alike_whatever_stands_before_it() -> None:
    batch = ["x@a.org", "y@b.org z@c.org"]
    assert MaskPii().clean(batch).texts.to_pylist() == [MaskPii().clean([t]).texts[0].as_py() for t in batch]


def test_long_runs_around_an_at_sign_take_linear_time() -> None:
    text = "a.b" * 300_000 + "@" + "c.d" * 300_000
    start = time.process_time()
    MaskPii().clean([text])
    assert time.process_time() - start < 5


def test_wrongly_decoded_text_is_repaired_and_quotes_stay_curly() -> None:
    pytest.importorskip("ftfy")
    cleaned = FixText().clean(["schÃ¶n “quoted”", "fine"])
    assert cleaned.texts.to_pylist() == ["schön “quoted”", "fine"]
    assert (cleaned.changed, cleaned.counts) == (1, {"fixed_texts": 1})


@pytest.mark.parametrize("name", sorted(CLEANERS))
def test_every_cleaner_names_itself_and_all_that_decides_its_result(name: str) -> None:
    if name == "fix_text":
        pytest.importorskip("ftfy")
    cleaner: Cleaner = CLEANERS[name]()
    assert cleaner.name == name
    assert cleaner.version >= 1
    assert json.loads(json.dumps(cleaner.config())) == cleaner.config()
    assert cleaner.clean([]).texts.to_pylist() == []


def test_the_options_of_a_cleaner_are_its_configuration() -> None:
    others = dict.fromkeys(("secrets", "cards", "account_numbers", "phones"), False)
    assert MaskPii(emails=False).config() == {"emails": False, "ip_addresses": True, **others}
    with pytest.raises(pydantic.ValidationError, match="emial"):
        MaskPii.model_validate({"emial": False})


@settings(max_examples=100, deadline=None)
@given(texts)
def test_rewriting_equals_datatrove(text: str) -> None:
    pii = pytest.importorskip("datatrove.pipeline.formatters.pii")
    assert MaskPii().clean([text]).texts.to_pylist() == [pii.PIIFormatter().format(text)]
