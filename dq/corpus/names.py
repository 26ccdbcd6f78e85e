"""Names of files as ids, sources and records can hold them."""

from __future__ import annotations

import re

UNSPEAKABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def spelled(name: str) -> str:
    r"""A name as UTF-8 on one line: other bytes and control characters as ``\xff``."""
    return UNSPEAKABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", name)
