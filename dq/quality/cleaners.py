"""Cleaners: C4's removal of lines, masking of addresses, and ftfy. They rewrite and count, and never drop.

What is removed or replaced follows datatrove's ``C4QualityFilter``, ``PIIFormatter`` and ``FTFYFormatter``, with one
change: datatrove walks through its replacement addresses from document to document, so its output depends on the order
of the documents; here every document begins with the first one.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dq.config import StrictModel
from dq.errors import require
from dq.quality.measure import rewrite
from dq.quality.scorers.personal import EMAIL, IP_ADDRESS, is_public
from dq.quality.signals import C4_COUNTS
from dq.text import Cleaned, Cleaner, Texts, arrow_array, string_array, text_batch

EMAIL_REPLACEMENTS = ("email@example.com", "firstname.lastname@example.org")  # reserved for examples by RFC 2606
# datatrove's list: "randomly generated ... they did not respond to ping requests at the time".
IP_REPLACEMENTS = (
    "22.214.171.124",
    "126.96.36.199",
    "188.8.131.52",
    "184.108.40.206",
    "220.127.116.11",
    "18.104.22.168",
)
EMAIL_PATTERN, IP_PATTERN = re.compile(EMAIL), re.compile(IP_ADDRESS)
# An address holds no white space. Only so much on either side of an @ is searched, because the pattern takes quadratic
# time on long runs of letters and dots; RFC 5321 allows 64 characters before the @ and 255 after it.
AROUND_AT = re.compile(r"\S{0,320}@(?:\S{0,320}@)*\S{0,320}")


class C4Lines(StrictModel):
    """Remove the lines that C4 drops, and citation marks from the rest (datatrove ``C4QualityFilter``).

    Lines are judged as the signals see them, however they end and whatever blanks are in them (`dq.text.tidy`), and
    stay as they are written, without blanks at their ends. A document whose lines are all dropped becomes empty;
    whether it is dropped is for the rules to say.
    """

    name: ClassVar[str] = "c4_lines"
    version: ClassVar[int] = 2

    terminal_marks: bool = False
    """Whether lines must end in . ? ! \" or ' to be kept, as in C4 itself; FineWeb keeps the others too."""

    def config(self) -> Mapping[str, Any]:
        """The fields."""
        return self.model_dump()

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts are lines by what C4 did with them."""
        batch = text_batch(texts)
        left, counts = rewrite(batch, terminal=self.terminal_marks)
        total = dict(zip(C4_COUNTS, counts.sum(axis=0).tolist(), strict=True))
        return _cleaned(arrow_array(batch), arrow_array(left), total)


class MaskPii(StrictModel):
    """Replace e-mail addresses and public IPv4 addresses (datatrove ``PIIFormatter``)."""

    name: ClassVar[str] = "mask_pii"
    version: ClassVar[int] = 1

    emails: bool = True
    """Whether to replace e-mail addresses."""
    ip_addresses: bool = True
    """Whether to replace public IPv4 addresses; private ones identify nobody and stay."""

    def config(self) -> Mapping[str, Any]:
        """The fields."""
        return self.model_dump()

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts: masked_emails, masked_ip_addresses."""
        array = arrow_array(text_batch(texts))
        counts: Counter[str] = Counter(masked_emails=0, masked_ip_addresses=0)
        # Nearly no text has an address: two fast searches find those that may.
        suspects = pc.fill_null(pc.match_substring(array, "@"), False) if self.emails else None
        numbers = pc.match_substring_regex(array, r"\d\.\d{1,3}\.\d{1,3}\.\d") if self.ip_addresses else None
        either = pc.or_(suspects, numbers) if suspects is not None and numbers is not None else suspects or numbers
        if either is None:
            return Cleaned(array, 0, counts)
        rows = np.flatnonzero(either.to_numpy(zero_copy_only=False))
        rewritten = {int(row): self._mask(array[int(row)].as_py(), counts) for row in rows}
        return _replace_rows(array, rewritten, counts)

    def _mask(self, text: str, counts: Counter[str]) -> str:
        if self.emails:
            addresses = itertools.cycle(EMAIL_REPLACEMENTS)

            def replace_email(_match: re.Match[str]) -> str:
                counts["masked_emails"] += 1
                return next(addresses)

            text = AROUND_AT.sub(lambda run: EMAIL_PATTERN.sub(replace_email, run.group()), text)
        if self.ip_addresses:
            numbers = itertools.cycle(IP_REPLACEMENTS)

            def replace_ip(match: re.Match[str]) -> str:
                if not is_public(match.group()):
                    return match.group()
                counts["masked_ip_addresses"] += 1
                return next(numbers)

            text = IP_PATTERN.sub(replace_ip, text)
        return text


class FixText(StrictModel):
    """Repair wrongly decoded text with ftfy, leaving quotes, widths and line breaks (datatrove ``FTFYFormatter``)."""

    name: ClassVar[str] = "fix_text"
    modules_needed: ClassVar[tuple[str, ...]] = ("ftfy",)
    version: ClassVar[int] = 1

    options: dict[str, Any] = Field(
        default_factory=lambda: {
            "fix_latin_ligatures": False,
            "fix_character_width": False,
            "uncurl_quotes": False,
            "fix_line_breaks": False,
            "normalization": None,
        }
    )
    """Fields of ``ftfy.TextFixerConfig`` that differ from its defaults."""

    def config(self) -> Mapping[str, Any]:
        """The fields, and ftfy's version."""
        return {**self.model_dump(), "ftfy": require("ftfy").__version__}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch; counts: fixed_texts."""
        ftfy = require("ftfy")
        array = arrow_array(text_batch(texts))
        settings = ftfy.TextFixerConfig(**self.options)
        rewritten = {}
        for row, text in enumerate(array.to_pylist()):
            fixed = ftfy.fix_text(text, config=settings)
            if fixed != text:
                rewritten[row] = fixed
        return _replace_rows(array, rewritten, Counter(fixed_texts=len(rewritten)))


CLEANERS: dict[str, type[Cleaner]] = {one.name: one for one in (C4Lines, MaskPii, FixText)}
"""Cleaners by name; the fields of each are its options, all of which have defaults."""


def _cleaned(before: pa.LargeStringArray, after: pa.LargeStringArray, counts: Mapping[str, int]) -> Cleaned:
    return Cleaned(after, int(pc.sum(pc.not_equal(before, after)).as_py() or 0), dict(counts))


def _replace_rows(array: pa.LargeStringArray, rewritten: Mapping[int, str], counts: Mapping[str, int]) -> Cleaned:
    if not rewritten:
        return Cleaned(array, 0, dict(counts))
    mask = np.zeros(len(array), bool)
    mask[list(rewritten)] = True
    texts = string_array(rewritten.values())
    return _cleaned(array, pc.replace_with_mask(array, pl.Series(mask).to_arrow(), texts), counts)
