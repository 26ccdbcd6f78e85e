"""Patterns of files: a star stays in its folder, ``**`` is any number of folders."""

from __future__ import annotations

import re

WILD = re.compile(r"[*?\[]")
_PARTS = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])")


def as_regex(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression of whole paths."""
    tokens = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def regex(part: str) -> str:
        if part.startswith("[") and len(part) > 2:
            return part.replace("[!", "[^", 1)
        return tokens.get(part, re.escape(part))

    return re.compile("".join(map(regex, _PARTS.split(pattern))), re.DOTALL)
