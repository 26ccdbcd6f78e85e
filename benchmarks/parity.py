"""Agreement with datatrove's filters, rule set by rule set, on a corpus: `python benchmarks/parity.py [FILE]`.

FILE is JSON lines (or .zst) with `text`. Needs datatrove and spaCy. Prints a Markdown table: for each rule set how
often `judge_texts(strict=True)` agrees with the filter, and the first reasons of the disagreements.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
from _common import read_texts

from dq.quality import judge_texts, presets


def filters() -> dict[str, Any]:
    """The datatrove filters, by the name of our preset."""
    from datatrove.pipeline.filters import (  # type: ignore[import-untyped]  # noqa: PLC0415
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    return {
        "gopher_quality": GopherQualityFilter(),
        "gopher_repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(),
        "c4_no_terminal_punct": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb_quality": FineWebQualityFilter(),
    }


def their_verdict(filter_: Any, text: str) -> tuple[bool, str, str]:
    """Keep, reason and the text left by one datatrove filter; an exception counts as dropped."""
    from datatrove.data import Document  # type: ignore[import-untyped]  # noqa: PLC0415

    document = Document(text=text, id="0")
    try:
        verdict = filter_.filter(document)
    except ZeroDivisionError:
        return False, "ZeroDivisionError", document.text
    if isinstance(verdict, tuple):
        return bool(verdict[0]), str(verdict[1]), document.text
    return bool(verdict), "", document.text


def composite(found: dict[str, Any], text: str) -> tuple[bool, str, str]:
    """The filters in FineWeb's order, each on what the one before left."""
    for name in ("gopher_repetition", "gopher_quality", "c4_no_terminal_punct", "fineweb_quality"):
        keep, reason, text = their_verdict(found[name], text)
        if not keep:
            return False, reason, text
    return True, "", text


def compare(texts: list[str]) -> dict[str, tuple[int, Counter[str]]]:
    """Agreements and the reasons of disagreements, by rule set."""
    theirs = filters()
    result = {}
    for name in (*theirs, "fineweb"):
        ours = judge_texts(texts, presets.preset(name), strict=True)
        agreed, causes = 0, Counter[str]()
        for text, keep, reasons in zip(texts, ours["keep"], ours["reasons"], strict=True):
            their_keep, reason, _ = composite(theirs, text) if name == "fineweb" else their_verdict(theirs[name], text)
            agreed += keep == their_keep
            if keep != their_keep:
                causes[f"theirs: {reason}" if keep else f"ours: {', '.join(reasons)}"] += 1
        result[name] = (agreed, causes)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="JSON lines; default: the project's own files")
    parser.add_argument("--documents", type=int, default=200, help="sampled with a fixed seed")
    parser.add_argument("--max-chars", type=int, default=20_000, help="texts are cut here: datatrove is slow")
    options = parser.parse_args()
    found = pl.Series(read_texts(options.file))
    chosen = found.sample(min(options.documents, len(found)), seed=1, shuffle=True)
    texts = [text[: options.max_chars] for text in chosen]
    sys.stdout.write("| rule set | documents | agree | disagreements |\n|---|---|---|---|\n")
    for name, (agreed, causes) in compare(texts).items():
        share = f"{100 * agreed / len(texts):.2f} %"
        sys.stdout.write(f"| `{name}` | {len(texts)} | {share} | {json.dumps(dict(causes.most_common(6)))} |\n")


if __name__ == "__main__":
    main()
