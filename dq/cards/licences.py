"""What the Hugging Face hub calls licences: in part its list, https://huggingface.co/docs/hub/repositories-licenses."""

from __future__ import annotations

import re

KNOWN = frozenset({
    *("apache-2.0", "mit", "isc", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "mpl-2.0", "unlicense", "wtfpl"),
    *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "gfdl"),
    *("cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
    *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    *("cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "odbl", "odc-by", "pddl", "other", "unknown"),
})  # fmt: skip
OTHERWISE = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}
"""What SPDX calls otherwise; its other names are the hub's, in lower case."""


def hub_licence(name: str) -> str:
    """What the hub calls a licence: ``other`` where it has no name for it."""
    key = name.casefold()
    key = OTHERWISE.get(key, key).removesuffix("-only").removesuffix("-or-later")
    return key if key in KNOWN else "other"


def licence_id(name: str) -> str:
    """What the hub takes beside ``other``: small letters, digits, dots and hyphens, such as ``my-licence-1.0``."""
    return re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-") or "other"
